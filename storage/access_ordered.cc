// Sorted sets and lists: positions, scores, ends.
#include <algorithm>

#include "storage/access_parts.h"
#include "storage/keyspace_impl.h"
#include "storage/list_position.h"

namespace starling {
namespace {

constexpr ElementType kMember = ElementType::kSortedSet;
constexpr ElementType kListElement = ElementType::kList;

/// The id of the live element at a position; copied, for what is written next.
std::string IdAt(const LoadedEntry& entry, ElementType type, size_t index) {
  std::string id;
  entry.state.collection.VisitInOrder(*entry.space, type, index, false,
                                      [&](const Element& element) {
                                        id = element.id;
                                        return false;
                                      });
  return id;
}

size_t LiveOf(const LoadedEntry& entry, ElementType type) {
  return entry.state.collection.live(type);
}

}  // namespace

// --- reading ---

std::optional<double> Access::Score(const KeyRef& key, std::string_view member) {
  const auto [collection, space] = Seen(key, kMember);
  const std::optional<Element> element = collection.Find(space, kMember, member);
  if (!element || !element->live()) return std::nullopt;
  return ScoreOf(element->value);
}

std::optional<size_t> Access::RankOf(const KeyRef& key, ElementType type, std::string_view id) {
  const auto [collection, space] = Seen(key, type);
  return collection.RankOf(space, type, id);
}

size_t Access::CountBelow(const KeyRef& key, double score, bool inclusive) {
  const auto [collection, space] = Seen(key, kMember);
  return collection.CountBelowScore(space, score, inclusive);
}

size_t Access::CountBelowMember(const KeyRef& key, std::string_view member, bool inclusive) {
  const auto [collection, space] = Seen(key, kMember);
  return collection.CountBelowId(space, kMember, member, inclusive);
}

void Access::ForEachInOrder(const KeyRef& key, ElementType type, size_t first, size_t count,
                            bool reverse, const OrderVisitor& visit) {
  const auto [collection, space] = Seen(key, type);
  const size_t live = collection.live(type);
  if (first >= live || count == 0) return;
  if (!reverse) {
    return collection.VisitLiveFrom(space, type, first, score_text_,
                                    [&](std::string_view id, const Value& payload) {
                                      return visit(id, payload) && --count > 0;
                                    });
  }
  collection.VisitInOrder(space, type, live - 1 - first, reverse, [&](const Element& element) {
    return visit(element.id, element.Payload(score_text_)) && --count > 0;
  });
}

std::optional<Value> Access::ElementAt(const KeyRef& key, size_t index) {
  std::optional<Value> found;
  const auto [collection, space] = Seen(key, kListElement);
  collection.VisitInOrder(space, kListElement, index, false, [&](const Element& element) {
    found = element.Payload(score_text_);
    return false;
  });
  return found;
}

// --- lists ---

template <typename MakeId>
void Access::WriteListElement(LoadedEntry& entry, const Value& payload, MakeId&& make_id) {
  DropDeadlineOfNothing(entry);
  const Stamp stamp = keyspace_.clock_.Draw();
  const std::string id = make_id(stamp);
  Item item = ElementItemOf(Part::kElement, entry.key, kListElement, id);
  item.value = payload.kind == Value::Kind::kNone ? Value::Bytes("") : payload;
  item.stamp = stamp;
  WriteStamped(entry, item);
}

void Access::PushElement(const KeyRef& key, bool left, const Value& payload) {
  LoadedEntry entry = LoadForWrite(key);
  WriteListElement(entry, payload, [&](Stamp stamp) {
    return ListEndId(left ? ListSide::kLeft : ListSide::kRight, stamp, keyspace_.origin());
  });
  Keep(entry);
}

void Access::InsertElementAt(const KeyRef& key, size_t index, const Value& payload) {
  LoadedEntry entry = LoadForWrite(key);
  const size_t length = LiveOf(entry, kListElement);
  STARLING_CHECK(index <= length);
  std::string after, before;
  const auto look = [&] {
    after = index == 0 ? std::string() : IdAt(entry, kListElement, index - 1);
    before = index == length ? std::string() : IdAt(entry, kListElement, index);
  };
  look();
  if (after.size() + kListStepBytes > kMaxListIdBytes) {
    ShortenListIds(entry, index);
    look();
  }
  WriteListElement(entry, payload, [&](Stamp stamp) {
    return ListIdBetween(after, before, stamp, keyspace_.origin());
  });
  Keep(entry);
}

void Access::ShortenListIds(LoadedEntry& entry, size_t index) {
  const size_t length = LiveOf(entry, kListElement);
  const bool right = length - index < index;
  // Copied first: writing moves what is borrowed.
  std::vector<std::pair<std::string, std::string>> moved;
  std::vector<Value> values;
  entry.state.collection.VisitInOrder(*entry.space, kListElement, index - 1, !right,
                                      [&](const Element& element) {
                                        ScoreText text;
                                        values.push_back(element.Payload(text));
                                        moved.emplace_back(element.id, values.back().bytes);
                                        return true;
                                      });
  // From the left neighbour of what will be inserted outwards, each pushed beyond the one before.
  for (size_t i = 0; i < moved.size(); ++i) {
    if (values[i].kind == Value::Kind::kBytes) values[i].bytes = moved[i].second;
    WriteListElement(entry, values[i], [&](Stamp stamp) {
      return ListEndId(right ? ListSide::kRight : ListSide::kLeft, stamp, keyspace_.origin());
    });
    Item item = ElementItemOf(Part::kElement, entry.key, kListElement, moved[i].first);
    item.removed = true;
    Write(entry, item);
  }
}

void Access::SetElementAt(const KeyRef& key, size_t index, const Value& payload) {
  LoadedEntry entry = LoadForWrite(key);
  STARLING_CHECK(index < LiveOf(entry, kListElement));
  WriteElement(entry, kListElement, IdAt(entry, kListElement, index), payload);
  Keep(entry);
}

}  // namespace starling
