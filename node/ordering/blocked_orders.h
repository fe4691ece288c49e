/// Orders that wait for something to take from their keys (BLPOP and its kin), first come, first
/// served at each key.
///
/// A key that somebody waits for is watched (storage/watch.h). When it has changed, those who wait
/// for it are tried in their order, until one who wants that type finds nothing: what comes later
/// would find nothing either. For one thread; `wake` is called by any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/blocking.h"
#include "storage/watch.h"

namespace starling {

class BlockedOrders final : private WatchListener {
 public:
  /// `wake`: a key has changed; called under a shard's lock, once until the next ServeTouched.
  BlockedOrders(Keyspace& keyspace, std::function<void()> wake)
      : keyspace_(keyspace), wake_(std::move(wake)) {}

  /// `until`: when its time is up; none: never. The caller tries once more after this: a key may
  /// have changed before it was watched.
  void Add(uint64_t order, uint8_t database, const BlockRequest& request,
           std::optional<std::chrono::nanoseconds> until);
  void Remove(uint64_t order);
  bool Contains(uint64_t order) const { return orders_.contains(order); }
  bool empty() const { return orders_.empty(); }

  /// Tries those whose keys have changed. `serve`: false where there was nothing for the order to
  /// take; true: it is done, and has been removed.
  void ServeTouched(const std::function<bool(uint64_t order)>& serve);
  /// Who has waited longest for the key to become of `type`; 0: nobody does.
  uint64_t FirstAt(uint8_t database, std::string_view key, KeyType type) const;
  /// Those whose time is up at `now`, first come first.
  std::vector<uint64_t> Expired(std::chrono::nanoseconds now) const;
  std::optional<std::chrono::nanoseconds> NextTimer() const;
  /// All of them, first come first.
  std::vector<uint64_t> All() const;

 private:
  using KeyName = std::pair<uint8_t, std::string>;
  struct KeyWait {
    explicit KeyWait(Keyspace& keyspace, WatchListener* listener) : watches(keyspace, listener) {}
    Watches watches;
    std::list<uint64_t> orders;  // first come first
  };
  struct Order {
    KeyType type = KeyType::kNone;
    std::vector<KeyName> keys;
    std::optional<std::chrono::nanoseconds> until;
  };

  void OnTouched() override { wake_(); }
  void Arm(const KeyName& name, KeyWait& wait);

  Keyspace& keyspace_;
  std::function<void()> wake_;
  std::map<uint64_t, Order> orders_;
  std::map<KeyName, KeyWait> keys_;
};

}  // namespace starling
