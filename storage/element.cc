#include "storage/element.h"

#include <algorithm>

namespace starling {

Stamp Element::NewestLive() const {
  Stamp newest = value.base.kind == Value::Kind::kNone ? Stamp{} : value.version.stamp;
  for (const Slot& slot : value.slots) newest = std::max(newest, slot.stamp);
  return newest;
}

Stamp Element::Oldest() const {
  Stamp oldest = value.version.none() ? Stamp{UINT64_MAX} : value.version.stamp;
  for (const Slot& slot : value.slots) oldest = std::min(oldest, slot.born);
  return oldest;
}

Value Element::Payload(ScoreText& text) const {
  if (value.slots.empty()) return value.base;
  if (type == ElementType::kSortedSet && value.base.kind == Value::Kind::kBytes) {
    return ScoreValue(ScoreOf(value), text);
  }
  return Value::OfNumber(value.Sum());
}

}  // namespace starling
