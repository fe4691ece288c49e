// Writing elements of any type, and adding to those that are numbers.
#include "storage/access_parts.h"
#include "storage/keyspace_impl.h"

namespace starling {
namespace {

std::optional<Element> LiveElement(const LoadedEntry& entry, ElementType type,
                                   std::string_view id) {
  std::optional<Element> element = entry.state.collection.Find(*entry.space, type, id);
  if (element && !element->live()) element.reset();
  return element;
}

}  // namespace

void Access::WriteElement(LoadedEntry& entry, ElementType type, std::string_view id,
                          const Value& payload) {
  DropDeadlineOfNothing(entry);
  Item item = ElementItemOf(Part::kElement, entry.key, type, id);
  item.value = payload.kind == Value::Kind::kNone ? Value::Bytes("") : payload;
  Write(entry, item);
}

void Access::WriteRemoval(LoadedEntry& entry, ElementType type, std::string_view id) {
  Item item = ElementItemOf(Part::kElement, entry.key, type, id);
  item.removed = true;
  Write(entry, item);
  DropDeadlineOfNothing(entry);
}

bool Access::AddElement(const KeyRef& key, ElementType type, std::string_view id,
                        const Value& payload) {
  LoadedEntry entry = LoadForWrite(key);
  const bool fresh = !LiveElement(entry, type, id);
  // A set's members carry no payload: adding one that is there changes nothing.
  if (fresh || payload.kind != Value::Kind::kNone) WriteElement(entry, type, id, payload);
  Keep(entry);
  return fresh;
}

bool Access::RemoveElement(const KeyRef& key, ElementType type, std::string_view id) {
  LoadedEntry entry = LoadForWrite(key);
  const bool seen = LiveElement(entry, type, id).has_value();
  if (seen) WriteRemoval(entry, type, id);
  Keep(entry);
  return seen;
}

bool Access::AddToElement(LoadedEntry& entry, ElementType type, std::string_view id,
                          const Number& by) {
  DropDeadlineOfNothing(entry);
  Item item = ElementItemOf(Part::kElementSlot, entry.key, type, id);
  const std::optional<Element> element = entry.state.collection.Find(*entry.space, type, id);
  const Slot* const own = element ? element->value.Find(keyspace_.impl_->own) : nullptr;
  if (!AddToOwnSlot(item, own, by)) return false;
  Write(entry, item);
  return true;
}

Result<int64_t> Access::IncrementElement(const KeyRef& key, ElementType type, std::string_view id,
                                         int64_t by) {
  LoadedEntry entry = LoadForWrite(key);
  Value current = Value::OfNumber({});
  ScoreText text;
  if (const auto element = LiveElement(entry, type, id)) current = element->Payload(text);
  std::optional<Error> error;
  std::optional<Number> sum;
  if (current.kind != Value::Kind::kNumber || !current.number.is_integer()) {
    error = Error{Code::kInvalidArgument, "the element is not an integer"};
  } else {
    sum = Number::Sum(current.number, Number::FromInt(by));
    if (!sum || !sum->fits_int64() || !AddToElement(entry, type, id, Number::FromInt(by))) {
      error = Error{Code::kOutOfRange, "the sum is beyond 64 bits"};
    }
  }
  Keep(entry);  // also keeps the deletion of what had expired
  if (error) return *std::move(error);
  return sum->ClampedInt64();
}

Result<Number> Access::IncrementElementDecimal(const KeyRef& key, ElementType type,
                                               std::string_view id, const Number& by) {
  LoadedEntry entry = LoadForWrite(key);
  std::optional<Number> current = Number{};
  ScoreText text;
  if (const auto element = LiveElement(entry, type, id)) {
    const Value payload = element->Payload(text);
    current =
        payload.kind == Value::Kind::kNumber ? payload.number : Number::ParseDecimal(payload.bytes);
  }
  Result<Number> sum = Number{};
  if (current) {
    sum = DecimalSum(*current, by);
  } else {
    sum = Error{Code::kInvalidArgument, "the element is not an exact decimal"};
  }
  if (sum && !AddToElement(entry, type, id, by)) sum = OwnNetOverflows();
  Keep(entry);
  return sum;
}

}  // namespace starling
