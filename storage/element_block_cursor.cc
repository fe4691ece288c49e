// Reading a packed block: its elements one after another, front to back.
#include <cstring>
#include <vector>

#include "storage/element_block.h"
#include "storage/element_block_format.h"
#include "storage/packed.h"

namespace starling {
namespace {

using namespace element_block_format;

// Scans are made of these three. A block holds what Encode wrote: nothing is checked.

inline uint64_t ReadVarint(const uint8_t*& at) {
  uint64_t value = *at & 0x7F;
  for (unsigned shift = 7; *at++ & 0x80; shift += 7) {
    value |= static_cast<uint64_t>(*at & 0x7F) << shift;
  }
  return value;
}

inline std::string_view ReadBytes(const uint8_t*& at) {
  const size_t size = ReadVarint(at);
  at += size;
  return {reinterpret_cast<const char*>(at - size), size};
}

inline Stamp ReadStamp(const uint8_t*& at, Stamp near) {
  const uint64_t head = ReadVarint(at);
  const uint64_t zigzag = head >> 1;
  const uint64_t difference = zigzag >> 1 ^ (~(zigzag & 1) + 1);
  if ((head & 1) == 0) return Stamp{near.value + difference};
  const uint64_t millis = static_cast<uint64_t>(near.millis()) + difference;
  return Stamp{millis << Stamp::kLogicalBits | ReadVarint(at)};
}

/// Behind the variable-length integer at `at`, however wide.
const uint8_t* BehindVarint(const uint8_t* at) {
  while (*at++ & 0x80) {
  }
  return at;
}

PackedReader ReaderAt(const uint8_t* at) { return PackedReader(at, at + (size_t{1} << 40)); }

/// Reads slots into `slots`, or over them where it is null; returns what is behind.
const uint8_t* ReadSlots(const uint8_t* at, Slots* slots, Stamp near) {
  for (size_t left = ReadVarint(at); left > 0; --left) {
    Slot slot;
    slot.origin = static_cast<OriginIndex>(ReadVarint(at));
    slot.born = ReadStamp(at, near);
    slot.stamp = ReadStamp(at, slot.born);
    PackedReader net = ReaderAt(at);
    slot.net = net.OfNumber();
    at = net.at();
    if (slots != nullptr) slots->push_back(slot);
  }
  return at;
}

}  // namespace

inline void ElementBlock::Cursor::ParseId(const uint8_t*& at, uint8_t form) {
  written_out_ = form == kWrittenOut;
  if (written_out_) {
    id_ = ReadBytes(at);
    return;
  }
  id_ = {};
  step_stamp_ = version_.stamp;
  step_side_ = form == kOwnLeft ? ListSide::kLeft : ListSide::kRight;
  if (form != kStep) return;
  step_side_ = static_cast<ListSide>(*at++);
  step_stamp_ = ReadStamp(at, version_.stamp);
}

void ElementBlock::Cursor::Parse() {
  if (AtEnd()) return;
  const uint8_t* at = block_->data() + offset_;
  const uint8_t head = *at++;
  version_ = before_;
  if (head & kShort) [[likely]] {
    kind_ = kInline;
    has_slots_ = false;
    version_.stamp = head & kNext ? before_.stamp.next() : ReadStamp(at, before_.stamp);
    payload_size_ = head & kShortLength;
    ParseId(at, block_->type_ == ElementType::kList ? kOwnRight : kWrittenOut);
    payload_ = at;
    end_ = static_cast<uint32_t>(payload_ + payload_size_ - block_->data());
    return;
  }
  kind_ = head & kKindMask;
  has_slots_ = head & kHasSlots;
  version_.stamp = ReadStamp(at, before_.stamp);
  if (!(head & kSameOrigin)) version_.origin = static_cast<OriginIndex>(ReadVarint(at));
  ParseId(at, head >> kIdFormShift);
  payload_size_ = 0;
  if (kind_ == kInline || kind_ == kBlock) payload_size_ = static_cast<uint32_t>(ReadVarint(at));
  payload_ = at;
  slots_ = payload_;
  if (kind_ == kInline) slots_ += payload_size_;
  if (kind_ == kBlock) slots_ += sizeof(const char*);
  if (kind_ == kDecimal) ++slots_;
  if (kind_ == kInteger || kind_ == kDecimal) slots_ = BehindVarint(slots_);
  const uint8_t* const end = has_slots_ ? ReadSlots(slots_, nullptr, version_.stamp) : slots_;
  end_ = static_cast<uint32_t>(end - block_->data());
}

void ElementBlock::Cursor::Next() {
  previous_ = offset_;
  before_previous_ = before_;
  before_ = version_;
  offset_ = end_;
  Parse();
}

ElementBlock::Cursor ElementBlock::Cursor::Previous() const {
  Cursor previous = *this;
  previous.offset_ = previous_;
  previous.before_ = before_previous_;
  previous.Parse();
  return previous;
}

ElementBlock::Cursor ElementBlock::Cursor::MovedTo(ElementBlock* block) const {
  Cursor moved = *this;
  moved.block_ = block;
  moved.Parse();
  return moved;
}

void ElementBlock::Cursor::ToEnd() {
  before_ = version_ = {block_->last_stamp_, block_->last_origin_};
  offset_ = previous_ = end_ = block_->bytes_;
}

const char* ElementBlock::Cursor::LongPayload() const {
  const char* block = nullptr;
  if (kind_ == kBlock) std::memcpy(&block, payload_, sizeof block);
  return block;
}

void ElementBlock::Cursor::FreePayload() {
  if (kind_ != kBlock) return;
  space_->outside_bytes -= payload_size_;
  delete[] LongPayload();
}

void ElementBlock::Cursor::ClonePayload() {
  if (kind_ != kBlock) return;
  char* const copy = new char[payload_size_];
  std::memcpy(copy, LongPayload(), payload_size_);
  std::memcpy(const_cast<uint8_t*>(payload_), &copy, sizeof copy);
  space_->outside_bytes += payload_size_;
}

std::string_view ElementBlock::Cursor::Id() const {
  if (written_out_) return id_;
  WriteListStep(space_->id_text.data(), step_side_, step_stamp_,
                space_->origins.At(version_.origin));
  return {space_->id_text.data(), kListStepBytes};
}

int ElementBlock::Cursor::CompareId(std::string_view id) const {
  if (!written_out_ && id.size() >= kListStepBytes) {
    const int side = static_cast<int>(step_side_);
    const int other_side = static_cast<uint8_t>(id[0]);
    if (side != other_side) return side - other_side;
    const Stamp other = StampOfListStep(id.data());
    if (other != step_stamp_) {
      return (step_stamp_ < other) == (step_side_ == ListSide::kRight) ? -1 : 1;
    }
  }
  return Id().compare(id);
}

Element ElementBlock::Cursor::Get() const {
  Element element;
  GetTo(element);
  return element;
}

void ElementBlock::Cursor::GetTo(Element& element) const {
  element.type = block_->type_;
  element.id = Id();
  if (kind_ != kAbsent) element.value.version = version_;
  switch (kind_) {
    case kInline:
      element.value.base = Value::Bytes({reinterpret_cast<const char*>(payload_), payload_size_});
      break;
    case kBlock:
      element.block = LongPayload();
      element.value.base = Value::Bytes({element.block, payload_size_});
      break;
    case kInteger:
      element.value.base = Value::OfNumber({ReaderAt(payload_).Wide(), 0});
      break;
    case kDecimal:
      element.value.base = Value::OfNumber(ReaderAt(payload_).OfNumber());
      break;
    default:
      break;
  }
  if (has_slots_) ReadSlots(slots_, &element.value.slots, version_.stamp);
}

Value ElementBlock::Cursor::Payload(ScoreText& text) const {
  if (!has_slots_) {
    if (kind_ == kInline) {
      return Value::Bytes({reinterpret_cast<const char*>(payload_), payload_size_});
    }
    if (kind_ == kInteger) return Value::OfNumber({ReaderAt(payload_).Wide(), 0});
  }
  Element element;
  GetTo(element);
  return element.Payload(text);
}

void ElementBlock::Cursor::SkipLive(size_t count) {
  for (;; Next()) {
    if (live() && count-- == 0) return;
  }
}

bool ElementBlock::Find(Cursor& cursor, std::string_view id) {
  if (cursor.block_->type_ == ElementType::kList) {
    for (; !cursor.AtEnd(); cursor.Next()) {
      const int order = cursor.CompareId(id);
      if (order >= 0) return order == 0;
    }
    return false;
  }
  for (; !cursor.AtEnd(); cursor.Next()) {
    if (cursor.id_ == id) return true;
  }
  return false;
}

bool ElementBlock::EndsBefore(std::string_view id) const {
  return ends_right_ && id.size() >= kListStepBytes &&
         id[0] == static_cast<char>(ListSide::kRight) && StampOfListStep(id.data()) > last_stamp_;
}

bool ElementBlock::VisitBackwards(ElementBlock* block, size_t live,
                                  absl::FunctionRef<bool(const Element&)> visit,
                                  CollectionSpace& space) {
  // Blocks are read from their front only. Mostly the last element is all that is wanted.
  Cursor cursor(block, space);
  for (size_t seen = cursor.live() ? 1 : 0; seen < live; seen += cursor.live() ? 1 : 0) {
    cursor.Next();
  }
  if (!visit(cursor.Get())) return false;
  std::vector<Cursor> before;
  before.reserve(live);
  for (cursor = Cursor(block, space); before.size() + 1 < live; cursor.Next()) {
    if (cursor.live()) before.push_back(cursor);
  }
  for (size_t i = before.size(); i-- > 0;) {
    if (!visit(before[i].Get())) return false;
  }
  return true;
}

double ElementBlock::Cursor::Score() const {
  if (kind_ == kInteger && !has_slots_) {
    // Mostly it is short, and then it is itself a double.
    constexpr uint64_t kExact = uint64_t{1} << 53;
    uint64_t zigzag = 0;
    const uint8_t* at = payload_;
    for (unsigned shift = 0; shift < 56; shift += 7) {
      zigzag |= static_cast<uint64_t>(*at & 0x7F) << shift;
      if (*at++ >= 0x80) continue;
      const double size = static_cast<double>((zigzag >> 1) + (zigzag & 1));
      if ((zigzag >> 1) >= kExact) break;
      return zigzag & 1 ? -size : size;
    }
    return NearestDouble({ReaderAt(payload_).Wide(), 0});
  }
  return ScoreOf(Get().value);
}

}  // namespace starling
