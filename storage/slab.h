/// A slab allocator with 32-bit handles: memory of one shard's entries and elements.
///
/// Cells of one size class (8-byte steps) share 64 KiB chunks; a chunk whose cells are all free
/// goes back to the system. Larger cells come from the heap behind the same handles. Handles are
/// half as wide as pointers, which is what the indexes hold. Source: Bonwick, "The Slab Allocator",
/// 1994. Not thread-safe: the shard's mutex guards it. Cells never move.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace starling {

/// Names a cell; 0 is none.
using Handle = uint32_t;

class Slab {
 public:
  Slab() = default;
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  /// A cell of at least `size` bytes, size >= 1; uninitialised.
  Handle Allocate(size_t size);
  void Free(Handle handle);
  /// The cell's memory; aligned to 8.
  uint8_t* At(Handle handle) const {
    if (handle & kLargeBit) return large_[handle & ~kLargeBit].bytes.get();
    return chunks_[handle >> kUnitBits]->cells + size_t{handle & kUnitMask} * kUnit;
  }
  /// Usable bytes of the cell.
  size_t SizeOf(Handle handle) const;
  /// Bytes taken from the system.
  size_t bytes() const { return bytes_; }
  /// Usable bytes a cell of `size` gets.
  static size_t RoundUp(size_t size);

 private:
  static constexpr size_t kUnit = 8;
  static constexpr int kUnitBits = 13;
  static constexpr uint32_t kUnitMask = (1u << kUnitBits) - 1;
  static constexpr size_t kChunkBytes = kUnit << kUnitBits;
  static constexpr uint32_t kLargeBit = 1u << 31;
  static constexpr size_t kMaxSmall = 2048;
  static constexpr uint32_t kNoChunk = UINT32_MAX;

  struct Chunk {
    uint32_t units_per_cell = 0;
    uint32_t used = 0;                // cells in use
    uint32_t fresh = 0;               // first unit never used
    uint32_t free_unit = UINT32_MAX;  // head of the list of freed cells
    uint32_t previous = kNoChunk;     // neighbours in the class's list of chunks with room
    uint32_t next = kNoChunk;
    alignas(8) uint8_t cells[];
  };
  struct Large {
    std::unique_ptr<uint8_t[]> bytes;
    size_t size = 0;
  };

  static constexpr size_t kCellBytes = kChunkBytes - sizeof(Chunk);
  static bool HasRoom(const Chunk& chunk);
  uint32_t NewChunk(uint32_t units_per_cell);
  void Link(uint32_t index);
  void Unlink(uint32_t index);
  Handle AllocateLarge(size_t size);

  std::vector<Chunk*> chunks_;
  std::vector<uint32_t> free_chunk_slots_;
  uint32_t with_room_[kMaxSmall / kUnit + 1] = {};  // per class: chunk index + 1
  std::vector<Large> large_;
  std::vector<uint32_t> free_large_slots_;
  size_t bytes_ = 0;
};

}  // namespace starling
