// Sorted sets and lists: live elements in order.
#include "storage/collection.h"

namespace starling {

void Collection::VisitLiveFrom(CollectionSpace& space, ElementType type, size_t first,
                               ScoreText& text, CollectionPart::PayloadVisitor visit) const {
  if (const CollectionPart* const part = PartOf(type)) {
    return part->VisitLiveFrom(first, text, visit);
  }
  ElementBlock* const block = BlockOf(type);
  if (block == nullptr || first >= block->live()) return;
  ElementBlock::Cursor cursor(block, space);
  for (cursor.SkipLive(first); !cursor.AtEnd(); cursor.Next()) {
    if (cursor.live() && !visit(cursor.Id(), cursor.Payload(text))) return;
  }
}

std::optional<size_t> Collection::RankOf(CollectionSpace& space, ElementType type,
                                         std::string_view id) const {
  const CollectionPart* part = PartOf(type);
  if (part != nullptr) return part->RankOf(id);
  if (BlockOf(type) == nullptr) return std::nullopt;
  size_t rank = 0;
  for (ElementBlock::Cursor cursor(block(), space); !cursor.AtEnd(); cursor.Next()) {
    if (!cursor.live()) continue;
    if (cursor.CompareId(id) == 0) return rank;
    ++rank;
  }
  return std::nullopt;
}

size_t Collection::CountBelowScore(CollectionSpace& space, double score, bool inclusive) const {
  constexpr ElementType kType = ElementType::kSortedSet;
  const CollectionPart* part = PartOf(kType);
  if (part != nullptr) return part->CountBelowScore(score, inclusive);
  if (BlockOf(kType) == nullptr) return 0;
  size_t below = 0;
  for (ElementBlock::Cursor cursor(block(), space); !cursor.AtEnd(); cursor.Next()) {
    if (!cursor.live()) continue;
    const double other = cursor.Score();
    if (inclusive ? other > score : other >= score) break;
    ++below;
  }
  return below;
}

size_t Collection::CountBelowId(CollectionSpace& space, ElementType type, std::string_view id,
                                bool inclusive) const {
  const CollectionPart* part = PartOf(type);
  if (part != nullptr) return part->CountBelowId(id, inclusive);
  if (BlockOf(type) == nullptr) return 0;
  size_t below = 0;
  for (ElementBlock::Cursor cursor(block(), space); !cursor.AtEnd(); cursor.Next()) {
    if (!cursor.live()) continue;
    const int order = cursor.CompareId(id);
    if (inclusive ? order > 0 : order >= 0) break;
    ++below;
  }
  return below;
}

void Collection::VisitInOrder(CollectionSpace& space, ElementType type, size_t first, bool reverse,
                              OrderVisitor visit) const {
  if (const CollectionPart* const part = PartOf(type)) {
    return part->VisitInOrder(first, reverse, visit);
  }
  if (BlockOf(type) == nullptr || first >= block()->live()) return;
  if (reverse) return (void)ElementBlock::VisitBackwards(block(), first + 1, visit, space);
  for (ElementBlock::Cursor cursor(block(), space); !cursor.AtEnd(); cursor.Next()) {
    if (!cursor.live()) continue;
    if (first > 0) {
      --first;
    } else if (!visit(cursor.Get())) {
      return;
    }
  }
}

}  // namespace starling
