/// A hash index of handles that grows one bucket at a time and can be scanned across growth.
///
/// Linear hashing (Litwin, 1980): a bucket is one cache line of twelve handles with a tag byte
/// each; every insertion beyond the load factor splits one bucket, so there is never a pause to
/// rehash and memory stays proportional. A bucket holds a contiguous range of the bit-reversed
/// hash, and splitting halves that range, so a scan in bit-reversed order has Redis's SCAN
/// guarantee: what is present throughout is visited at least once, however the table grows or
/// shrinks meanwhile.
///
/// The table stores no hashes: `HashOf(handle)` gives a handle's hash when a bucket splits. Not
/// thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "storage/check.h"
#include "storage/slab.h"

namespace starling {

class HandleTable {
 public:
  HandleTable() { AddSegment(); }
  ~HandleTable() { FreeSegments(); }
  HandleTable(const HandleTable&) = delete;
  HandleTable& operator=(const HandleTable&) = delete;

  size_t size() const { return size_; }
  size_t memory_bytes() const { return memory_bytes_; }

  /// The handle for which `equal(handle)` holds among those of `hash`, or 0.
  template <typename Equal>
  Handle Find(uint64_t hash, Equal&& equal) const {
    for (const Bucket* bucket = &BucketAt(IndexOf(hash));;) {
      for (uint32_t match = Match(*bucket, Tag(hash)); match != 0; match &= match - 1) {
        const Handle handle = bucket->handles[std::countr_zero(match)];
        if (equal(handle)) return handle;
      }
      if (bucket->overflow == 0) return 0;
      bucket = &overflow_[bucket->overflow - 1];
    }
  }

  /// Adds a handle that is not in the table.
  template <typename HashOf>
  void Insert(uint64_t hash, Handle handle, HashOf&& hash_of) {
    Place(IndexOf(hash), Tag(hash), handle);
    if (++size_ > bucket_count_ * kTargetFill) Split(hash_of);
  }

  /// Replaces `from`, which must be present under `hash`.
  void Replace(uint64_t hash, Handle from, Handle to) { *Slot(hash, from) = to; }

  /// Removes a handle that must be present under `hash`.
  template <typename HashOf>
  void Erase(uint64_t hash, Handle handle, HashOf&& hash_of) {
    *Slot(hash, handle) = 0;
    --size_;
    if (bucket_count_ > kFirstSegment && size_ < bucket_count_ * kShrinkFill) Unsplit(hash_of);
  }

  /// Calls `visit(handle)` for every handle that could have the low half `low` of a hash.
  template <typename Visit>
  void ForEachCandidate(uint32_t low, Visit&& visit) const {
    VisitBucket(IndexOf(low), visit);
  }

  /// Safe without the lock that guards the table: a bucket that has just moved is only not fetched.
  void Prefetch(uint64_t hash) const {
    const size_t index = IndexOf(hash);
    const Bucket* const segment = segments_[SegmentOf(index)];
    if (segment != nullptr) __builtin_prefetch(segment + (index - FirstOf(SegmentOf(index))));
  }

