#include "storage/item_rules.h"

#include <array>

#include "storage/keyspace.h"

namespace starling {
namespace {

enum class Payload : uint8_t { kNone, kNumber, kText, kOptional };

/// What an item of each part must and must not have.
struct PartRule {
  bool known = false;
  bool at = false;
  bool element = false;
  bool deadline = false;
  bool key = true;
  bool removable = false;
  Payload payload = Payload::kNone;
};

constexpr std::array<PartRule, 8> kPartRules = {{
    {},
    {.known = true, .at = true},                                                         // kCut
    {.known = true, .payload = Payload::kText},                                          // kBase
    {.known = true, .at = true, .payload = Payload::kNumber},                            // kSlot
    {.known = true, .deadline = true},                                                   // kExpiry
    {.known = true, .element = true, .removable = true, .payload = Payload::kOptional},  // kElement
    {.known = true, .at = true, .element = true, .payload = Payload::kNumber},  // kElementSlot
    {.known = true, .at = true, .key = false},                                  // kDatabaseCut
}};

}  // namespace

const char* ItemFault(const Item& item) {
  const auto part = static_cast<size_t>(item.part);
  if (part >= kPartRules.size() || !kPartRules[part].known) return "unknown part";
  const PartRule& rule = kPartRules[part];
  if (item.database >= kAllDatabases) return "unknown database";
  if (item.stamp.none()) return "no stamp";
  if (rule.at ? item.at.none() || item.at > item.stamp : !item.at.none()) {
    return rule.at ? "cut or birth not in (0, stamp]" : "a cut or birth where none belongs";
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
  if (item.deadline_millis != 0 && item.deadline_millis <= item.stamp.millis()) {
    return "a deadline not after its own stamp";
  }
  if (!rule.deadline && item.deadline_millis != 0) return "a deadline where none belongs";
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
  }
  return "unknown part";
}

}  // namespace starling
