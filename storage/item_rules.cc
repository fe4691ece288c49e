#include "storage/item_rules.h"

#include <array>

#include "storage/keyspace.h"

namespace starling {
namespace {

enum class Payload : uint8_t { kNone, kNumber, kText, kOptional, kBytesUnlessRemoved };

/// What an item of each part must and must not have.
struct PartRule {
  bool known = false;
  bool at = false;
  bool element = false;
  bool deadline = false;
  bool ttl = false;
  bool key = true;
  bool removable = false;
  Payload payload = Payload::kNone;
};

constexpr std::array<PartRule, 9> kPartRules = {{
    {},
    {.known = true, .at = true},                                                         // kCut
    {.known = true, .payload = Payload::kText},                                          // kBase
    {.known = true, .at = true, .payload = Payload::kNumber},                            // kSlot
    {.known = true, .deadline = true},                                                   // kExpiry
    {.known = true, .element = true, .removable = true, .payload = Payload::kOptional},  // kElement
    {.known = true, .at = true, .element = true, .payload = Payload::kNumber},  // kElementSlot
    {.known = true, .at = true, .key = false},                                  // kDatabaseCut
    {.known = true,
     .at = true,
     .ttl = true,
     .removable = true,
     .payload = Payload::kBytesUnlessRemoved},  // kClaim
}};

}  // namespace

const char* ItemFault(const Item& item) {
  const auto part = static_cast<size_t>(item.part);
  if (part >= kPartRules.size() || !kPartRules[part].known) return "unknown part";
  const PartRule& rule = kPartRules[part];
  if (item.database >= kAllDatabases) return "unknown database";
  if (item.stamp.none()) return "no stamp";
  if (rule.at ? item.at.none() || item.at > item.stamp : !item.at.none()) {
    return rule.at ? "cut, birth or grant not in (0, stamp]"
                   : "a cut, birth or grant where none belongs";
  }
  if (!rule.key && !item.key.empty()) return "a key where none belongs";
  const bool typed =
      item.element_type >= ElementType::kSet && item.element_type <= ElementType::kStream;
  if (rule.element ? !typed : item.element_type != ElementType::kNone || !item.element.empty()) {
    return rule.element ? "unknown element type" : "an element where none belongs";
  }
  if (item.removed && (!rule.removable || item.value.kind != Value::Kind::kNone)) {
    return "removed, yet it cannot be or has a payload";
  }
  if (item.deadline_millis < 0) return "negative deadline";
  if (rule.ttl) {
    if (item.deadline_millis > Stamp::kMaxMillis) return "a time to live out of range";
    if (item.removed && item.deadline_millis != 0) return "a time to live of what has ended";
  } else if (item.deadline_millis != 0) {
    if (!rule.deadline) return "a deadline where none belongs";
    if (item.deadline_millis <= item.stamp.millis()) return "a deadline not after its own stamp";
  }
  const bool number = item.value.kind == Value::Kind::kNumber;
  if (number && (item.value.number.scale > Number::kMaxScale ||
                 item.value.number.units == Number::kMinUnits)) {
    return "number out of range";
  }
  switch (rule.payload) {
    case Payload::kNone:
      return item.value.kind == Value::Kind::kNone ? nullptr : "a payload where none belongs";
    case Payload::kNumber:
      return number ? nullptr : "no number";
    case Payload::kText:
      return item.value.kind != Value::Kind::kNone ? nullptr : "no payload";
    case Payload::kOptional:
      return nullptr;
    case Payload::kBytesUnlessRemoved:
      return item.removed || item.value.kind == Value::Kind::kBytes ? nullptr : "no text";
  }
  return "unknown part";
}

}  // namespace starling
