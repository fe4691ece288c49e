#include "starling/kv.h"

#include <vector>

#include "node/node_core.h"
#include "node/ordering/ordered_keys.h"
#include "node/time_to_live.h"
#include "storage/records.h"

namespace starling {
namespace {

constexpr size_t kScanStep = 256;

Error TooLong(const char* what) {
  return Error{Code::kInvalidArgument, std::string(what) + " is longer than 512 MB"};
}

enum class Kind { kRead, kWrite };

/// One call: inside the gate, with the key's reference, its counter's pending sum collected.
class Operation {
 public:
  Operation(NodeCore& core, std::string_view key, Kind kind) : core_(core), pass_(core.gate) {
    if (!pass_ || key.size() > kMaxTextBytes) return;
    if (kind == Kind::kWrite && core.runtime->store().journal().read_only()) return;
    ready_ = true;
    key_ = core.keyspace().Ref(core.database, key);
    core.counters.CollectKey(key_);
  }

  explicit operator bool() const { return ready_; }
  /// Why it is not ready.
  Error error(std::string_view key) const {
    if (!pass_) return NodeCore::Closed();
    if (key.size() > kMaxTextBytes) return TooLong("the key");
    return NodeCore::ReadOnly();
  }

  const KeyRef& key() const { return key_; }
  Keyspace& keyspace() { return core_.keyspace(); }
  Access Lock() { return core_.keyspace().Lock(key_); }
  /// Why the key is not written to here: a claim changes at the leaseholder only.
  std::optional<Error> Claimed(Access& access) {
    if (!access.HasLiveClaim(key_) && !keyspace().records().IsReserved(key_)) return std::nullopt;
    return Error{Code::kRefused,
                 "the key is held by a claim, which changes at the leaseholder only"};
  }
  void Written(size_t bytes = 0) { core_.runtime->FlushSoon(bytes); }

