#include "storage/register.h"

#include <algorithm>

namespace starling {
namespace {

constexpr __int128 kMaxUnits = static_cast<__int128>(~static_cast<unsigned __int128>(0) >> 1);

/// Drops slots born at or before `cut`; returns whether any went.
bool DropSlots(Slots& slots, Stamp cut) {
  const auto end = std::remove_if(slots.begin(), slots.end(),
                                  [&](const Slot& slot) { return slot.born <= cut; });
  const bool dropped = end != slots.end();
  slots.erase(end, slots.end());
  return dropped;
}

}  // namespace

bool Later(const Version& a, const Version& b, const OriginTable& origins) {
  if (a.stamp != b.stamp) return a.stamp > b.stamp;
  return a.origin != b.origin && !a.none() && origins.Less(b.origin, a.origin);
}

const Slot* Register::Find(OriginIndex origin) const {
  const auto found = std::find_if(slots.begin(), slots.end(),
                                  [&](const Slot& slot) { return slot.origin == origin; });
  return found == slots.end() ? nullptr : &*found;
}

Slot* Register::Find(OriginIndex origin) {
  return const_cast<Slot*>(static_cast<const Register*>(this)->Find(origin));
}

bool Register::MergeBase(const Version& other, const Value& value, const OriginTable& origins) {
  if (!Later(other, version, origins)) return false;
  version = other;
  base = value;
  DropSlots(slots, version.stamp);
  return true;
}

bool Register::MergeSlot(const Slot& slot, Stamp reset, const OriginTable& origins) {
  if (slot.born <= reset) return false;
  if (Slot* own = Find(slot.origin)) {
    if (own->stamp >= slot.stamp) return false;
    *own = slot;
    return true;
  }
  slots.push_back(slot);
  FoldSlots(origins);
  return true;
}

void Register::FoldSlots(const OriginTable& origins) {
  if (slots.size() < 2) return;
  Slot* folded = nullptr;
  const auto fold = [&](Slot& slot) {
    if (!origins.MayFold(slot.origin)) return false;
    if (folded == nullptr) {
      folded = &slot;
      return false;
    }
    const std::optional<Number> net = Number::Sum(folded->net, slot.net);
    if (!net) return false;
    const Version mine{slot.stamp, slot.origin};
    const Version other{folded->stamp, folded->origin};
    const Version& latest = Later(mine, other, origins) ? mine : other;
    *folded = {latest.origin, std::max(folded->born, slot.born), latest.stamp, *net};
    return true;
  };
  // Not remove_if: what is folded into must stay where it is.
  for (size_t i = 0; i < slots.size();) {
    if (fold(slots[i])) {
      slots.erase(slots.begin() + static_cast<ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

bool Register::DropUpTo(Stamp cut) {
  bool dropped = false;
  if (!version.none() && version.stamp <= cut) {
    version = {};
    base = {};
    dropped = true;
  }
  return DropSlots(slots, cut) || dropped;
}

Stamp Register::Newest() const {
  Stamp newest = version.stamp;
  for (const Slot& slot : slots) newest = std::max(newest, slot.stamp);
  return newest;
}

Number Register::Sum() const {
  Number sum;
  if (base.kind == Value::Kind::kNumber) {
    sum = base.number;
  } else if (base.kind == Value::Kind::kBytes) {
    sum = Number::ParseDecimal(base.bytes).value_or(Number{});
  }
  // In origin-independent order the sum is the same: addition of exact decimals commutes.
  for (const Slot& slot : slots) {
    const std::optional<Number> next = Number::Sum(sum, slot.net);
    sum = next ? *next : Number{slot.net.units < 0 ? -kMaxUnits : kMaxUnits, 0};
  }
  return sum.Normalized();
}

}  // namespace starling
