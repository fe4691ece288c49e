#include "tests/differential/duel.h"

#include <strings.h>

#include <algorithm>
#include <set>

namespace starling {
namespace {

/// Enough of a reply for a person to see what it is.
std::string Shown(const RespReply& reply) {
  constexpr size_t kMost = 2000;
  std::string text = reply.ToString();
  return text.size() > kMost ? text.substr(0, kMost) + "..." : text;
}

std::optional<Divergence> Differ(const RespReply& expected, const RespReply& actual) {
  return Divergence{Shown(expected), Shown(actual)};
}

bool IsScanStep(const RespReply& reply) {
  return reply.type == '*' && reply.elements.size() == 2 && reply.elements[1].type == '*';
}

/// How the elements that a command draws from are read whole.
struct Drawable {
  const char* command;
  std::vector<std::string> list;  ///< Without the key, which comes second.
  bool pairs;                     ///< The list is element, payload, element, payload...
};

const Drawable& DrawableOf(std::string_view command) {
  static const Drawable kDrawables[] = {
      {"spop", {"SMEMBERS"}, false},
      {"srandmember", {"SMEMBERS"}, false},
      {"hrandfield", {"HGETALL"}, true},
      {"zrandmember", {"ZRANGE", "0", "-1", "WITHSCORES"}, true},
  };
  for (const Drawable& drawable : kDrawables) {
    if (::strcasecmp(drawable.command, std::string(command).c_str()) == 0) return drawable;
  }
  return kDrawables[0];
}

using Words = std::vector<std::string>;

/// Elements and, where `pairs`, their payloads. Joined by a byte sequence that no test draws.
Words Joined(const Words& texts, bool pairs) {
  if (!pairs) return texts;
  Words joined;
  for (size_t i = 0; i + 1 < texts.size(); i += 2) {
    joined.push_back(texts[i] + "\x01=\x01" + texts[i + 1]);
  }
  return joined;
}

Words EverySecond(const Words& texts) {
  Words first;
  for (size_t i = 0; i < texts.size(); i += 2) first.push_back(texts[i]);
  return first;
}

/// Whether all are among `elements`, and none comes twice where `distinct`.
bool AreAmong(const Words& drawn, const Words& elements, bool distinct) {
  std::multiset<std::string> left(elements.begin(), elements.end());
  for (const std::string& text : drawn) {
    auto found = left.find(text);
    if (found == left.end()) return false;
    if (distinct) left.erase(found);
  }
  return true;
}

bool HasWord(const Words& words, const char* word) {
  return std::any_of(words.begin() + 1, words.end(), [word](const std::string& other) {
    return ::strcasecmp(other.c_str(), word) == 0;
  });
}

/// Whether C strings would call a text of the reply equal to another: Redis's ALPHA compares no
/// further than a zero byte.
bool HasZeroByteOrNothing(const RespReply& reply) {
  return std::any_of(reply.elements.begin(), reply.elements.end(), [](const RespReply& element) {
    return element.text.empty() || element.text.find('\0') != std::string::npos;
  });
}

/// Whether a SORT leaves the order of some elements open: a constant BY that of a set's, BY with
/// ALPHA that of those of equal weight.
bool LeavesOrderOpen(const Words& words, const RespReply& redis) {
  const bool alphabetic = HasWord(words, "alpha");
  if (alphabetic && (HasWord(words, "by") || HasWord(words, "get"))) return true;
  if (alphabetic && HasZeroByteOrNothing(redis)) return true;
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    if (::strcasecmp(words[i].c_str(), "by") == 0 && words[i + 1].find('*') == std::string::npos) {
      return true;
    }
  }
  return false;
}

bool AgreeInAnyOrder(const Words& words, const RespReply& redis, const RespReply& starling) {
  if (!redis.is_aggregate() || !starling.is_aggregate()) return redis == starling;
  if (redis.elements.size() != starling.elements.size()) return false;
  return HasWord(words, "limit") || SortedElements(redis) == SortedElements(starling);
}

/// Redis keeps the sign of a score of zero or loses it, depending on its encoding.
void ForgetNegativeZero(RespReply& reply) {
  if (reply.text == "-0") reply.text = "0";
  for (RespReply& element : reply.elements) ForgetNegativeZero(element);
}

}  // namespace

