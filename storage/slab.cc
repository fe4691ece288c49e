#include "storage/slab.h"

#include <cstring>
#include <new>

#include "storage/check.h"

namespace starling {
namespace {

constexpr uint32_t kEndOfList = UINT32_MAX;

}  // namespace

Slab::~Slab() {
  for (Chunk* chunk : chunks_) ::operator delete(chunk);
}

size_t Slab::RoundUp(size_t size) {
  return size > kMaxSmall ? size : (size + kUnit - 1) / kUnit * kUnit;
}

bool Slab::HasRoom(const Chunk& chunk) {
  return chunk.free_unit != kEndOfList ||
         (size_t{chunk.fresh} + chunk.units_per_cell) * kUnit <= kCellBytes;
}

Handle Slab::Allocate(size_t size) {
  STARLING_CHECK(size > 0);
  if (size > kMaxSmall) return AllocateLarge(size);
  const uint32_t units = static_cast<uint32_t>((size + kUnit - 1) / kUnit);
  const uint32_t index = with_room_[units] != 0 ? with_room_[units] - 1 : NewChunk(units);
  Chunk& chunk = *chunks_[index];
  uint32_t unit = chunk.free_unit;
  if (unit != kEndOfList) {
    std::memcpy(&chunk.free_unit, chunk.cells + size_t{unit} * kUnit, sizeof chunk.free_unit);
  } else {
    unit = chunk.fresh;
    chunk.fresh += units;
  }
  ++chunk.used;
  if (!HasRoom(chunk)) Unlink(index);
  // Unit 0 of chunk 0 would be handle 0, which means none: fresh starts at 1 there (NewChunk).
  return index << kUnitBits | unit;
}

void Slab::Free(Handle handle) {
  STARLING_CHECK(handle != 0);
  if (handle & kLargeBit) {
    const uint32_t slot = handle & ~kLargeBit;
    bytes_ -= large_[slot].size;
    large_[slot] = {};
    free_large_slots_.push_back(slot);
    return;
  }
  const uint32_t index = handle >> kUnitBits;
  const uint32_t unit = handle & kUnitMask;
  Chunk& chunk = *chunks_[index];
  const bool had_room = HasRoom(chunk);
  std::memcpy(chunk.cells + size_t{unit} * kUnit, &chunk.free_unit, sizeof chunk.free_unit);
  chunk.free_unit = unit;
  --chunk.used;
  if (!had_room) Link(index);
  if (chunk.used > 0) return;
  Unlink(index);
  ::operator delete(&chunk);
  chunks_[index] = nullptr;
  free_chunk_slots_.push_back(index);
  bytes_ -= kChunkBytes;
}

size_t Slab::SizeOf(Handle handle) const {
  if (handle & kLargeBit) return large_[handle & ~kLargeBit].size;
  return size_t{chunks_[handle >> kUnitBits]->units_per_cell} * kUnit;
}

uint32_t Slab::NewChunk(uint32_t units_per_cell) {
  uint32_t index;
  if (free_chunk_slots_.empty()) {
    index = static_cast<uint32_t>(chunks_.size());
    STARLING_CHECK(index < (kLargeBit >> kUnitBits));
    chunks_.push_back(nullptr);
  } else {
    index = free_chunk_slots_.back();
    free_chunk_slots_.pop_back();
  }
  Chunk* chunk = new (::operator new(kChunkBytes)) Chunk;
  chunk->units_per_cell = units_per_cell;
  chunk->fresh = index == 0 ? 1 : 0;
  chunk->free_unit = kEndOfList;
  chunks_[index] = chunk;
  bytes_ += kChunkBytes;
  Link(index);
  return index;
}

void Slab::Link(uint32_t index) {
  Chunk& chunk = *chunks_[index];
  uint32_t& head = with_room_[chunk.units_per_cell];
  chunk.previous = kNoChunk;
  chunk.next = head == 0 ? kNoChunk : head - 1;
  if (chunk.next != kNoChunk) chunks_[chunk.next]->previous = index;
  head = index + 1;
}

void Slab::Unlink(uint32_t index) {
  Chunk& chunk = *chunks_[index];
  if (chunk.previous != kNoChunk) {
    chunks_[chunk.previous]->next = chunk.next;
  } else {
    with_room_[chunk.units_per_cell] = chunk.next == kNoChunk ? 0 : chunk.next + 1;
  }
  if (chunk.next != kNoChunk) chunks_[chunk.next]->previous = chunk.previous;
}

Handle Slab::AllocateLarge(size_t size) {
  uint32_t slot;
  if (free_large_slots_.empty()) {
    slot = static_cast<uint32_t>(large_.size());
    large_.emplace_back();
  } else {
    slot = free_large_slots_.back();
    free_large_slots_.pop_back();
  }
  large_[slot] = {std::make_unique_for_overwrite<uint8_t[]>(size), size};
  bytes_ += size;
  return kLargeBit | slot;
}

}  // namespace starling
