#include "node/local_keys.h"

#include <algorithm>

#include "node/time_to_live.h"
#include "storage/records.h"

namespace starling {
namespace {

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

Result<bool> LocalKeys::Get(std::string_view key, std::string& value) {
  Operation operation(core_, key, Kind::kRead);
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

Status LocalKeys::Set(std::string_view key, std::string_view value,
                      std::optional<std::chrono::milliseconds> ttl) {
  Operation operation(core_, key, Kind::kWrite);
  if (!operation) return operation.error(key);
  if (value.size() > kMaxTextBytes) return TooLong("the value");
  if (ttl) {
    if (const Status checked = CheckTimeToLive(*ttl); !checked) return checked;
  }
  {
    Access access = operation.Lock();
    if (const auto claimed = operation.Claimed(access)) return *claimed;
    access.SetString(operation.key(), value);
    if (ttl) {
      access.SetDeadline(operation.key(), operation.keyspace().NowMillis() + ttl->count());
    }
  }
  operation.Written(value.size());
  return {};
}

Result<bool> LocalKeys::Delete(std::string_view key) {
  Operation operation(core_, key, Kind::kWrite);
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

Result<bool> LocalKeys::Expire(std::string_view key, std::chrono::milliseconds ttl) {
  Operation operation(core_, key, Kind::kWrite);
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

Result<bool> LocalKeys::Persist(std::string_view key) {
  Operation operation(core_, key, Kind::kWrite);
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

Result<TimeToLive> LocalKeys::Ttl(std::string_view key) {
  Operation operation(core_, key, Kind::kRead);
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

}  // namespace starling
