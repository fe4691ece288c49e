// Writing elements of any type, and adding to those that are numbers.
#include <algorithm>
#include <cmath>

#include "storage/access_parts.h"
#include "storage/keyspace_impl.h"

namespace starling {

bool Access::MergeOwn(Element& element, Item& item, Stamp reset) {
  item.stamp = keyspace_.clock_.Draw();
  if (item.part == Part::kElementSlot && item.at.none()) item.at = item.stamp;
  const Keyspace::Impl& impl = *keyspace_.impl_;
  return Collection::MergeInto(element, item, impl.own, reset, impl.origins);
}

void Access::Wrote(LoadedEntry& entry, const Item& item, const ElementChange& change) {
  Shard& shard = ShardOf(entry.key);
  shard.NoteElement(entry, item, keyspace_.impl_->own, change);
  shard.TouchWatches(entry, item);
  entry.state.accessed_seconds = static_cast<uint32_t>(item.stamp.millis() / 1000);
  entry.merged = true;
  Record(shard, item, entry.key.hash);
}

template <typename Decide>
bool Access::ChangeElement(LoadedEntry& entry, ElementType type, std::string_view id,
                           Decide&& decide) {
  Item item = ElementItemOf(Part::kElement, entry.key, type, id);
  Shard& shard = ShardOf(entry.key);
  const Stamp reset = shard.Reset(entry);
  if (shard.speculation != nullptr) shard.RememberElement(entry, type, id);
  const ElementChange change =
      entry.state.collection.Update(*entry.space, type, id, [&](Element& element) {
        return decide(static_cast<const Element&>(element), item) && MergeOwn(element, item, reset);
      });
  if (change.changed) Wrote(entry, item, change);
  return change.changed;
}

void Access::WriteElement(LoadedEntry& entry, ElementType type, std::string_view id,
                          const Value& payload) {
  DropDeadlineOfNothing(entry);
  ChangeElement(entry, type, id, [&](const Element&, Item& item) {
    item.value = payload.kind == Value::Kind::kNone ? Value::Bytes("") : payload;
    return true;
  });
}

bool Access::AddElement(const KeyRef& key, ElementType type, std::string_view id,
                        const Value& payload) {
  LoadedEntry entry = LoadForWrite(key);
  DropDeadlineOfNothing(entry);
  bool fresh = false;
  ChangeElement(entry, type, id, [&](const Element& element, Item& item) {
    fresh = !element.live();
    item.value = payload.kind == Value::Kind::kNone ? Value::Bytes("") : payload;
    // A set's members carry no payload: adding one that is there changes nothing.
    return fresh || payload.kind != Value::Kind::kNone;
  });
  Keep(entry);
  return fresh;
}

bool Access::RemoveElement(const KeyRef& key, ElementType type, std::string_view id) {
  LoadedEntry entry = LoadForWrite(key);
  const bool removed = ChangeElement(entry, type, id, [&](const Element& element, Item& item) {
    item.removed = true;
    return element.live();
  });
  if (removed) DropDeadlineOfNothing(entry);
  Keep(entry);
  return removed;
}

Result<int64_t> Access::IncrementElement(const KeyRef& key, ElementType type, std::string_view id,
                                         int64_t by) {
  LoadedEntry entry = LoadForWrite(key);
  DropDeadlineOfNothing(entry);
  std::optional<Error> error;
  std::optional<Number> sum;
  ChangeElement(entry, type, id, [&](const Element& element, Item& item) {
    ScoreText text;
    const Value current = element.live() ? element.Payload(text) : Value::OfNumber({});
    if (current.kind != Value::Kind::kNumber || !current.number.is_integer()) {
      error = Error{Code::kInvalidArgument, "the element is not an integer"};
      return false;
    }
    item.part = Part::kElementSlot;
    sum = Number::Sum(current.number, Number::FromInt(by));
    const Slot* const own = element.value.Find(keyspace_.impl_->own);
    if (!sum || !sum->fits_int64() || !AddToOwnSlot(item, own, Number::FromInt(by))) {
      error = Error{Code::kOutOfRange, "the sum is beyond 64 bits"};
      return false;
    }
    return true;
  });
  Keep(entry);  // also keeps the deletion of what had expired
  if (error) return *std::move(error);
  return sum->ClampedInt64();
}

Result<Number> Access::IncrementElementDecimal(const KeyRef& key, ElementType type,
                                               std::string_view id, const Number& by) {
  LoadedEntry entry = LoadForWrite(key);
  DropDeadlineOfNothing(entry);
  Result<Number> sum = Number{};
  ChangeElement(entry, type, id, [&](const Element& element, Item& item) {
    std::optional<Number> current = Number{};
    if (element.live()) {
      ScoreText text;
      const Value payload = element.Payload(text);
      current = payload.kind == Value::Kind::kNumber ? payload.number
                                                     : Number::ParseDecimal(payload.bytes);
    }
    sum = current ? DecimalSum(*current, by)
                  : Error{Code::kInvalidArgument, "the element is not an exact decimal"};
    if (!sum) return false;
    item.part = Part::kElementSlot;
    if (AddToOwnSlot(item, element.value.Find(keyspace_.impl_->own), by)) return true;
    sum = OwnNetOverflows();
    return false;
  });
  Keep(entry);
  return sum;
}

void Access::ChangeScore(const KeyRef& key, std::string_view member, const ScoreDecision& decide) {
  constexpr ElementType kMember = ElementType::kSortedSet;
  LoadedEntry entry = LoadForWrite(key);
  DropDeadlineOfNothing(entry);
  ChangeElement(entry, kMember, member, [&](const Element& element, Item& item) {
    std::optional<double> present;
    if (element.live()) present = ScoreOf(element.value);
    const std::optional<double> score = decide(present);
    if (!score || score == present) return false;
    item.value = ScoreValue(*score, score_text_);
    return true;
  });
  Keep(entry);
}

Result<double> Access::IncrementScore(const KeyRef& key, std::string_view member, double by) {
  constexpr ElementType kMember = ElementType::kSortedSet;
  LoadedEntry entry = LoadForWrite(key);
  DropDeadlineOfNothing(entry);
  const bool written =
      ChangeElement(entry, kMember, member, [&](const Element& element, Item& item) {
        const Register current = element.live() ? element.value : Register{};
        const double sum = ScoreOf(current) + by;
        if (std::isnan(sum)) return false;
        const std::optional<Number> exact = ExactNumber(by);
        // The whole must fit as well: a clamped sum would not be the score.
        const bool fits = exact && Number::Sum(current.Sum(), *exact);
        item.part = Part::kElementSlot;
        if (fits && AddToOwnSlot(item, element.value.Find(keyspace_.impl_->own), *exact))
          return true;
        item.part = Part::kElement;
        item.value = ScoreValue(sum, score_text_);
        return true;
      });
  double score = 0;
  if (written) {
    score = ScoreOf(entry.state.collection.Find(*entry.space, kMember, member)->value);
  }
  Keep(entry);  // also keeps the deletion of what had expired
  if (!written) return Error{Code::kOutOfRange, "the resulting score is not a number"};
  return score;
}

void Access::RemoveAt(LoadedEntry& entry, ElementType type, size_t position,
                      const ElementVisitor& taken) {
  Item item = ElementItemOf(Part::kElement, entry.key, type, {});
  item.removed = true;
  Shard& shard = ShardOf(entry.key);
  const Stamp reset = shard.Reset(entry);
  if (shard.speculation != nullptr) shard.RememberElementAt(entry, type, position);
  absl::InlinedVector<char, 64> id;  // what is removed moves
  const ElementChange change =
      entry.state.collection.UpdateAt(*entry.space, type, position, [&](Element& element) {
        if (taken) taken(element.id, element.Payload(score_text_));
        id.assign(element.id.begin(), element.id.end());
        item.element = {id.data(), id.size()};
        return MergeOwn(element, item, reset);
      });
  if (change.changed) Wrote(entry, item, change);
}

size_t Access::RemoveRange(const KeyRef& key, ElementType type, size_t first, size_t count,
                           bool reverse, const ElementVisitor& taken) {
  LoadedEntry entry = LoadForWrite(key);
  const size_t live = entry.state.collection.live(type);
  count = first >= live ? 0 : std::min(count, reverse ? first + 1 : live - first);
  for (size_t i = 0; i < count; ++i) RemoveAt(entry, type, reverse ? first - i : first, taken);
  if (count > 0) DropDeadlineOfNothing(entry);
  Keep(entry);
  return count;
}

}  // namespace starling
