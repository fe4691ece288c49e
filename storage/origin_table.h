/// Small numbers for origins, so that an entry holds two bytes instead of sixteen.
///
/// Thread-safe: reading takes no lock. Numbers are never reused while the process lives; whoever
/// takes origins from outside asks HasRoomFor first.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "storage/version_vector.h"

namespace starling {

class OriginTable {
 public:
  /// At most this many origins in one process's life; a further one ends the process.
  static constexpr size_t kMaxOrigins = 60000;
  /// Of them, those that are left to this node's own incarnations and folder.
  static constexpr size_t kReserved = 1000;

  /// The number of `origin`, drawn at its first use.
  OriginIndex IndexOf(const Origin& origin);
  const Origin& At(OriginIndex index) const {
    return blocks_[index >> 8].load()->origins[index & 255];
  }
  /// Whether `count` origins from outside can still be given numbers.
  bool HasRoomFor(size_t count) const {
    return size_.load(std::memory_order_relaxed) + count <= kMaxOrigins - kReserved;
  }
  /// Orders two numbers as their origins.
  bool Less(OriginIndex a, OriginIndex b) const { return At(a) < At(b); }

  /// From now on, slots of origins that `over` has as over (version_vector.h) may be folded into
  /// one (register.h): all members hold all of them, and no reset that is not known here can come
  /// between them. Replaces what was said before; empty: none may.
  void AllowFolding(const VersionVector& over);
  bool MayFold(OriginIndex index) const {
    return blocks_[index >> 8].load()->over[index & 255].load(std::memory_order_relaxed);
  }
  /// How often what may be folded has changed.
  uint64_t foldings() const { return foldings_.load(std::memory_order_acquire); }

  ~OriginTable();

 private:
  struct Block {
    std::array<Origin, 256> origins;
    std::array<std::atomic<bool>, 256> over{};
  };

  struct Hash {
    size_t operator()(const Origin& origin) const {
      return origin.node.value ^ (origin.incarnation * 0x9E3779B97F4A7C15ull);
    }
  };

  std::array<std::atomic<Block*>, kMaxOrigins / 256 + 1> blocks_{};
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> foldings_{0};
  VersionVector over_;  // guarded by mutex_
  std::mutex mutex_;
  std::unordered_map<Origin, OriginIndex, Hash> numbers_;
};

}  // namespace starling
