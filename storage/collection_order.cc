// The order of sorted sets and lists: a tree of the live elements' handles.
#include "storage/collection.h"

namespace starling {

size_t Collection::OrderBytes() const {
  size_t bytes = 0;
  for (const auto& order : orders_) bytes += order ? sizeof *order + order->memory_bytes() : 0;
  return bytes;
}

size_t Collection::PlaceOf(const Order& order, const Element& element) const {
  if (element.type != ElementType::kSortedSet) {
    return order.PartitionPoint(
        [&](OrderedHandle other) { return At(other.handle).id < element.id; });
  }
  const double score = ScoreOf(element.value);
  return order.PartitionPoint([&](OrderedHandle handle) {
    const Element other = At(handle.handle);
    const double other_score = ScoreOf(other.value);
    return other_score != score ? other_score < score : other.id < element.id;
  });
}

void Collection::EnterOrder(Handle handle) {
  const Element element = At(handle);
  if (!IsOrdered(element.type) || !element.live()) return;
  auto& order = orders_[static_cast<size_t>(element.type)];
  if (!order) order = std::make_unique<Order>();
  order->Insert(PlaceOf(*order, element), {handle});
}

void Collection::LeaveOrder(Handle handle) {
  const Element element = At(handle);
  if (!IsOrdered(element.type) || !element.live()) return;
  Order& order = *orders_[static_cast<size_t>(element.type)];
  const size_t place = PlaceOf(order, element);
  STARLING_CHECK(order.At(place).handle == handle);
  order.Erase(place);
}

std::optional<size_t> Collection::RankOf(ElementType type, std::string_view id) const {
  const std::optional<Element> element = Find(type, id);
  const auto& order = orders_[static_cast<size_t>(type)];
  if (!element || !element->live() || !order) return std::nullopt;
  return PlaceOf(*order, *element);
}

size_t Collection::CountBelowScore(double score, bool inclusive) const {
  const auto& order = orders_[static_cast<size_t>(ElementType::kSortedSet)];
  if (!order) return 0;
  return order->PartitionPoint([&](OrderedHandle other) {
    const double other_score = ScoreOf(At(other.handle).value);
    return inclusive ? other_score <= score : other_score < score;
  });
}

size_t Collection::CountBelowId(ElementType type, std::string_view id, bool inclusive) const {
  const auto& order = orders_[static_cast<size_t>(type)];
  if (!order) return 0;
  return order->PartitionPoint([&](OrderedHandle handle) {
    const std::string_view other = At(handle.handle).id;
    return inclusive ? other <= id : other < id;
  });
}

void Collection::VisitInOrder(ElementType type, size_t first, bool reverse,
                              const std::function<bool(const Element&)>& visit) const {
  const auto& order = orders_[static_cast<size_t>(type)];
  if (!order) return;
  order->VisitFrom(first, reverse, [&](OrderedHandle each) { return visit(At(each.handle)); });
}

}  // namespace starling
