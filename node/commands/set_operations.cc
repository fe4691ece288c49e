// Commands on several sets: what they have in common, together, or one alone.
#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "node/arguments.h"
#include "node/commands/collection_access.h"
#include "node/commands/set_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

constexpr ElementType kMembers = ElementType::kSet;

/// A set among several; `size` 0: there is none.
struct SourceSet {
  KeyRef key;
  size_t size = 0;
};
using SourceSets = absl::InlinedVector<SourceSet, 8>;

/// Looks at every key; replies WRONGTYPE and returns false where one is no set.
bool LookAtSets(CommandContext& context, Access& access, std::span<const KeyRef> keys,
                SourceSets& sets) {
  for (const KeyRef& key : keys) {
    std::optional<KeyView> view = access.Find(key);
    if (!CheckType(context, view, KeyType::kSet)) return false;
    sets.push_back({key, view ? view->size : 0});
  }
  return true;
}

using MemberVisitor = std::function<void(std::string_view member)>;

/// How sets are combined. `sets` is not empty; members borrow from the Access, each comes once.
using Combine = void (*)(Access& access, SourceSets& sets, const MemberVisitor& visit);

/// Members of one set, to be held against other sets.
class Candidates {
 public:
  Candidates(Access& access, const SourceSet& set) : access_(access) {
    members_.reserve(set.size);
    access.ForEachElement(set.key, kMembers, [this](std::string_view member, const Value&) {
      members_.push_back(member);
    });
    hits_.resize(members_.size());
  }

  /// Counts a hit for each candidate that `other` has and that has `hits` already.
  void Hold(const SourceSet& other, size_t hits) {
    for (size_t i = 0; i < members_.size(); ++i) {
      if (hits_[i] == hits && access_.HasElement(other.key, kMembers, members_[i])) ++hits_[i];
    }
  }

  void VisitWith(size_t hits, const MemberVisitor& visit) const {
    for (size_t i = 0; i < members_.size(); ++i) {
      if (hits_[i] == hits) visit(members_[i]);
    }
  }

 private:
  Access& access_;
  std::vector<std::string_view> members_;
  std::vector<size_t> hits_;
};

void Intersect(Access& access, SourceSets& sets, const MemberVisitor& visit) {
  // The smallest set gives the candidates, and the next smallest rules out the most.
  std::sort(sets.begin(), sets.end(),
            [](const SourceSet& a, const SourceSet& b) { return a.size < b.size; });
  if (sets.front().size == 0) return;
  Candidates candidates(access, sets.front());
  for (size_t i = 1; i < sets.size(); ++i) candidates.Hold(sets[i], i - 1);
  candidates.VisitWith(sets.size() - 1, visit);
}

void Unite(Access& access, SourceSets& sets, const MemberVisitor& visit) {
  absl::flat_hash_set<std::string_view> seen;
  for (const SourceSet& set : sets) {
    access.ForEachElement(set.key, kMembers, [&](std::string_view member, const Value&) {
      if (seen.insert(member).second) visit(member);
    });
  }
}

void Subtract(Access& access, SourceSets& sets, const MemberVisitor& visit) {
  if (sets.front().size == 0) return;
  Candidates candidates(access, sets.front());
  for (const SourceSet& other : std::span(sets).subspan(1)) {
    if (other.size != 0) candidates.Hold(other, 0);
  }
  candidates.VisitWith(0, visit);
}

void ReplyCombined(CommandContext& context, Arguments arguments, Combine combine) {
  KeyList keys = ReadKeys(context, arguments.subspan(1));
  Access access = context.keyspace().Lock(keys);
  SourceSets sets;
  if (!LookAtSets(context, access, keys, sets)) return;
  // Their number goes out before them.
  std::string members;
  Reply collector(members, context.reply.protocol());
  size_t count = 0;
  combine(access, sets, [&](std::string_view member) {
    collector.Bulk(member);
    ++count;
  });
  context.reply.Set(count);
  context.reply.out().append(members);
}

void StoreCombined(CommandContext& context, Arguments arguments, Combine combine) {
  KeyList keys = ReadKeys(context, arguments.subspan(1));
  const KeyRef& target = keys.front();
  Access access = context.keyspace().Lock(keys);
  SourceSets sets;
  if (!LookAtSets(context, access, std::span(keys).subspan(1), sets)) return;
  // Copied: the target may be one of the sets.
  std::vector<std::string> members;
  combine(access, sets, [&members](std::string_view member) { members.emplace_back(member); });
  ClearForStore(access, target, members.size());
  for (const std::string& member : members) access.AddElement(target, kMembers, member);
  context.reply.Integer(static_cast<int64_t>(members.size()));
}

}  // namespace

void SMove(CommandContext& context, Arguments arguments) {
  std::array<KeyRef, 2> keys = {context.Key(arguments[1]), context.Key(arguments[2])};
  const auto& [from, to] = keys;
  const std::string_view member = arguments[3];
  Access access = context.keyspace().Lock(keys);
  std::optional<KeyView> source = access.Find(from);
  if (!source) return context.reply.Integer(0);
  if (!CheckType(context, source, KeyType::kSet)) return;
  if (!CheckType(context, access.Find(to), KeyType::kSet)) return;
  const bool present = access.HasElement(from, kMembers, member);
  if (present && from.name != to.name) {
    access.RemoveElement(from, kMembers, member);
    access.AddElement(to, kMembers, member);
  }
  context.reply.Integer(present ? 1 : 0);
}

void SInter(CommandContext& context, Arguments arguments) {
  ReplyCombined(context, arguments, Intersect);
}

void SInterStore(CommandContext& context, Arguments arguments) {
  StoreCombined(context, arguments, Intersect);
}

void SUnion(CommandContext& context, Arguments arguments) {
  ReplyCombined(context, arguments, Unite);
}

void SUnionStore(CommandContext& context, Arguments arguments) {
  StoreCombined(context, arguments, Unite);
}

void SDiff(CommandContext& context, Arguments arguments) {
  ReplyCombined(context, arguments, Subtract);
}

void SDiffStore(CommandContext& context, Arguments arguments) {
  StoreCombined(context, arguments, Subtract);
}

void SInterCard(CommandContext& context, Arguments arguments) {
  std::optional<Arguments> names = ReadCountedKeys(context, arguments.subspan(1));
  if (!names) return;
  std::optional<int64_t> limit =
      ReadIntersectionLimit(context, arguments.subspan(2 + names->size()));
  if (!limit) return;
  KeyList keys = ReadKeys(context, *names);
  Access access = context.keyspace().Lock(keys);
  SourceSets sets;
  if (!LookAtSets(context, access, keys, sets)) return;
  int64_t count = 0;
  Intersect(access, sets, [&count](std::string_view) { ++count; });
  context.reply.Integer(*limit > 0 ? std::min(count, *limit) : count);
}

}  // namespace starling
