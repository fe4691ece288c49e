// Commands on several sorted sets (sets count as sorted sets whose scores are all 1).
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "node/arguments.h"
#include "node/commands/scores.h"
#include "node/commands/sorted_set_commands.h"
#include "node/error_text.h"
#include "storage/score.h"

namespace starling {
namespace {

enum class Operation : uint8_t { kUnion, kIntersection, kDifference };
enum class Aggregate : uint8_t { kSum, kLeast, kMost };

/// A set among several. `size` 0: there is none.
struct Source {
  KeyRef key;
  ElementType type = ElementType::kSortedSet;
  size_t size = 0;
  double weight = 1;
};

/// A member that borrows from the Access.
struct BorrowedMember {
  std::string_view member;
  double score = 0;
};

struct Request {
  Operation operation = Operation::kUnion;
  bool store = false;
  bool count_only = false;  ///< ZINTERCARD
  bool with_scores = false;
  Aggregate aggregate = Aggregate::kSum;
  int64_t limit = 0;  ///< ZINTERCARD; 0: none.
  std::vector<Source> sources;
};

/// Looks at every key; false where it has replied that one is of another type.
bool LookAtSources(CommandContext& context, Access& access, std::span<const KeyRef> keys,
                   Request& request) {
  for (const KeyRef& key : keys) {
    const std::optional<KeyView> view = access.Find(key);
    if (view && view->type != KeyType::kSortedSet && view->type != KeyType::kSet) {
      context.reply.Error(error_text::kWrongType);
      return false;
    }
    Source source{key};
    if (view) source.size = view->size;
    if (view && view->type == KeyType::kSet) source.type = ElementType::kSet;
    request.sources.push_back(source);
  }
  return true;
}

std::optional<Aggregate> ParseAggregate(std::string_view word) {
  if (IsWord(word, "sum")) return Aggregate::kSum;
  if (IsWord(word, "min")) return Aggregate::kLeast;
  if (IsWord(word, "max")) return Aggregate::kMost;
  return std::nullopt;
}

/// The words behind the keys; false where it has replied with the error.
bool ReadOptions(CommandContext& context, Arguments words, Request& request) {
  const bool weighs = request.operation != Operation::kDifference && !request.count_only;
  const size_t sources = request.sources.size();
  while (!words.empty()) {
    if (weighs && words.size() > sources && IsWord(words[0], "weights")) {
      for (size_t i = 0; i < sources; ++i) {
        const std::optional<double> weight =
            ReadScore(context, words[1 + i], "ERR weight value is not a float");
        if (!weight) return false;
        request.sources[i].weight = *weight;
      }
      words = words.subspan(1 + sources);
    } else if (weighs && words.size() > 1 && IsWord(words[0], "aggregate")) {
      const std::optional<Aggregate> aggregate = ParseAggregate(words[1]);
      if (!aggregate) {
        context.reply.Error(error_text::kSyntax);
        return false;
      }
      request.aggregate = *aggregate;
      words = words.subspan(2);
    } else if (!request.store && !request.count_only && IsWord(words[0], "withscores")) {
      request.with_scores = true;
      words = words.subspan(1);
    } else if (request.count_only) {
      const std::optional<int64_t> limit = ReadIntersectionLimit(context, words);
      if (!limit) return false;
      request.limit = *limit;
      return true;
    } else {
      context.reply.Error(error_text::kSyntax);
      return false;
    }
  }
  return true;
}

/// Infinities of both signs, and 0 times infinity, make 0 as in Redis.
double NumberOrZero(double value) { return std::isnan(value) ? 0 : value; }

double Combine(double a, double b, Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kSum:
      return NumberOrZero(a + b);
    case Aggregate::kLeast:
      return b < a ? b : a;
    case Aggregate::kMost:
      return b > a ? b : a;
  }
  return a;
}

double ScoreIn(const Source& source, const Value& payload) {
  return source.type == ElementType::kSet ? 1 : ScoreOf(payload);
}

std::optional<double> FindScore(Access& access, const Source& source, std::string_view member) {
  if (source.type == ElementType::kSortedSet) return access.Score(source.key, member);
  if (access.HasElement(source.key, ElementType::kSet, member)) return 1;
  return std::nullopt;
}

using Members = std::vector<BorrowedMember>;

Members Unite(Access& access, const Request& request) {
  absl::flat_hash_map<std::string_view, size_t> places;
  Members members;
  for (const Source& source : request.sources) {
    access.ForEachElement(
        source.key, source.type, [&](std::string_view member, const Value& payload) {
          const double score = NumberOrZero(source.weight * ScoreIn(source, payload));
          const auto [place, fresh] = places.try_emplace(member, members.size());
          if (fresh) {
            members.push_back({member, score});
          } else {
            double& sum = members[place->second].score;
            sum = Combine(sum, score, request.aggregate);
          }
        });
  }
  return members;
}

Members Intersect(Access& access, const Request& request) {
  Members members;
  const Source& smallest = request.sources.front();
  if (smallest.size == 0) return members;
  const auto others = std::span(request.sources).subspan(1);
  access.ForEachElement(smallest.key, smallest.type,
                        [&](std::string_view member, const Value& payload) {
                          double score = NumberOrZero(smallest.weight * ScoreIn(smallest, payload));
                          for (const Source& other : others) {
                            const std::optional<double> found = FindScore(access, other, member);
                            if (!found) return;
                            score = Combine(score, *found * other.weight, request.aggregate);
                          }
                          members.push_back({member, score});
                        });
  return members;
}

Members Subtract(Access& access, const Request& request) {
  Members members;
  const Source& first = request.sources.front();
  const auto others = std::span(request.sources).subspan(1);
  access.ForEachElement(first.key, first.type, [&](std::string_view member, const Value& payload) {
    const double score = ScoreIn(first, payload);
    for (const Source& other : others) {
      if (FindScore(access, other, member)) return;
    }
    members.push_back({member, score});
  });
  return members;
}

Members Compute(Access& access, Request& request) {
  if (request.operation == Operation::kDifference) return Subtract(access, request);
  // From the smallest on, which is also the order in which Redis adds up.
  std::stable_sort(request.sources.begin(), request.sources.end(),
                   [](const Source& a, const Source& b) { return a.size < b.size; });
  return request.operation == Operation::kUnion ? Unite(access, request)
                                                : Intersect(access, request);
}

void ReplyMembers(CommandContext& context, const Request& request, Members members) {
  std::sort(members.begin(), members.end(), [](const BorrowedMember& a, const BorrowedMember& b) {
    return a.score != b.score ? a.score < b.score : a.member < b.member;
  });
  ReplyScoredHead(context.reply, members.size(), request.with_scores);
  for (const auto& [member, score] : members) {
    ReplyScored(context.reply, member,
                request.with_scores ? std::optional<double>(score) : std::nullopt);
  }
}

/// `words` begins with numkeys; `target` is there where the result is stored.
void RunOperation(CommandContext& context, Request request, Arguments words,
                  std::optional<std::string_view> target, std::string_view command) {
  request.store = target.has_value();
  const std::optional<int64_t> count = ReadInteger(context, words[0]);
  if (!count) return;
  if (*count < 1) {
    std::string text = "ERR at least 1 input key is needed for '";
    return context.reply.Error(text.append(command).append("' command"));
  }
  if (*count > static_cast<int64_t>(words.size()) - 1) {
    return context.reply.Error(error_text::kSyntax);
  }
  KeyList keys = ReadKeys(context, words.subspan(1, static_cast<size_t>(*count)));
  const std::span<const KeyRef> sources(keys.data(), keys.size());
  KeyList locked = keys;
  if (target) locked.push_back(context.Key(*target));
  Access access = context.keyspace().Lock(locked);
  if (!LookAtSources(context, access, sources, request)) return;
  if (!ReadOptions(context, words.subspan(1 + sources.size()), request)) return;
  Members members = Compute(access, request);
  if (request.count_only) {
    const auto found = static_cast<int64_t>(members.size());
    return context.reply.Integer(request.limit > 0 ? std::min(found, request.limit) : found);
  }
  if (!target) return ReplyMembers(context, request, std::move(members));
  std::vector<ScoredMember> kept;  // copied: the target may be one of the sources
  kept.reserve(members.size());
  for (const auto& [member, score] : members) kept.push_back({std::string(member), score});
  StoreSortedSet(access, locked.back(), kept);
  context.reply.Integer(static_cast<int64_t>(kept.size()));
}

void ReplyResult(CommandContext& context, Arguments arguments, Operation operation,
                 std::string_view command) {
  Request request;
  request.operation = operation;
  RunOperation(context, std::move(request), arguments.subspan(1), std::nullopt, command);
}

void StoreResult(CommandContext& context, Arguments arguments, Operation operation,
                 std::string_view command) {
  Request request;
  request.operation = operation;
  RunOperation(context, std::move(request), arguments.subspan(2), arguments[1], command);
}

}  // namespace

void ZUnion(CommandContext& context, Arguments arguments) {
  ReplyResult(context, arguments, Operation::kUnion, "zunion");
}

void ZUnionStore(CommandContext& context, Arguments arguments) {
  StoreResult(context, arguments, Operation::kUnion, "zunionstore");
}

void ZInter(CommandContext& context, Arguments arguments) {
  ReplyResult(context, arguments, Operation::kIntersection, "zinter");
}

void ZInterStore(CommandContext& context, Arguments arguments) {
  StoreResult(context, arguments, Operation::kIntersection, "zinterstore");
}

void ZInterCard(CommandContext& context, Arguments arguments) {
  Request request;
  request.operation = Operation::kIntersection;
  request.count_only = true;
  RunOperation(context, std::move(request), arguments.subspan(1), std::nullopt, "zintercard");
}

void ZDiff(CommandContext& context, Arguments arguments) {
  ReplyResult(context, arguments, Operation::kDifference, "zdiff");
}

void ZDiffStore(CommandContext& context, Arguments arguments) {
  StoreResult(context, arguments, Operation::kDifference, "zdiffstore");
}

}  // namespace starling
