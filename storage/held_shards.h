/// Shards that one thread holds for a transaction or script: what it does meanwhile, by however
/// many accesses, is atomic for all other threads and travels to the peers whole (I6).
///
/// While it lives, every `Access` and whole-database call of the same thread to these shards locks
/// nothing, and time stands still in them: a key that was alive when it began is alive until its
/// end, however long it takes (as in Redis, so that a script never finds half of its keys gone).
/// The thread must not meanwhile lock other shards, wait for another thread that may need these, or
/// commit the journal. Not movable: made where it is used.
#pragma once

#include <cstdint>
#include <span>

#include "storage/key_ref.h"

namespace starling {

class Keyspace;

class HeldShards {
 public:
  /// Waits for the shards of `keys`, in ascending order.
  HeldShards(Keyspace& keyspace, std::span<const KeyRef> keys);
  /// Waits for all shards. A thread that holds all of them already may do so again (a script within
  /// a transaction): the outer one then keeps them.
  explicit HeldShards(Keyspace& keyspace);
  ~HeldShards() { Release(); }
  HeldShards(const HeldShards&) = delete;
  HeldShards& operator=(const HeldShards&) = delete;

  /// Lets them go before the end of the scope. Idempotent.
  void Release();

 private:
  void Hold();

  Keyspace& keyspace_;
  uint64_t shard_mask_ = 0;  // bit i: this object holds shard i
};

}  // namespace starling
