/// WATCH: whether keys have changed since a client began to watch them.
///
/// A watched key stands in its shard's `WatchTable`; every merge into the shard, by a command, the
/// library or a peer, looks there. A keyspace that nobody watches pays one branch a merge.
///
/// No change is missed (DESIGN.md section 6). What counts as one although a client could not tell:
/// an item that a peer wrote earlier and that changes a part which is not shown, and a write to
/// another key with the same 64-bit hash.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage/key_ref.h"

namespace starling {

class Keyspace;
struct Item;

/// Who wants to know at once that a watched key has changed.
class WatchListener {
 public:
  virtual ~WatchListener() = default;
  /// Called by the thread that has changed the key, which holds its shard: must not lock one, nor
  /// block.
  virtual void OnTouched() = 0;
};

/// One key that one client watches.
struct Watch {
  bool seen = false;  ///< Whether the key was there when the watch began.
  std::atomic<bool>* touched = nullptr;
  WatchListener* listener = nullptr;

  void Touch() const {
    if (!touched->exchange(true, std::memory_order_relaxed) && listener) listener->OnTouched();
  }
};

/// The watches of one shard. Guarded by the shard's mutex.
class WatchTable {
 public:
  bool empty() const { return watches_.empty(); }
  void Add(uint64_t hash, uint8_t database, Watch& watch);
  void Remove(uint64_t hash, const Watch& watch);
  /// An item has changed the key with this hash.
  void Touch(uint64_t hash, const Item& item);
  /// The database is deleted.
  void TouchDatabase(uint8_t database);
  void TouchAll();

 private:
  struct Place {
    uint8_t database;
    Watch* watch;
  };
  std::unordered_multimap<uint64_t, Place> watches_;
};

/// What one client watches. Used by one thread at a time; `touched` by any. Calls lock the shards
/// of the keys, none of which the caller may hold otherwise than by HeldShards.
class Watches {
 public:
  /// `listener` is told once, when the first of the keys has changed; it outlives this object.
  explicit Watches(Keyspace& keyspace, WatchListener* listener = nullptr)
      : keyspace_(keyspace), listener_(listener) {}
  ~Watches() { Clear(); }
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  /// Begins to watch a key; nothing new where it is watched already.
  void Add(const KeyRef& key);
  /// Watches nothing any more.
  void Clear();

  bool empty() const { return watches_.empty(); }
  /// Memory that the watches take, in bytes.
  size_t bytes() const { return bytes_; }
  /// Whether a watched key is known to have changed.
  bool touched() const { return touched_.load(std::memory_order_relaxed); }
  /// Appends the watched keys; they borrow from this object.
  void AppendKeys(std::vector<KeyRef>& keys) const;
  /// Whether every watched key is as it was: not written to, nor expired since. The calling thread
  /// holds their shards, so the answer stays true as long as it does.
  bool Unchanged();

 private:
  Keyspace& keyspace_;
  WatchListener* listener_;
  std::map<std::pair<uint8_t, std::string>, Watch, std::less<>> watches_;
  size_t bytes_ = 0;
  std::atomic<bool> touched_{false};
};

}  // namespace starling