  /// Calls `visit(handle)` for one bucket of the scan; returns where to go on, 0 at the end.
  /// `cursor` is below 2^32. The visitor must not change the table.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, Visit&& visit) const {
    const uint32_t position = static_cast<uint32_t>(cursor);
    const size_t index = IndexOf(Reverse(position));
    VisitBucket(index, visit);
    const int bits = level_ + (IsSplit(index) ? 1 : 0);
    const uint64_t range = uint64_t{1} << (32 - bits);
    const uint64_t next = (position & ~(range - 1)) + range;
    return next >> 32 != 0 ? 0 : next;
  }

  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (size_t index = 0; index < bucket_count_; ++index) VisitBucket(index, visit);
  }

  /// Handles of a bucket drawn uniformly, appended to `out`.
  template <typename Random>
  void RandomBucket(Random&& random, std::vector<Handle>& out) const {
    VisitBucket(random() % bucket_count_, [&](Handle handle) { out.push_back(handle); });
  }

  void Clear() {
    FreeSegments();
    overflow_.clear();
    free_overflow_ = 0;
    size_ = memory_bytes_ = 0;
    bucket_count_ = 0;
    level_ = kFirstLevel;
    AddSegment();
  }

 private:
  static constexpr int kSlots = 12;
  static constexpr size_t kTargetFill = 8;
  static constexpr size_t kShrinkFill = 3;
  static constexpr int kFirstLevel = 3;
  static constexpr size_t kFirstSegment = size_t{1} << kFirstLevel;

  struct alignas(64) Bucket {
    uint8_t tags[kSlots];
    uint32_t overflow;  // index + 1 into overflow_
    Handle handles[kSlots];
  };
  /// Read by Prefetch while another thread writes it; costs what a plain T does.
  template <typename T>
  class Relaxed {
   public:
    Relaxed() = default;
    Relaxed(T value) : value_(value) {}  // NOLINT: stands for a T
    Relaxed& operator=(T value) {
      value_.store(value, std::memory_order_relaxed);
      return *this;
    }
    operator T() const { return value_.load(std::memory_order_relaxed); }  // NOLINT

   private:
    std::atomic<T> value_{};
  };

  static uint8_t Tag(uint64_t hash) { return static_cast<uint8_t>(hash >> 56); }

  static uint32_t Reverse(uint32_t bits) {
    bits = (bits >> 1 & 0x55555555) | (bits & 0x55555555) << 1;
    bits = (bits >> 2 & 0x33333333) | (bits & 0x33333333) << 2;
    bits = (bits >> 4 & 0x0F0F0F0F) | (bits & 0x0F0F0F0F) << 4;
    return __builtin_bswap32(bits);
  }

  /// Bits set for slots that are taken and carry `tag`.
  static uint32_t Match(const Bucket& bucket, uint8_t tag) {
#if defined(__SSE2__)
    const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(bucket.tags));
    const __m128i equal = _mm_cmpeq_epi8(tags, _mm_set1_epi8(static_cast<char>(tag)));
    uint32_t match = static_cast<uint32_t>(_mm_movemask_epi8(equal)) & ((1u << kSlots) - 1);
#else
    uint32_t match = 0;
    for (int i = 0; i < kSlots; ++i) match |= uint32_t{bucket.tags[i] == tag} << i;
