#include "storage/element_block.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "storage/element_block_format.h"
#include "storage/packed.h"
#include "storage/payload_block.h"

namespace starling {
namespace {

using namespace element_block_format;

constexpr size_t kHeapOverhead = 8;
constexpr size_t kHeapStep = 16;

size_t HeapBytes(size_t capacity) {
  return (sizeof(ElementBlock) + capacity + kHeapOverhead + kHeapStep - 1) / kHeapStep * kHeapStep;
}

/// A stamp as its difference to one nearby: within a millisecond the logical parts', else the
/// milliseconds' and the logical part.
void WriteStamp(PackedWriter& out, Stamp stamp, Stamp near) {
  const auto zigzag = [](int64_t value) {
    return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
  };
  if (stamp.millis() == near.millis()) {
    out.Varint(zigzag(int64_t{stamp.logical()} - near.logical()) << 1);
    return;
  }
  out.Varint(zigzag(stamp.millis() - near.millis()) << 1 | 1);
  out.Varint(uint64_t{stamp.logical()});
}

Kind KindOf(const Register& value) {
  if (value.version.none()) return kAbsent;
  switch (value.base.kind) {
    case Value::Kind::kNone:
      return kRemoved;
    case Value::Kind::kNumber:
      return value.base.number.scale == 0 ? kInteger : kDecimal;
    case Value::Kind::kBytes:
      break;
  }
  return value.base.bytes.size() <= kMaxInlinePayload ? kInline : kBlock;
}

IdForm FormOf(const Element& element, const OriginTable& origins) {
  const std::string_view id = element.id;
  const Version& version = element.value.version;
  if (element.type != ElementType::kList || version.none() || id.size() != kListStepBytes) {
    return kWrittenOut;
  }
  const auto side = static_cast<ListSide>(id[0]);
  if (side != ListSide::kLeft && side != ListSide::kRight) return kWrittenOut;
  const Stamp stamp = StampOfListStep(id.data());
  char own[kListStepBytes];
  WriteListStep(own, side, stamp, origins.At(version.origin));
  if (std::memcmp(own, id.data(), kListStepBytes) != 0) return kWrittenOut;
  if (stamp != version.stamp) return kStep;
  return side == ListSide::kLeft ? kOwnLeft : kOwnRight;
}

/// What the element behind this one and its slots refer to: it must not depend on what stands
/// before, for that may change.
Version AnchorOf(const Register& value) {
  if (!value.version.none() || value.slots.empty()) return value.version;
  return {value.slots.front().born, value.slots.front().origin};
}

size_t EncodedBound(const Element& element) {
  const bool in_place = element.value.base.kind == Value::Kind::kBytes &&
                        element.value.base.bytes.size() <= kMaxInlinePayload;
  return element.id.size() + (in_place ? element.value.base.bytes.size() : 0) +
         PackedRegisterBound(element.value) + 32;
}

void WriteSlots(PackedWriter& out, const Slots& slots, Stamp near) {
  out.Varint(slots.size());
  for (const Slot& slot : slots) {
    out.Varint(slot.origin);
    WriteStamp(out, slot.born, near);
    WriteStamp(out, slot.stamp, slot.born);
    out.OfNumber(slot.net);
  }
}

}  // namespace

// --- memory ---

ElementBlock* ElementBlock::New(ElementType type, CollectionSpace& space) {
  void* const memory = std::malloc(HeapBytes(0) - kHeapOverhead);
  if (memory == nullptr) throw std::bad_alloc();
  auto* const block = new (memory) ElementBlock;
  block->type_ = type;
  block->capacity_ = static_cast<uint32_t>(HeapBytes(0) - kHeapOverhead - sizeof(ElementBlock));
  space.outside_bytes += block->memory_bytes();
  return block;
}

ElementBlock* ElementBlock::Clone(ElementBlock* block, CollectionSpace& space) {
  const size_t size = sizeof(ElementBlock) + block->capacity_;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  // The header is plain bytes, too.
  std::memcpy(memory, static_cast<const void*>(block), size);
  auto* const clone = static_cast<ElementBlock*>(memory);
  space.outside_bytes += clone->memory_bytes();
  for (Cursor cursor(clone, space); !cursor.AtEnd(); cursor.Next()) cursor.ClonePayload();
  return clone;
}

void ElementBlock::Delete(ElementBlock* block, CollectionSpace& space) {
  for (Cursor cursor(block, space); !cursor.AtEnd(); cursor.Next()) cursor.FreePayload();
  space.outside_bytes -= block->memory_bytes();
  std::free(block);
}

size_t ElementBlock::memory_bytes() const { return HeapBytes(capacity_); }

size_t ElementBlock::BytesWithPayloads(ElementBlock* block, CollectionSpace& space) {
  size_t bytes = block->memory_bytes();
  for (Cursor cursor(block, space); !cursor.AtEnd(); cursor.Next()) {
    if (cursor.kind_ == kBlock) bytes += cursor.payload_size_;
  }
  return bytes;
}

ElementBlock* ElementBlock::Resize(ElementBlock* block, size_t capacity, CollectionSpace& space) {
  const size_t heap = HeapBytes(capacity);
  if (heap == block->memory_bytes()) return block;
  space.outside_bytes -= block->memory_bytes();
  // The header is plain bytes: moving it moves the block.
  void* const memory = std::realloc(static_cast<void*>(block), heap - kHeapOverhead);
  if (memory == nullptr) throw std::bad_alloc();
  block = static_cast<ElementBlock*>(memory);
  block->capacity_ = static_cast<uint32_t>(heap - kHeapOverhead - sizeof(ElementBlock));
  space.outside_bytes += block->memory_bytes();
  return block;
}

ElementBlock* ElementBlock::Fit(ElementBlock* block, CollectionSpace& space) {
  return Resize(block, block->bytes_, space);
}

// --- changing ---

uint8_t* ElementBlock::Encode(uint8_t* to, const Element& element, Version& before,
                              const CollectionSpace& space) const {
  PackedWriter out(to);
  const Register& value = element.value;
  const Kind kind = KindOf(value);
  const IdForm form = FormOf(element, space.origins);
  const Version anchor = AnchorOf(value);
  const bool same_origin = anchor.origin == before.origin;
  const IdForm usual = type_ == ElementType::kList ? kOwnRight : kWrittenOut;
  const bool is_short = kind == kInline && value.base.bytes.size() <= kShortLength && same_origin &&
                        value.slots.empty() && form == usual;
  const bool next = is_short && anchor.stamp == before.stamp.next();
  if (is_short) {
    out.Byte(static_cast<uint8_t>(kShort | (next ? kNext : 0) | value.base.bytes.size()));
  } else {
    out.Byte(static_cast<uint8_t>(kind | (value.slots.empty() ? 0 : kHasSlots) |
                                  (same_origin ? kSameOrigin : 0) | form << kIdFormShift));
  }
  if (!next) WriteStamp(out, anchor.stamp, before.stamp);
  if (!same_origin) out.Varint(anchor.origin);
  before = anchor;
  if (form == kWrittenOut) {
    out.Varint(element.id.size());
    out.Bytes(element.id);
  } else if (form == kStep) {
    out.Byte(static_cast<uint8_t>(element.id[0]));
    WriteStamp(out, StampOfListStep(element.id.data()), anchor.stamp);
  }
  if (!is_short && (kind == kInline || kind == kBlock)) out.Varint(value.base.bytes.size());
  if (kind == kInline) out.Bytes(value.base.bytes);
  if (kind == kBlock) out.Fixed(element.block);
  if (kind == kDecimal) out.Byte(value.base.number.scale);
  if (kind == kInteger || kind == kDecimal) out.Wide(value.base.number.units);
  if (!value.slots.empty()) WriteSlots(out, value.slots, before.stamp);
  return out.at();
}

ElementBlock* ElementBlock::Change(Cursor& cursor, size_t remove, const Element* add) {
  ElementBlock* block = cursor.block_;
  CollectionSpace& space = *cursor.space_;
  const size_t offset = cursor.offset_;
  size_t live = block->live_ + (add != nullptr && add->live() ? 1 : 0);
  const size_t count = block->count_ + (add != nullptr ? 1 : 0) - remove;
  Cursor next = cursor;
  for (; remove > 0; --remove) {
    live -= next.live() ? 1 : 0;
    next.Next();
  }
  // The element behind it refers to what stands before it: it is written anew as well.
  const size_t next_bound =
      next.AtEnd() ? 0 : (next.end_ - next.offset_) * (next.has_slots_ ? 4 : 1) + 96;
  absl::InlinedVector<uint8_t, 512> scratch((add != nullptr ? EncodedBound(*add) : 0) + next_bound);
  Version before = cursor.before_;
  uint8_t* to = scratch.data();
  if (add != nullptr) {
    to = block->Encode(to, *add, before, space);
    block->newest_ = std::max(block->newest_, add->value.Newest());
    block->oldest_ = std::min(block->oldest_, add->Oldest());
  }
  const bool at_end = next.AtEnd();
  const size_t end = at_end ? next.offset_ : next.end_;
  if (!at_end) to = block->Encode(to, next.Get(), before, space);
  if (end == block->bytes_) {
    block->last_stamp_ = before.stamp;
    block->last_origin_ = before.origin;
  }
  if (at_end) {
    block->ends_right_ = add != nullptr && FormOf(*add, space.origins) == kOwnRight;
  }
  const size_t size = static_cast<size_t>(to - scratch.data());
  const size_t bytes = block->bytes_ + size - (end - offset);
  if (bytes > block->capacity_) {
    // A list's leaf grows on at its ends; other blocks are small, and there are many of them.
    const bool grows =
        block->type_ == ElementType::kList && block->bytes_ > 0 && (at_end || offset == 0);
    block = Resize(block, bytes + (grows ? bytes / 8 : 0), space);
  }
  uint8_t* const at = block->data() + offset;
  std::memmove(at + size, block->data() + end, block->bytes_ - end);
  std::memcpy(at, scratch.data(), size);
  block->bytes_ = static_cast<uint32_t>(bytes);
  block->live_ = static_cast<uint16_t>(live);
  block->count_ = static_cast<uint16_t>(count);
  if (block->capacity_ > bytes + bytes / 4 + 64) block = Resize(block, bytes, space);
  return block;
}

ElementBlock* ElementBlock::Put(Cursor& cursor, bool replace, Element& element) {
  CollectionSpace& space = *cursor.space_;
  if (replace && cursor.kind_ == kBlock) space.outside_bytes -= cursor.payload_size_;
  element.block = KeepPayload(element.value, element.block);
  if (element.block != nullptr) space.outside_bytes += element.value.base.bytes.size();
  if (element.type == ElementType::kSortedSet) return PutByScore(cursor, replace, element);
  return Change(cursor, replace ? 1 : 0, &element);
}

ElementBlock* ElementBlock::PutByScore(Cursor& cursor, bool replace, Element& element) {
  // What the element borrows from the block moves with the first change.
  const std::string id(element.id);
  std::string bytes;
  if (replace) {
    element.id = id;
    if (element.value.base.kind == Value::Kind::kBytes && element.block == nullptr) {
      bytes = element.value.base.bytes;
      element.value.base.bytes = bytes;
    }
    cursor = Cursor(Change(cursor, 1, nullptr), *cursor.space_);
  }
  Cursor place = PlaceByScore(cursor, element);
  return Change(place, 0, &element);
}

ElementBlock::Cursor ElementBlock::PlaceByScore(const Cursor& searched, const Element& element) {
  Cursor place(searched.block_, *searched.space_);
  if (!element.live()) return place;
  const double score = ScoreOf(element.value);
  const auto stands_before = [&](const Cursor& other) {
    if (!other.live()) return true;
    const double its = other.Score();
    return its != score ? its < score : other.id_ < element.id;
  };
  // Mostly it has the highest score, and the search for it has ended behind the last member.
  if (searched.AtEnd() && searched.HasPrevious() && stands_before(searched.Previous())) {
    return searched;
  }
  while (!place.AtEnd() && stands_before(place)) place.Next();
  return place;
}

ElementBlock* ElementBlock::Erase(Cursor& cursor, size_t count) {
  Cursor gone = cursor;
  for (size_t i = 0; i < count; ++i, gone.Next()) gone.FreePayload();
  return Change(cursor, count, nullptr);
}

ElementBlock* ElementBlock::Purge(ElementBlock* block, Stamp reset, const PurgeVisitor& changed,
                                  CollectionSpace& space) {
  ElementBlock* left = New(block->type_, space);
  for (Cursor cursor(block, space); !cursor.AtEnd(); cursor.Next()) {
    Element element = cursor.Get();
    const bool dropped = element.value.DropUpTo(reset);
    if (dropped) changed(element, element.none());
    if (element.value.base.kind != Value::Kind::kBytes) cursor.FreePayload();
    if (element.none()) continue;
    Cursor end(left, space);
    end.ToEnd();
    // Its payload stays where it is; a member whose score has changed finds its new place.
    left = element.type == ElementType::kSortedSet ? PutByScore(end, false, element)
                                                   : Change(end, 0, &element);
  }
  space.outside_bytes -= block->memory_bytes();
  std::free(block);
  left->oldest_ = std::max(left->oldest_, reset.next());
  return left;
}

ElementBlock* ElementBlock::SplitOff(Cursor& cursor, ElementBlock*& block) {
  block = cursor.block_;
  CollectionSpace& space = *cursor.space_;
  ElementBlock* rest = New(block->type_, space);
  const size_t offset = cursor.offset_;
  const Version last = cursor.before_;
  // The first refers to what stood before it and is written anew; the others move as they are.
  const Element first = cursor.Get();
  Cursor begin(rest, space);
  rest = Change(begin, 0, &first);
  const size_t others = block->bytes_ - cursor.end_;
  if (others > 0) {
    rest = Resize(rest, rest->bytes_ + others, space);
    std::memcpy(rest->data() + rest->bytes_, block->data() + cursor.end_, others);
    rest->bytes_ = static_cast<uint32_t>(rest->bytes_ + others);
    rest->newest_ = block->newest_;
    rest->oldest_ = block->oldest_;
    rest->last_stamp_ = block->last_stamp_;
    rest->last_origin_ = block->last_origin_;
    rest->ends_right_ = block->ends_right_;
  }
  for (cursor.Next(); !cursor.AtEnd(); cursor.Next()) {
    ++rest->count_;
    rest->live_ = static_cast<uint16_t>(rest->live_ + (cursor.live() ? 1 : 0));
  }
  block->bytes_ = static_cast<uint32_t>(offset);
  block->count_ = static_cast<uint16_t>(block->count_ - rest->count_);
  block->live_ = static_cast<uint16_t>(block->live_ - rest->live_);
  block->last_stamp_ = last.stamp;
  block->last_origin_ = last.origin;
  block->ends_right_ = false;
  block = Fit(block, space);
  return Fit(rest, space);
}

ElementBlock* ElementBlock::Append(ElementBlock* to, ElementBlock* from, CollectionSpace& space) {
  for (Cursor cursor(from, space); !cursor.AtEnd(); cursor.Next()) {
    Cursor end(to, space);
    end.ToEnd();
    const Element element = cursor.Get();
    to = Change(end, 0, &element);
  }
  space.outside_bytes -= from->memory_bytes();
  std::free(from);
  return to;
}

}  // namespace starling
