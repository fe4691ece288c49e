#include "storage/list_elements.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"

namespace starling {

/// Counts what is taken and given back within a scope as the list's.
class ListElements::Measure {
 public:
  explicit Measure(ListElements& list) : list_(list), before_(list.space_.outside_bytes) {}
  ~Measure() {
    list_.CountTree();
    list_.bytes_ += list_.space_.outside_bytes - before_;
  }

 private:
  ListElements& list_;
  size_t before_;
};

ListElements::ListElements(ElementBlock* first, CollectionSpace& space)
    : CollectionPart(ElementType::kList, space) {
  for (ElementBlock::Cursor cursor(first, space_); !cursor.AtEnd(); cursor.Next()) {
    const Element element = cursor.Get();
    CountStamps(element);
    CountLive({}, element.NewestLive());
    ++size_;
  }
  tree_.Insert(0, LeafFor(first));
  bytes_ = ElementBlock::BytesWithPayloads(first, space_);
  Measure measure(*this);
}

ListElements::~ListElements() {
  while (!FreeSome(SIZE_MAX)) {
  }
  space_.outside_bytes -= tree_bytes_;
}

void ListElements::CountTree() {
  const size_t bytes = sizeof *this + tree_.memory_bytes();
  space_.outside_bytes += bytes - tree_bytes_;
  tree_bytes_ = bytes;
}

// --- finding ---

ListElements::Place ListElements::Locate(std::string_view id) const {
  const size_t last = tree_.size() - 1;
  if (ElementBlock* const block = tree_.At(last).block; block->EndsBefore(id)) {
    ElementBlock::Cursor cursor(block, space_);
    cursor.ToEnd();
    return {last, cursor, false};
  }
  // Where a list is popped from, its first block is asked for again and again.
  if (last > 0 && ElementBlock::Cursor(tree_.At(1).block, space_).CompareId(id) > 0) {
    Place place{0, ElementBlock::Cursor(tree_.At(0).block, space_), false};
    place.found = ElementBlock::Find(place.cursor, id);
    return place;
  }
  const size_t after = tree_.PartitionPoint([&](const Leaf& leaf) {
    return ElementBlock::Cursor(leaf.block, space_).CompareId(id) <= 0;
  });
  const size_t ordinal = after == 0 ? 0 : after - 1;
  Place place{ordinal, ElementBlock::Cursor(tree_.At(ordinal).block, space_), false};
  place.found = ElementBlock::Find(place.cursor, id);
  return place;
}

std::optional<Element> ListElements::Find(std::string_view id) const {
  const Place place = Locate(id);
  if (!place.found) return std::nullopt;
  return place.cursor.Get();
}

bool ListElements::Has(std::string_view id) const {
  const Place place = Locate(id);
  return place.found && place.cursor.live();
}

bool ListElements::Stands(const ElementBlock::Cursor& cursor, const ElementTombstone& tombstone) {
  return !cursor.AtEnd() && !cursor.live() && cursor.version().stamp == tombstone.version.stamp &&
         cursor.version().origin == tombstone.version.origin &&
         cursor.CompareId(*tombstone.name.list_id) == 0;
}

// --- changing ---

bool ListElements::Update(std::string_view id, Change change) {
  Place place = Locate(id);
  Element element;
  if (place.found) element = place.cursor.Get();
  element.type = type_;
  element.id = id;
  const Stamp before = element.NewestLive();
  if (!change(element)) return false;
  Measure measure(*this);
  if (removed_ && removed_->block() == place.cursor.block()) removed_.reset();
  CountStamps(element);
  CountLive(before, element.NewestLive());
  if (!place.found) ++size_;
  Keep(place.ordinal, ElementBlock::Put(place.cursor, place.found, element));
  return true;
}

bool ListElements::UpdateAt(size_t position, Change change) {
  const Tree::Place place = tree_.FindWeight(position);
  ElementBlock::Cursor cursor = Begin(tree_.At(place.ordinal).block);
  cursor.SkipLive(position - place.weight_before);
  Element element;
  cursor.GetTo(element);
  const Stamp before = element.NewestLive();
  if (!change(element)) return false;
  Measure measure(*this);
  CountStamps(element);
  CountLive(before, element.NewestLive());
  removed_.reset();
  const size_t leaves = tree_.size();
  ElementBlock* const block = ElementBlock::Put(cursor, true, element);
  const size_t count = block->count();
  Keep(place.ordinal, block);
  const bool kept =
      tree_.size() == leaves && tree_.At(place.ordinal).block == block && block->count() == count;
  if (kept && position == place.weight_before) removed_ = cursor.MovedTo(block);
  return true;
}

ElementBlock::Cursor ListElements::Begin(ElementBlock* block) const {
  if (removed_ && removed_->block() == block) return *removed_;
  return ElementBlock::Cursor(block, space_);
}

size_t ListElements::Free(std::span<ElementTombstone> tombstones, Visitor dropped) {
  // What was popped stands side by side and goes at once.
  std::sort(tombstones.begin(), tombstones.end(),
            [](const auto& a, const auto& b) { return *a.name.list_id < *b.name.list_id; });
  size_t freed = 0;
  for (size_t next = 0; next < tombstones.size();) {
    Place place = Locate(*tombstones[next].name.list_id);
    size_t run = 0;
    for (ElementBlock::Cursor cursor = place.cursor;
         next < tombstones.size() && Stands(cursor, tombstones[next]); cursor.Next()) {
      dropped(cursor.Get());
      ++run;
      ++next;
    }
    if (run == 0) {
      ++next;
      continue;
    }
    Measure measure(*this);
    removed_.reset();
    size_ -= run;
    freed += run;
    Keep(place.ordinal, ElementBlock::Erase(place.cursor, run));
  }
  return freed;
}

void ListElements::Keep(size_t ordinal, ElementBlock* block) {
  if (block->count() == 0 && tree_.size() > 1) {
    ElementBlock::Delete(block, space_);
    tree_.Erase(ordinal);
    return;
  }
  tree_.Set(ordinal, LeafFor(block));
  if (block->bytes() > kBlockBytes && block->count() > 1) {
    Split(ordinal, block);
  } else if (block->bytes() < kBlockBytes / 4) {
    if (!JoinWithNext(ordinal) && ordinal > 0) JoinWithNext(ordinal - 1);
  }
}

void ListElements::Split(size_t ordinal, ElementBlock* block) {
  // An end that is pushed to leaves a full block behind; elsewhere it is halved.
  ElementBlock::Cursor cursor(block, space_);
  const bool at_back = ordinal + 1 == tree_.size();
  const size_t wanted = at_back ? block->bytes() - 1 : ordinal == 0 ? 1 : block->bytes() / 2;
  cursor.Next();
  for (;;) {
    ElementBlock::Cursor next = cursor;
    next.Next();
    if (cursor.offset() >= wanted || next.AtEnd()) break;
    cursor = next;
  }
  ElementBlock* const rest = ElementBlock::SplitOff(cursor, block);
  tree_.Set(ordinal, LeafFor(block));
  tree_.Insert(ordinal + 1, LeafFor(rest));
}

bool ListElements::JoinWithNext(size_t ordinal) {
  if (ordinal + 1 >= tree_.size()) return false;
  ElementBlock* const left = tree_.At(ordinal).block;
  ElementBlock* const right = tree_.At(ordinal + 1).block;
  if (left->bytes() + right->bytes() > kBlockBytes / 2) return false;
  tree_.Erase(ordinal + 1);
  tree_.Set(ordinal, LeafFor(ElementBlock::Append(left, right, space_)));
  return true;
}

void ListElements::Purge(Stamp reset, PurgeVisitor changed) {
  Measure measure(*this);
  removed_.reset();
  for (size_t ordinal = tree_.size(); ordinal-- > 0;) {
    ElementBlock* block = tree_.At(ordinal).block;
    if (block->oldest() > reset) continue;
    block = ElementBlock::Purge(
        block, reset,
        [&](const Element& element, bool whole) {
          size_ -= whole ? 1 : 0;
          changed(element, whole);
        },
        space_);
    if (block->count() == 0 && tree_.size() > 1) {
      ElementBlock::Delete(block, space_);
      tree_.Erase(ordinal);
    } else {
      tree_.Set(ordinal, LeafFor(block));
    }
  }
  live_ = tree_.weight();
  newest_live_gone_ = true;
  oldest_ = std::max(oldest_, reset.next());
}

bool ListElements::FreeSome(size_t limit) {
  Measure measure(*this);
  removed_.reset();
  size_t freed = 0;
  while (tree_.size() > 0 && freed < limit) {
    ElementBlock* const block = tree_.At(tree_.size() - 1).block;
    freed += block->count();
    tree_.Erase(tree_.size() - 1);
    ElementBlock::Delete(block, space_);
  }
  return tree_.size() == 0;
}

// --- going over all ---

void ListElements::ForEach(Visitor visit) const {
  tree_.VisitFrom(0, false, [&](const Leaf& leaf) {
    for (ElementBlock::Cursor cursor(leaf.block, space_); !cursor.AtEnd(); cursor.Next()) {
      visit(cursor.Get());
    }
    return true;
  });
}

void ListElements::ForEachLive(ScoreText& text, PayloadVisitor visit) const {
  VisitLiveFrom(0, text, visit);
}

void ListElements::VisitLiveFrom(size_t first, ScoreText& text, PayloadVisitor visit) const {
  if (first >= tree_.weight()) return;
  const Tree::Place place = tree_.FindWeight(first);
  size_t skip = first - place.weight_before;
  tree_.VisitFrom(place.ordinal, false, [&](const Leaf& leaf) {
    if (leaf.live == 0) return true;
    ElementBlock::Cursor cursor = Begin(leaf.block);
    for (cursor.SkipLive(std::exchange(skip, 0)); !cursor.AtEnd(); cursor.Next()) {
      if (cursor.live() && !visit(cursor.Id(), cursor.Payload(text))) return false;
    }
    return true;
  });
}

void ListElements::ForEachNamed(const ElementName& name, Visitor visit) const {
  if (!name.list_id) return;
  const Place place = Locate(*name.list_id);
  if (place.found) visit(place.cursor.Get());
}

uint64_t ListElements::Scan(uint64_t, size_t, Visitor visit) const {
  ForEach(visit);
  return 0;
}

bool ListElements::Walk(ElementsWalked& walked, Stamp since, size_t count, Visitor visit) const {
  size_t ordinal = 0;
  if (!walked.id.empty()) ordinal = Locate(walked.id).ordinal;
  const std::string from = std::move(walked.id);
  walked.id.clear();
  size_t steps = 0;
  bool first = true;
  tree_.VisitFrom(ordinal, false, [&](const Leaf& leaf) {
    const bool resumed = std::exchange(first, false);
    for (ElementBlock::Cursor cursor(leaf.block, space_); !cursor.AtEnd(); cursor.Next()) {
      if (resumed && !from.empty() && cursor.CompareId(from) < 0) continue;
      if (steps == count) {
        walked.id = cursor.Id();
        return false;
      }
      ++steps;
      if (leaf.block->newest() <= since) break;  // leaving it out takes a step, too
      visit(cursor.Get());
    }
    return true;
  });
  return walked.id.empty();
}

Element ListElements::Random(std::mt19937_64& random) const {
  STARLING_CHECK(live_ > 0);
  Element found;
  VisitInOrder(random() % live_, false, [&](const Element& element) {
    found = element;
    return false;
  });
  return found;
}

// --- order ---

std::optional<size_t> ListElements::RankOf(std::string_view id) const {
  const Place place = Locate(id);
  if (!place.found || !place.cursor.live()) return std::nullopt;
  return CountBelowId(id, false);
}

size_t ListElements::CountBelowId(std::string_view id, bool inclusive) const {
  const Place place = Locate(id);
  size_t below = tree_.WeightBefore(place.ordinal);
  for (ElementBlock::Cursor cursor(place.cursor.block(), space_);
       cursor.offset() < place.cursor.offset(); cursor.Next()) {
    below += cursor.live() ? 1 : 0;
  }
  return below + (inclusive && place.found && place.cursor.live() ? 1 : 0);
}

void ListElements::VisitInOrder(size_t first, bool reverse, OrderVisitor visit) const {
  if (first >= tree_.weight()) return;
  const Tree::Place place = tree_.FindWeight(first);
  size_t within = first - place.weight_before;
  bool fresh = true;
  tree_.VisitFrom(place.ordinal, reverse, [&](const Leaf& leaf) {
    if (leaf.live == 0) return true;
    if (!reverse) {
      size_t skip = std::exchange(fresh, false) ? within : 0;
      for (ElementBlock::Cursor cursor = Begin(leaf.block); !cursor.AtEnd(); cursor.Next()) {
        if (!cursor.live()) continue;
        if (skip > 0) {
          --skip;
        } else if (!visit(cursor.Get())) {
          return false;
        }
      }
      return true;
    }
    return ElementBlock::VisitBackwards(
        leaf.block, std::exchange(fresh, false) ? within + 1 : leaf.live, visit, space_);
  });
}

}  // namespace starling