std::string Step::ToString() const {
  std::string text = connection == 0 ? "resp2>" : "resp3>";
  for (const std::string& word : words) text += " " + Quoted(word);
  return text;
}

Status Duel::Restart() {
  pairs_.clear();
  for (size_t i = 0; i < kConnections; ++i) {
    Result<RespClient> redis = RespClient::Connect(redis_port_);
    if (!redis) return redis.error();
    Result<RespClient> starling = RespClient::Connect(starling_port_);
    if (!starling) return starling.error();
    pairs_.push_back({std::move(*redis), std::move(*starling), false, {}});
  }
  pair_ = &pairs_[0];
  Result<Replies> flushed = Both({"FLUSHALL"});
  if (!flushed) return flushed.error();
  pair_ = &pairs_[1];
  Result<Replies> greeted = Both({"HELLO", "3"});
  if (!greeted) return greeted.error();
  if (greeted->starling.type != '%') {
    return Error{Code::kRefused, "HELLO 3: " + greeted->starling.ToString()};
  }
  return {};
}

Result<Duel::Replies> Duel::Both(const Words& words) {
  if (Status sent = pair_->redis.Send(words); !sent) return sent.error();
  if (Status sent = pair_->starling.Send(words); !sent) return sent.error();
  Result<RespReply> redis = pair_->redis.Receive();
  if (!redis) return Error{redis.error().code, "redis-server: " + redis.error().message};
  Result<RespReply> starling = pair_->starling.Receive();
  if (!starling) return Error{starling.error().code, "starlingd: " + starling.error().message};
  if (words[0].starts_with('z') || words[0].starts_with('Z')) {
    ForgetNegativeZero(*redis);
    ForgetNegativeZero(*starling);
  }
  return Replies{std::move(*redis), std::move(*starling)};
}

Result<std::optional<Divergence>> Duel::Run(const Step& step) {
  pair_ = &pairs_[step.connection];
  const Words& words = step.words;
  Comparison comparison = ComparisonFor(words[0]);
  last_was_error_ = false;
  if (pair_->queues) return RunQueued(words);
  if (comparison == Comparison::kRandomKey) return RunRandomKey(words);
  if (words.size() > 1 && comparison == Comparison::kPop) return RunDraw(words, true);
  if (words.size() > 1 && comparison == Comparison::kDraw) return RunDraw(words, false);
  if (comparison == Comparison::kCount) {
    if (Status settled = Settle(); !settled) return settled.error();
  }
  if (comparison == Comparison::kSort) {
    // Redis's SORT believes the errno that whatever ran before it left behind: have it cleared.
    if (Result<Replies> cleared = Both({"ZADD", "none", "1x", "m"}); !cleared) {
      return cleared.error();
    }
  }
  if (comparison == Comparison::kDump && words.size() == 2) return RunDump(words);
  Result<Replies> replies = Both(words);
  if (!replies) return replies.error();
  last_was_error_ = replies->redis.is_error();
  NoteTransaction(words, replies->redis);
  if (comparison == Comparison::kScan && IsScanStep(replies->redis)) {
    return RunScan(words, *replies);
  }
  if (comparison == Comparison::kSort && LeavesOrderOpen(words, replies->redis) &&
      AgreeInAnyOrder(words, replies->redis, replies->starling)) {
    return std::optional<Divergence>();
  }
  if (!Agree(comparison, replies->redis, replies->starling)) {
    return Differ(replies->redis, replies->starling);
  }
  const bool rounded = comparison == Comparison::kFloat || comparison == Comparison::kScore;
  if (rounded && replies->redis.text != replies->starling.text) {
    if (Status adopted = AdoptNumber(words, replies->starling.text); !adopted) {
      return adopted.error();
    }
  }
  return std::optional<Divergence>();
}

void Duel::NoteTransaction(const Words& words, const RespReply& redis) {
  const auto is = [&](const char* name) { return ::strcasecmp(words[0].c_str(), name) == 0; };
  if (is("multi") && !redis.is_error()) pair_->queues = true;
  const bool over = is("exec") || is("reset") || (is("discard") && !redis.is_error());
  if (over) pair_->queues = false;
  if (over) pair_->queued.clear();
  if (pair_->queues && redis.text == "QUEUED") pair_->queued.push_back(words);
}

