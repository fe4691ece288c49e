/// Finds keys whose deadline has passed without scanning: a hierarchical timing wheel.
///
/// Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987 (scheme 7). It holds
/// four bytes a key, the low half of the key's hash, so a moved entry needs no update: whoever is
/// woken looks the key up. An entry remembers its place in the wheel, which says when it will be
/// looked at; a wake-up at another tick is stale and ignored, so refreshing a deadline costs
/// nothing here. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace starling {

/// A slot of the wheel; 0 is none.
using WheelPlace = uint16_t;

class ExpiryIndex {
 public:
  /// `start_millis`: the hybrid clock now; deadlines before it are due at once.
  explicit ExpiryIndex(int64_t start_millis) : start_millis_(start_millis) {}

  /// The tick at which a deadline would be looked at if it were added now; at least 1.
  uint32_t TickFor(int64_t deadline_millis) const {
    const Place place = PlaceOf(deadline_millis);
    return static_cast<uint32_t>(place.position << (kSlotBits * place.level));
  }

  /// Adds a key; returns where.
  WheelPlace Add(int64_t deadline_millis, uint32_t hash) {
    const Place place = PlaceOf(deadline_millis);
    const auto slot = static_cast<size_t>(place.position & (kSlots - 1));
    levels_[place.level][slot].push_back(hash);
    ++held_[place.level];
    return static_cast<WheelPlace>(1 + place.level * kSlots + static_cast<int64_t>(slot));
  }

  /// The tick at which what was added at `place`, and not woken since, is looked at: the next time
  /// that the wheel comes there, the tick that is being worked on included.
  uint32_t TickOf(WheelPlace place) const {
    const int shift = kSlotBits * static_cast<int>((place - 1) / kSlots);
    const int64_t next = (tick_ + (int64_t{1} << shift) - 1) >> shift;
    const int64_t position = next + (((place - 1) - next) & (kSlots - 1));
    return static_cast<uint32_t>(position << shift);
  }

  /// Moves to `now_millis`, calling `wake(hash, tick)` for what is found on the way, at most
  /// `limit` times. Returns the number of calls; fewer than `limit` means that it has caught up.
  /// `wake` may Add.
  template <typename Wake>
  size_t Advance(int64_t now_millis, size_t limit, Wake&& wake) {
    const int64_t target = (now_millis - start_millis_) / kTickMillis;
    for (size_t woken = 0;; ++woken) {
      while (due_.empty()) {
        if (tick_ >= target) return woken;
        Step(target);
      }
      if (woken == limit) return woken;
      const uint32_t hash = due_.back();
      due_.pop_back();
      wake(hash, static_cast<uint32_t>(tick_));
    }
  }

  size_t memory_bytes() const {
    size_t bytes = sizeof *this + due_.capacity() * sizeof(uint32_t);
    for (const auto& level : levels_) {
      for (const auto& slot : level) bytes += slot.capacity() * sizeof(uint32_t);
    }
    return bytes;
  }

 private:
  static constexpr int64_t kTickMillis = 64;
  static constexpr int kLevels = 6;  // 64 ms * 64^6: far beyond a process's life
  static constexpr int kSlotBits = 6;
  static constexpr int64_t kSlots = 1 << kSlotBits;
  static constexpr int64_t kMaxDelta = (int64_t{1} << (kSlotBits * (kLevels - 1))) - 1;

  struct Place {
    int level;
    int64_t position;  // in units of the level
  };

  Place PlaceOf(int64_t deadline_millis) const {
    // A deadline passes when its millisecond is over: look at the tick after it. Deadlines beyond
    // the wheel are looked at, and added again, when it has turned once.
    int64_t tick = (deadline_millis - start_millis_) / kTickMillis + 1;
    tick = std::clamp(tick, tick_ + 1, tick_ + kMaxDelta);
    int level = 0;
    while ((tick - tick_) >> (kSlotBits * (level + 1)) != 0) ++level;
    return {level, tick >> (kSlotBits * level)};
  }

  /// To the next tick at which anything can be due, at most `target`: a clock that leaps costs the
  /// laps that hold something, not every tick between.
  void Step(int64_t target) {
    int empty = 0;
    while (empty < kLevels && held_[empty] == 0) ++empty;
    const int shift = kSlotBits * empty;
    tick_ = empty == kLevels ? target : std::min(target, ((tick_ >> shift) + 1) << shift);
    for (int level = 0; level < kLevels; ++level) {
      const int64_t position = tick_ >> (kSlotBits * level);
      if (position << (kSlotBits * level) != tick_) break;
      std::vector<uint32_t>& slot = levels_[level][position & (kSlots - 1)];
      held_[level] -= slot.size();
      if (due_.empty()) {
        due_.swap(slot);
      } else {
        due_.insert(due_.end(), slot.begin(), slot.end());
      }
      slot = {};
    }
  }

  int64_t start_millis_;
  int64_t tick_ = 0;
  std::vector<uint32_t> due_;
  std::array<size_t, kLevels> held_{};
  std::array<std::array<std::vector<uint32_t>, kSlots>, kLevels> levels_;
};

}  // namespace starling
