#include "storage/key_state.h"

namespace starling {

bool KeyState::MergeCut(Stamp at, const Version& version, const OriginTable& origins) {
  // Two cuts at the same stamp are one; the later item stands for it, so that freeing waits for it.
  if (at < cut || (at == cut && !Later(version, cut_version, origins))) return false;
  cut = at;
  cut_version = version;
  DropKilled();
  return true;
}

bool KeyState::MergeBase(const Version& version, const Value& value, const OriginTable& origins) {
  if (version.stamp <= cut || !string.MergeBase(version, value, origins)) return false;
  DropKilled();
  return true;
}

bool KeyState::MergeSlot(const Slot& slot, const OriginTable& origins) {
  return string.MergeSlot(slot, Reset(), origins);
}

bool KeyState::MergeExpiry(const Version& version, int64_t deadline, const OriginTable& origins) {
  if (version.stamp <= cut || version.stamp < string.version.stamp) return false;
  if (!Later(version, expiry_version, origins)) return false;
  expiry_version = version;
  deadline_millis = deadline;
  return true;
}

bool KeyState::ApplyCut(Stamp at) {
  bool dropped = string.DropUpTo(at);
  if (!expiry_version.none() && expiry_version.stamp <= at) {
    expiry_version = {};
    deadline_millis = 0;
    dropped = true;
  }
  return dropped;
}

void KeyState::DropKilled() {
  ApplyCut(cut);
  if (expiry_version.stamp < string.version.stamp) {
    expiry_version = {};
    deadline_millis = 0;
  }
}

}  // namespace starling
