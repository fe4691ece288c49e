#include "starling/kv.h"

#include <vector>

#include "node/local_keys.h"
#include "node/node_core.h"
#include "node/ordering/ordered_keys.h"

namespace starling {
namespace {

constexpr size_t kScanStep = 256;

}  // namespace

template <typename Call>
auto Kv::Run(Call&& call) const {
  if (options_.level == Level::kLocal) return call(LocalKeys(*core_));
  return call(OrderedKeys(*core_, options_));
}

Result<bool> Kv::Get(std::string_view key, std::string& value) const {
  return Run([&](auto keys) { return keys.Get(key, value); });
}

Result<std::optional<std::string>> Kv::Get(std::string_view key) const {
  std::optional<std::string> value(std::in_place);
  const Result<bool> found = Get(key, *value);
  if (!found) return found.error();
  if (!*found) value.reset();
  return value;
}

Status Kv::Set(std::string_view key, std::string_view value) {
  return Run([&](auto keys) { return keys.Set(key, value, std::nullopt); });
}

Status Kv::Set(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) {
  return Run([&](auto keys) { return keys.Set(key, value, ttl); });
}

Result<bool> Kv::Delete(std::string_view key) {
  return Run([&](auto keys) { return keys.Delete(key); });
}

Result<bool> Kv::Expire(std::string_view key, std::chrono::milliseconds ttl) {
  return Run([&](auto keys) { return keys.Expire(key, ttl); });
}

Result<bool> Kv::Persist(std::string_view key) {
  return Run([&](auto keys) { return keys.Persist(key); });
}

Result<TimeToLive> Kv::Ttl(std::string_view key) const {
  return Run([&](auto keys) { return keys.Ttl(key); });
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