Duel::Outcome Duel::RunQueued(const Words& words) {
  const bool exec = ::strcasecmp(words[0].c_str(), "exec") == 0;
  Result<Replies> replies = Both(words);
  if (!replies) return replies.error();
  const std::vector<Words> queued = pair_->queued;
  last_was_error_ = replies->redis.is_error();
  NoteTransaction(words, replies->redis);
  const RespReply& redis = replies->redis;
  const RespReply& starling = replies->starling;
  const bool ran = exec && redis.is_aggregate() && !redis.null;
  if (!ran || redis.elements.size() != queued.size() || starling.elements.size() != queued.size()) {
    return redis == starling ? std::nullopt : Differ(redis, starling);
  }
  for (size_t i = 0; i < queued.size(); ++i) {
    const Comparison comparison = ComparisonFor(queued[i][0]);
    if (!Agree(comparison, redis.elements[i], starling.elements[i])) {
      return Differ(redis, starling);
    }
  }
  return std::optional<Divergence>();
}

Duel::Outcome Duel::RunScan(const Words& words, const Replies& first) {
  if (!IsScanStep(first.starling)) return Differ(first.redis, first.starling);
  Result<std::vector<std::string>> redis = FullScan(pair_->redis, words);
  if (!redis) return redis.error();
  Result<std::vector<std::string>> starling = FullScan(pair_->starling, words);
  if (!starling) return starling.error();
  if (*redis == *starling) return std::optional<Divergence>();
  Divergence divergence;
  for (const std::string& name : *redis) divergence.expected += " " + Quoted(name);
  for (const std::string& name : *starling) divergence.actual += " " + Quoted(name);
  return std::optional<Divergence>(divergence);
}

Result<std::vector<std::string>> Duel::FullScan(RespClient& client, Words words) {
  constexpr int kMaxSteps = 10000;
  // SCAN cursor ..., SSCAN key cursor ...
  const bool keys = words[0].size() == 4;
  const bool pairs = !keys && ::strcasecmp(words[0].c_str(), "sscan") != 0;
  std::string& cursor = words[keys ? 1 : 2];
  cursor = "0";
  std::set<std::string> found;
  for (int i = 0; i < kMaxSteps; ++i) {
    Result<RespReply> reply = client.Call(words);
    if (!reply) return reply.error();
    if (!IsScanStep(*reply)) return Error{Code::kCorruption, "not a scan: " + reply->ToString()};
    if (pairs) ForgetNegativeZero(*reply);
    for (std::string& text : Joined(Flattened(reply->elements[1]), pairs)) {
      found.insert(std::move(text));
    }
    cursor = reply->elements[0].text;
    if (cursor == "0") return std::vector<std::string>(found.begin(), found.end());
  }
  return Error{Code::kLimitExceeded, "a scan that does not end"};
}

Duel::Outcome Duel::RunDraw(const Words& words, bool pop) {
  const Drawable& drawable = DrawableOf(words[0]);
  Words list = drawable.list;
  list.insert(list.begin() + 1, words[1]);
  Result<Replies> before = Both(list);
  if (!before) return before.error();
  Result<Replies> replies = Both(words);
  if (!replies) return replies.error();
  const RespReply& redis = replies->redis;
  const RespReply& starling = replies->starling;
  last_was_error_ = redis.is_error();
  if (redis.is_error() || redis.null) {
    return redis == starling ? std::nullopt : Differ(redis, starling);
  }
  const bool repeats = !pop && words.size() > 2 && words[2].starts_with("-");
  const bool with_payload = drawable.pairs && words.size() == 4;
  Words elements = Flattened(before->starling);
  elements =
      drawable.pairs && !with_payload ? EverySecond(elements) : Joined(elements, with_payload);
  if (ShapeOf(redis) != ShapeOf(starling) ||
      !AreAmong(Joined(Flattened(starling), with_payload), elements, !repeats)) {
    return Differ(redis, starling);
  }
  if (pop) {
    if (Status adopted = AdoptPop(words[1], redis, starling); !adopted) return adopted.error();
  }
  return std::optional<Divergence>();
}

