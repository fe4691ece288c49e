#include "storage/packed.h"

namespace starling {
namespace {

// Kinds of base in the first byte; the slot count stands in the upper bits.
enum BaseKind : uint8_t { kAbsent, kRemoved, kInline, kBlock, kNumberBase };

BaseKind KindOf(const Register& value) {
  if (value.version.none()) return kAbsent;
  switch (value.base.kind) {
    case Value::Kind::kNone:
      return kRemoved;
    case Value::Kind::kNumber:
      return kNumberBase;
    case Value::Kind::kBytes:
      break;
  }
  return value.base.bytes.size() <= kMaxInlinePayload ? kInline : kBlock;
}

}  // namespace

size_t PackedRegisterBound(const Register& value) { return 80 + value.slots.size() * 56; }

void PackRegister(PackedWriter& out, const Register& value, const char* block) {
  const BaseKind kind = KindOf(value);
  out.Varint(static_cast<uint32_t>(kind | value.slots.size() << 3));
  if (kind != kAbsent) {
    out.Time(value.version.stamp);
    out.Varint(value.version.origin);
  }
  if (kind == kInline || kind == kBlock) out.Varint(value.base.bytes.size());
  if (kind == kInline) out.Bytes(value.base.bytes);
  if (kind == kBlock) out.Fixed(block);
  if (kind == kNumberBase) out.OfNumber(value.base.number);
  for (const Slot& slot : value.slots) {
    out.Varint(slot.origin);
    out.Time(slot.born);
    out.Time(slot.stamp);
    out.OfNumber(slot.net);
  }
}

bool UnpackPlainPayload(PackedReader& in, Value& payload) {
  const uint32_t kind = in.Varint<uint32_t>();
  if (kind == kAbsent || kind > kNumberBase) return false;
  in.Time();
  in.Varint<OriginIndex>();
  payload = {};
  if (kind == kInline) {
    payload = Value::Bytes(in.Bytes(in.Varint()));
  } else if (kind == kBlock) {
    const size_t size = in.Varint();
    payload = Value::Bytes({in.Fixed<const char*>(), size});
  } else if (kind == kNumberBase) {
    payload = Value::OfNumber(in.OfNumber());
  }
  return true;
}

void UnpackRegister(PackedReader& in, Register& value, const char** block) {
  *block = nullptr;
  const uint32_t head = in.Varint<uint32_t>();
  const uint8_t kind = head & 7;
  if (kind > kNumberBase) in.Fail();
  if (kind != kAbsent) {
    value.version.stamp = in.Time();
    value.version.origin = in.Varint<OriginIndex>();
  }
  if (kind == kInline || kind == kBlock) {
    const size_t size = in.Varint();
    if ((kind == kInline) != (size <= kMaxInlinePayload)) in.Fail();
    if (kind == kInline) {
      value.base = Value::Bytes(in.Bytes(size));
    } else {
      *block = in.Fixed<const char*>();
      value.base = Value::Bytes({*block, size});
    }
  } else if (kind == kNumberBase) {
    value.base = Value::OfNumber(in.OfNumber());
  }
  for (uint32_t left = head >> 3; left > 0 && in.ok(); --left) {
    Slot slot;
    slot.origin = in.Varint<OriginIndex>();
    slot.born = in.Time();
    slot.stamp = in.Time();
    slot.net = in.OfNumber();
    value.slots.push_back(slot);
  }
}

}  // namespace starling
