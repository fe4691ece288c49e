#include "node/ordering/blocked_orders.h"

#include <algorithm>
#include <set>

namespace starling {

void BlockedOrders::Arm(const KeyName& name, KeyWait& wait) {
  wait.watches.Clear();
  wait.watches.Add(keyspace_.Ref(name.first, name.second));
}

void BlockedOrders::Add(uint64_t order, uint8_t database, const BlockRequest& request,
                        std::optional<std::chrono::nanoseconds> until) {
  WatchListener* const listener = this;
  Order& added = orders_[order];
  added.type = request.type;
  added.until = until;
  for (const std::string& name : std::set<std::string>(request.keys.begin(), request.keys.end())) {
    const KeyName& key = added.keys.emplace_back(database, name);
    const auto [found, fresh] = keys_.try_emplace(key, keyspace_, listener);
    found->second.orders.push_back(order);
    if (fresh) Arm(key, found->second);
  }
}

void BlockedOrders::Remove(uint64_t order) {
  const auto found = orders_.find(order);
  if (found == orders_.end()) return;
  for (const KeyName& key : found->second.keys) {
    const auto wait = keys_.find(key);
    wait->second.orders.remove(order);
    if (wait->second.orders.empty()) keys_.erase(wait);
  }
  orders_.erase(found);
}

void BlockedOrders::ServeTouched(const std::function<bool(uint64_t order)>& serve) {
  std::vector<KeyName> touched;
  for (const auto& [key, wait] : keys_) {
    if (wait.watches.touched()) touched.push_back(key);
  }
  for (const KeyName& key : touched) {
    const auto wait = keys_.find(key);
    if (wait == keys_.end()) continue;  // all who waited for it were served by others
    Arm(key, wait->second);
    std::set<KeyType> exhausted;
    const std::vector<uint64_t> waiting(wait->second.orders.begin(), wait->second.orders.end());
    for (const uint64_t order : waiting) {
      const auto found = orders_.find(order);
      if (found == orders_.end() || exhausted.contains(found->second.type)) continue;
      const KeyType type = found->second.type;
      if (!serve(order)) exhausted.insert(type);
    }
  }
}

uint64_t BlockedOrders::FirstAt(uint8_t database, std::string_view key, KeyType type) const {
  const auto wait = keys_.find(KeyName(database, key));
  if (wait == keys_.end()) return 0;
  for (const uint64_t order : wait->second.orders) {
    if (orders_.at(order).type == type) return order;
  }
  return 0;
}

std::vector<uint64_t> BlockedOrders::Expired(std::chrono::nanoseconds now) const {
  std::vector<uint64_t> expired;
  for (const auto& [order, waiting] : orders_) {
    if (waiting.until && *waiting.until <= now) expired.push_back(order);
  }
  return expired;
}

std::optional<std::chrono::nanoseconds> BlockedOrders::NextTimer() const {
  std::optional<std::chrono::nanoseconds> next;
  for (const auto& [order, waiting] : orders_) {
    if (waiting.until && (!next || *waiting.until < *next)) next = waiting.until;
  }
  return next;
}

std::vector<uint64_t> BlockedOrders::All() const {
  std::vector<uint64_t> all;
  for (const auto& [order, waiting] : orders_) all.push_back(order);
  return all;
}

}  // namespace starling