Status Duel::AdoptPop(const std::string& key, const RespReply& redis, const RespReply& starling) {
  std::vector<std::string> by_redis = Flattened(redis);
  std::vector<std::string> by_starling = Flattened(starling);
  Result<Replies> left = Both({"SCARD", key});
  if (!left) return left.error();
  // Both emptied the set, or nothing was asked for: there is no difference.
  if (left->redis.text == "0" || by_redis.empty()) return {};
  Words add = {"SADD", key};
  add.insert(add.end(), by_redis.begin(), by_redis.end());
  add.insert(add.end(), by_starling.begin(), by_starling.end());
  Words remove = {"SREM", key};
  remove.insert(remove.end(), by_starling.begin(), by_starling.end());
  for (const Words& words : {add, remove}) {
    if (Result<Replies> done = Both(words); !done) return done.error();
  }
  return {};
}

Duel::Outcome Duel::RunDump(const Words& words) {
  const std::string copy = "dumped";
  Result<Replies> replies = Both(words);
  if (!replies) return replies.error();
  const auto& [redis, starling] = *replies;
  last_was_error_ = redis.is_error();
  if (redis.is_error() || redis.null || starling.type != '$' || starling.null) {
    return redis == starling ? std::nullopt : Differ(redis, starling);
  }
  // Each takes what the other gave; then both hold the same.
  Result<RespReply> by_redis = pair_->redis.Call({"RESTORE", copy, "0", starling.text, "REPLACE"});
  if (!by_redis) return by_redis.error();
  Result<RespReply> by_starling =
      pair_->starling.Call({"RESTORE", copy, "0", redis.text, "REPLACE"});
  if (!by_starling) return by_starling.error();
  if (by_redis->text != "OK" || by_starling->text != "OK") return Differ(*by_redis, *by_starling);
  // Fresh from its bytes, a value has the encoding that its content asks for.
  Result<Replies> encodings = Both({"OBJECT", "ENCODING", copy});
  if (!encodings) return encodings.error();
  if (encodings->redis != encodings->starling) {
    return Differ(encodings->redis, encodings->starling);
  }
  Words reads[] = {{"TYPE", copy},
                   {"GET", copy},
                   {"HGETALL", copy},
                   {"SMEMBERS", copy},
                   {"LRANGE", copy, "0", "-1"},
                   {"ZRANGE", copy, "0", "-1", "WITHSCORES"},
                   {"DEL", copy}};
  for (const Words& read : reads) {
    Result<Replies> held = Both(read);
    if (!held) return held.error();
    if (!Agree(ComparisonFor(read[0]), held->redis, held->starling)) {
      return Differ(held->redis, held->starling);
    }
  }
  return std::optional<Divergence>();
}

Duel::Outcome Duel::RunRandomKey(const Words& words) {
  if (Status settled = Settle(); !settled) return settled.error();
  Result<Replies> replies = Both(words);
  if (!replies) return replies.error();
  const RespReply& redis = replies->redis;
  const RespReply& starling = replies->starling;
  if (redis.is_error() || redis.null || starling.type != '$') {
    return redis == starling ? std::nullopt : Differ(redis, starling);
  }
  Result<RespReply> exists = pair_->redis.Call({"EXISTS", starling.text});
  if (!exists) return exists.error();
  return exists->text == "1" ? std::nullopt : Differ(redis, starling);
}

Status Duel::Settle() {
  Words words = {"EXISTS"};
  words.insert(words.end(), keys_.begin(), keys_.end());
  Result<Replies> replies = Both(words);
  return replies ? Status() : Status(replies.error());
}

Status Duel::AdoptNumber(const Words& words, const std::string& text) {
  Words adopt = {"SET", words[1], text, "KEEPTTL"};
  if (::strcasecmp(words[0].c_str(), "hincrbyfloat") == 0) {
    adopt = {"HSET", words[1], words[2], text};
  } else if (::strcasecmp(words[0].c_str(), "incrbyfloat") != 0) {
    adopt = {"ZADD", words[1], text, words.back()};
  }
  Result<Replies> replies = Both(adopt);
  return replies ? Status() : Status(replies.error());
}

}  // namespace starling