 private:
  NodeCore& core_;
  OperationGate::Pass pass_;
  bool ready_ = false;
  KeyRef key_;
};

}  // namespace

Result<bool> Kv::Get(std::string_view key, std::string& value) const {
  if (options_.level != Level::kLocal) {
    Result<std::optional<std::string>> found = OrderedKeys(*core_, options_).Get(key);
    if (!found) return found.error();
    value = found->has_value() ? std::move(**found) : std::string();
    return found->has_value();
  }
  Operation operation(*core_, key, Kind::kRead);
  if (!operation) return operation.error(key);
  Access access = operation.Lock();
  const std::optional<KeyView> view = access.Find(operation.key());
  if (!view) {
    value.clear();
    return false;
  }
  if (view->type != KeyType::kString) {
    return Error{Code::kWrongType, "the key holds a value that is no string"};
  }
  if (view->value.kind == Value::Kind::kBytes) {
    value.assign(view->value.bytes);
  } else {
    std::string buffer;
    value.assign(view->Text(buffer));
  }
  return true;
}

Result<std::optional<std::string>> Kv::Get(std::string_view key) const {
  std::optional<std::string> value(std::in_place);
  const Result<bool> found = Get(key, *value);
  if (!found) return found.error();
  if (!*found) value.reset();
  return value;
}

Status Kv::Set(std::string_view key, std::string_view value) {
  if (options_.level != Level::kLocal) {
    return OrderedKeys(*core_, options_).Set(key, value, std::nullopt);
  }
  Operation operation(*core_, key, Kind::kWrite);
  if (!operation) return operation.error(key);
  if (value.size() > kMaxTextBytes) return TooLong("the value");
  {
    Access access = operation.Lock();
    if (const auto claimed = operation.Claimed(access)) return *claimed;
    access.SetString(operation.key(), value);
  }
  operation.Written(value.size());
  return {};
}

Status Kv::Set(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) {
  if (options_.level != Level::kLocal) return OrderedKeys(*core_, options_).Set(key, value, ttl);
  Operation operation(*core_, key, Kind::kWrite);
  if (!operation) return operation.error(key);
  if (value.size() > kMaxTextBytes) return TooLong("the value");
  if (const Status checked = CheckTimeToLive(ttl); !checked) return checked;
  {
    Access access = operation.Lock();
    if (const auto claimed = operation.Claimed(access)) return *claimed;
    access.SetString(operation.key(), value);
    access.SetDeadline(operation.key(), operation.keyspace().NowMillis() + ttl.count());
  }
  operation.Written(value.size());
  return {};
}

Result<bool> Kv::Delete(std::string_view key) {
  if (options_.level != Level::kLocal) return OrderedKeys(*core_, options_).Delete(key);
  Operation operation(*core_, key, Kind::kWrite);
  if (!operation) return operation.error(key);
  bool deleted = false;
  {
    Access access = operation.Lock();
    if (const auto claimed = operation.Claimed(access)) return *claimed;
    deleted = access.Delete(operation.key());
  }
  operation.Written();
  return deleted;
}

Result<bool> Kv::Expire(std::string_view key, std::chrono::milliseconds ttl) {
  if (options_.level != Level::kLocal) return OrderedKeys(*core_, options_).Expire(key, ttl);
  Operation operation(*core_, key, Kind::kWrite);
  if (!operation) return operation.error(key);
  if (ttl > kLongestLife) {
    return Error{Code::kInvalidArgument, "a time to live is at most 1000 years"};
  }
  bool there = false;
  {
    Access access = operation.Lock();
    if (const auto claimed = operation.Claimed(access)) return *claimed;
    there = ttl.count() <= 0 ? access.Delete(operation.key())
                             : access.SetDeadline(operation.key(),
                                                  operation.keyspace().NowMillis() + ttl.count());
  }
  operation.Written();
  return there;
}

Result<bool> Kv::Persist(std::string_view key) {
  if (options_.level != Level::kLocal) return OrderedKeys(*core_, options_).Persist(key);
  Operation operation(*core_, key, Kind::kWrite);
  if (!operation) return operation.error(key);
  bool cleared = false;
  {
    Access access = operation.Lock();
    if (const auto claimed = operation.Claimed(access)) return *claimed;
    cleared = access.ClearDeadline(operation.key());
  }
  operation.Written();
  return cleared;
}

Result<TimeToLive> Kv::Ttl(std::string_view key) const {
  if (options_.level != Level::kLocal) {
    const Result<int64_t> left = OrderedKeys(*core_, options_).Ttl(key);
    if (!left) return left.error();
    TimeToLive ordered;
    ordered.exists = *left != -2;
    if (*left >= 0) ordered.remaining = std::chrono::milliseconds(*left);
    return ordered;
  }
  Operation operation(*core_, key, Kind::kRead);
  if (!operation) return operation.error(key);
  Access access = operation.Lock();
  const std::optional<KeyView> view = access.Find(operation.key(), false);
  TimeToLive life;
  life.exists = view.has_value();
  if (view && view->deadline_millis) {
    const int64_t left = *view->deadline_millis - operation.keyspace().NowMillis();
    life.remaining = std::chrono::milliseconds(std::max<int64_t>(0, left));
  }
  return life;
}

Status Kv::Scan(std::string_view prefix,
                const std::function<bool(std::string_view key)>& visit) const {
  std::vector<std::string> names;
  uint64_t cursor = 0;
  do {
    names.clear();
    {
      const OperationGate::Pass pass(core_->gate);
      if (!pass) return NodeCore::Closed();
      // Counters that have never been collected have no key yet.
      if (cursor == 0) core_->counters.CollectAll();
      cursor = core_->keyspace().Scan(core_->database, cursor, kScanStep,
                                      [&](std::string_view name, const KeyView&) {
                                        if (name.starts_with(prefix)) names.emplace_back(name);
                                      });
    }
    for (const std::string& name : names) {
      if (!visit(name)) return {};
    }
  } while (cursor != 0);
  return {};
}

}  // namespace starling