#endif
    for (uint32_t rest = match; rest != 0; rest &= rest - 1) {
      const int i = std::countr_zero(rest);
      if (bucket.handles[i] == 0) match &= ~(1u << i);
    }
    return match;
  }

  size_t IndexOf(uint64_t hash) const {
    const size_t low = static_cast<uint32_t>(hash);
    const size_t wide = low & ((size_t{2} << level_) - 1);
    return wide < bucket_count_ ? wide : low & ((size_t{1} << level_) - 1);
  }

  bool IsSplit(size_t index) const {
    const size_t half = size_t{1} << level_;
    return (index & (half - 1)) + half < bucket_count_;
  }

  // Segment 0 holds the first buckets, segment s as many again as all before it.
  static int SegmentOf(size_t index) { return std::bit_width(index >> kFirstLevel); }
  static size_t FirstOf(int segment) { return segment == 0 ? 0 : kFirstSegment << (segment - 1); }
  Bucket& BucketAt(size_t index) const {
    const int segment = SegmentOf(index);
    return segments_[segment][index - FirstOf(segment)];
  }

  void AddSegment() {
    STARLING_CHECK(segment_count_ < kMaxSegments);
    const size_t count = segment_count_ == 0 ? kFirstSegment : FirstOf(segment_count_);
    // Large zeroed blocks come untouched from the system: they take memory only as they fill.
    void* memory = std::aligned_alloc(alignof(Bucket), count * sizeof(Bucket));
    if (memory == nullptr) throw std::bad_alloc();
    if (segment_count_ == 0) std::memset(memory, 0, count * sizeof(Bucket));
    segments_[segment_count_++] = static_cast<Bucket*>(memory);
    if (bucket_count_ == 0) {
      bucket_count_ = kFirstSegment;
      memory_bytes_ = bucket_count_ * sizeof(Bucket);
    }
  }

  void FreeSegment() {
    Bucket* const freed = segments_[--segment_count_];
    segments_[segment_count_] = nullptr;
    std::free(freed);
  }
  void FreeSegments() {
    while (segment_count_ > 0) FreeSegment();
  }

  template <typename Visit>
  void VisitBucket(size_t index, Visit&& visit) const {
    for (const Bucket* bucket = &BucketAt(index);;) {
      for (Handle handle : bucket->handles) {
        if (handle != 0) visit(handle);
      }
      if (bucket->overflow == 0) return;
      bucket = &overflow_[bucket->overflow - 1];
    }
  }

  Handle* Slot(uint64_t hash, Handle handle) {
    for (Bucket* bucket = &BucketAt(IndexOf(hash));;) {
      for (Handle& slot : bucket->handles) {
        if (slot == handle) return &slot;
      }
      STARLING_CHECK(bucket->overflow != 0);
      bucket = &overflow_[bucket->overflow - 1];
    }
  }

  void Place(size_t index, uint8_t tag, Handle handle) {
    for (Bucket* bucket = &BucketAt(index);;) {
      for (int i = 0; i < kSlots; ++i) {
        if (bucket->handles[i] != 0) continue;
        bucket->handles[i] = handle;
        bucket->tags[i] = tag;
        return;
      }
      if (bucket->overflow == 0) {
        const uint32_t added = NewOverflow();  // may move overflow_: find the bucket again
        Bucket* last = &BucketAt(index);
        while (last->overflow != 0) last = &overflow_[last->overflow - 1];
        last->overflow = added;
        bucket = last;
      }
      bucket = &overflow_[bucket->overflow - 1];
    }
  }

  uint32_t NewOverflow() {
    if (free_overflow_ != 0) {
      const uint32_t taken = free_overflow_;
      free_overflow_ = overflow_[taken - 1].overflow;
      overflow_[taken - 1] = {};
      return taken;
    }
    overflow_.push_back({});
    memory_bytes_ += sizeof(Bucket);
    return static_cast<uint32_t>(overflow_.size());
  }

  /// Empties a bucket and its overflow; the handles go to `out`.
  void Drain(size_t index, std::vector<Handle>& out) {
    VisitBucket(index, [&](Handle handle) { out.push_back(handle); });
    Bucket& bucket = BucketAt(index);
    uint32_t overflow = bucket.overflow;
    bucket = {};
    while (overflow != 0) {
      const uint32_t next = overflow_[overflow - 1].overflow;
      overflow_[overflow - 1].overflow = free_overflow_;
      free_overflow_ = overflow;
      overflow = next;
    }
  }

  template <typename HashOf>
  void Split(HashOf&& hash_of) {
    const size_t added = bucket_count_;
    if (SegmentOf(added) >= segment_count_) AddSegment();
    BucketAt(added) = {};
    moving_.clear();
    Drain(added - (size_t{1} << level_), moving_);
    bucket_count_ = added + 1;
    memory_bytes_ += sizeof(Bucket);
    if (bucket_count_ == size_t{2} << level_) level_ = level_ + 1;
    PlaceAll(hash_of);
  }

  template <typename HashOf>
  void Unsplit(HashOf&& hash_of) {
    const size_t last = bucket_count_ - 1;
    moving_.clear();
    Drain(last, moving_);
    if (bucket_count_ == size_t{1} << level_) level_ = level_ - 1;
    bucket_count_ = last;
    memory_bytes_ -= sizeof(Bucket);
    const int needed = SegmentOf(last - 1) + 1;
    if (segment_count_ > needed + 1) FreeSegment();  // one is kept, against going to and fro
    PlaceAll(hash_of);
  }

  template <typename HashOf>
  void PlaceAll(HashOf&& hash_of) {
    for (Handle handle : moving_) {
      const uint64_t hash = hash_of(handle);
      Place(IndexOf(hash), Tag(hash), handle);
    }
  }

  static constexpr int kMaxSegments = 30;  // handles have 32 bits

  std::array<Relaxed<Bucket*>, kMaxSegments> segments_{};
  int segment_count_ = 0;
  std::vector<Bucket> overflow_;
  std::vector<Handle> moving_;
  uint32_t free_overflow_ = 0;
  size_t size_ = 0;
  Relaxed<size_t> bucket_count_ = 0;
  size_t memory_bytes_ = 0;
  Relaxed<int> level_ = kFirstLevel;
};

}  // namespace starling
