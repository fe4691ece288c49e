/// A sequence that knows positions: a B+tree whose inner nodes count what stands below them.
///
/// Entries stand in the order in which they are inserted by position; a caller that keeps them
/// sorted finds its place with PartitionPoint. Each entry has a weight (`entry.weight()`, one
/// element or a block of several), and the tree finds the entry that holds the n-th unit of weight.
/// All of it in O(log n). Source: Bayer and McCreight's B-tree, 1972, with counts. A node that is
/// filled at either end is not halved, so that appending fills nodes whole. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "storage/check.h"

namespace starling {

template <typename Entry, size_t kLeafEntries = 64>
class CountedTree {
 public:
  CountedTree() = default;
  ~CountedTree() { Free(root_); }
  CountedTree(const CountedTree&) = delete;
  CountedTree& operator=(const CountedTree&) = delete;

  size_t size() const { return root_ == nullptr ? 0 : EntriesOf(root_); }
  size_t weight() const { return root_ == nullptr ? 0 : WeightOf(root_); }
  size_t memory_bytes() const { return leaves_ * sizeof(Leaf) + inners_ * sizeof(Inner); }

  /// The entry at `ordinal` < size().
  const Entry& At(size_t ordinal) const {
    STARLING_CHECK(ordinal < size());
    const Node* node = root_;
    while (!node->leaf) node = InnerOf(node)->children[ChildAt(InnerOf(node), ordinal)].node;
    return LeafOf(node)->entries[ordinal];
  }

  /// How many entries from the front `before(entry)` holds for; it must hold for a prefix.
  template <typename Before>
  size_t PartitionPoint(Before&& before) const {
    if (root_ == nullptr) return 0;
    const Node* node = root_;
    size_t ordinal = 0;
    while (!node->leaf) {
      const Inner* inner = InnerOf(node);
      size_t low = 0;  // the last child whose first entry is before, or the first child
      for (size_t high = inner->count; high - low > 1;) {
        const size_t middle = (low + high) / 2;
        (before(inner->children[middle].first) ? low : high) = middle;
      }
      for (size_t i = 0; i < low; ++i) ordinal += inner->children[i].entries;
      node = inner->children[low].node;
    }
    const Leaf* leaf = LeafOf(node);
    size_t low = 0;
    for (size_t high = leaf->count; low < high;) {
      const size_t middle = (low + high) / 2;
      if (before(leaf->entries[middle])) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return ordinal + low;
  }

  struct Place {
    size_t ordinal = 0;        ///< Of the entry.
    size_t weight_before = 0;  ///< Of all entries before it.
  };
  /// The entry that holds unit `position` < weight().
  Place FindWeight(size_t position) const {
    STARLING_CHECK(position < weight());
    Place place;
    const Node* node = root_;
    while (!node->leaf) {
      for (const Child* child = InnerOf(node)->children;; ++child) {
        node = child->node;
        if (position - place.weight_before < child->weight) break;
        place.weight_before += child->weight;
        place.ordinal += child->entries;
      }
    }
    for (const Entry* entry = LeafOf(node)->entries;; ++entry) {
      if (position - place.weight_before < entry->weight()) return place;
      place.weight_before += entry->weight();
      ++place.ordinal;
    }
  }

  /// The weight of the entries before `ordinal` <= size().
  size_t WeightBefore(size_t ordinal) const {
    if (ordinal >= size()) return weight();
    size_t before = 0;
    const Node* node = root_;
    while (!node->leaf) {
      const Inner* inner = InnerOf(node);
      const size_t at = ChildAt(inner, ordinal);
      for (size_t i = 0; i < at; ++i) before += inner->children[i].weight;
      node = inner->children[at].node;
    }
    for (size_t i = 0; i < ordinal; ++i) before += LeafOf(node)->entries[i].weight();
    return before;
  }

  /// Puts `entry` at `ordinal` <= size(), before what stands there.
  void Insert(size_t ordinal, const Entry& entry) {
    STARLING_CHECK(ordinal <= size());
    if (root_ == nullptr) root_ = NewLeaf();
    Node* const added = InsertInto(root_, ordinal, entry);
    if (added == nullptr) return;
    Inner* const root = NewInner();
    root->count = 2;
    root->children[0] = ChildFor(root_);
    root->children[1] = ChildFor(added);
    root_ = root;
  }

  /// Replaces the entry at `ordinal` < size().
  void Set(size_t ordinal, const Entry& entry) {
    STARLING_CHECK(ordinal < size());
    SetIn(root_, ordinal, entry);
  }

  /// Removes the entry at `ordinal` < size().
  void Erase(size_t ordinal) {
    STARLING_CHECK(ordinal < size());
    EraseFrom(root_, ordinal);
    while (root_ != nullptr && (root_->count == 0 || (!root_->leaf && root_->count == 1))) {
      Node* const old = root_;
      root_ = old->count == 0 ? nullptr : InnerOf(old)->children[0].node;
      FreeOne(old);
    }
  }

  /// Frees nodes with about `entries` entries of a tree that is of no further use; true when all
  /// are freed.
  bool FreeSome(size_t entries) {
    for (; root_ != nullptr && entries > 0; entries -= std::min(entries, kLeafEntries)) {
      if (root_->leaf || !DropLastLeaf(InnerOf(root_))) {
        FreeOne(root_);
        root_ = nullptr;
      }
    }
    return root_ == nullptr;
  }

  /// Visits entries from `ordinal` on, or with `reverse` from it back to the first, until
  /// `visit(entry)` says false.
  template <typename Visit>
  void VisitFrom(size_t ordinal, bool reverse, Visit&& visit) const {
    if (ordinal < size()) Go(root_, ordinal, reverse, visit);
  }

 private:
  static constexpr size_t kChildren = 32;

  struct Node {
    uint16_t count = 0;
    bool leaf = false;
  };
  struct Leaf : Node {
    Entry entries[kLeafEntries];
  };
  struct Child {
    Node* node;
    size_t entries;
    size_t weight;
    Entry first;
  };
  struct Inner : Node {
    Child children[kChildren];
  };

  static Leaf* LeafOf(Node* node) { return static_cast<Leaf*>(node); }
  static const Leaf* LeafOf(const Node* node) { return static_cast<const Leaf*>(node); }
  static Inner* InnerOf(Node* node) { return static_cast<Inner*>(node); }
  static const Inner* InnerOf(const Node* node) { return static_cast<const Inner*>(node); }

  Leaf* NewLeaf() {
    ++leaves_;
    Leaf* const leaf = new Leaf;
    leaf->leaf = true;
    return leaf;
  }
  Inner* NewInner() {
    ++inners_;
    return new Inner;
  }
  void FreeOne(Node* node) {
    if (node->leaf) {
      --leaves_;
      delete LeafOf(node);
    } else {
      --inners_;
      delete InnerOf(node);
    }
  }
  void Free(Node* node) {
    if (node == nullptr) return;
    for (size_t i = 0; !node->leaf && i < node->count; ++i) Free(InnerOf(node)->children[i].node);
    FreeOne(node);
  }

  static size_t EntriesOf(const Node* node) {
    if (node->leaf) return node->count;
    size_t entries = 0;
    for (size_t i = 0; i < node->count; ++i) entries += InnerOf(node)->children[i].entries;
    return entries;
  }
  static size_t WeightOf(const Node* node) {
    size_t weight = 0;
    for (size_t i = 0; i < node->count; ++i) {
      weight += node->leaf ? LeafOf(node)->entries[i].weight() : InnerOf(node)->children[i].weight;
    }
    return weight;
  }
  static Child ChildFor(Node* node) {
    const Entry& first = node->leaf ? LeafOf(node)->entries[0] : InnerOf(node)->children[0].first;
    return {node, EntriesOf(node), WeightOf(node), first};
  }

  /// The child that holds `ordinal` (the last for one past the end), which becomes the place in it.
  static size_t ChildAt(const Inner* inner, size_t& ordinal) {
    size_t at = 0;
    for (; at + 1 < inner->count && ordinal >= inner->children[at].entries; ++at) {
      ordinal -= inner->children[at].entries;
    }
    return at;
  }

  template <typename T>
  static void InsertAt(T* items, uint16_t& count, size_t at, const T& item) {
    std::copy_backward(items + at, items + count, items + count + 1);
    items[at] = item;
    ++count;
  }

  /// Where a full node is cut so that an insertion at `at` has room: at either end it stays whole.
  static size_t CutFor(size_t capacity, size_t at) {
    return at == capacity ? capacity : at == 0 ? 0 : capacity / 2;
  }

  /// Moves items from `cut` on to the new node `to`, inserts, and returns `to`.
  template <typename N, typename T>
  static Node* SplitInsert(N* from, N* to, T* from_items, T* to_items, size_t capacity, size_t at,
                           const T& item) {
    const size_t cut = CutFor(capacity, at);
    std::copy(from_items + cut, from_items + from->count, to_items);
    to->count = static_cast<uint16_t>(from->count - cut);
    from->count = static_cast<uint16_t>(cut);
    // A cut at 0 has emptied the old node: the new item is alone in it. Else at the cut goes right.
    if (at < cut || cut == 0) {
      InsertAt(from_items, from->count, at, item);
    } else {
      InsertAt(to_items, to->count, at - cut, item);
    }
    return to;
  }

  /// Returns the new right neighbour of `node` where it was split.
  Node* InsertInto(Node* node, size_t ordinal, const Entry& entry) {
    if (node->leaf) {
      Leaf* const leaf = LeafOf(node);
      if (leaf->count < kLeafEntries) {
        InsertAt(leaf->entries, leaf->count, ordinal, entry);
        return nullptr;
      }
      Leaf* const right = NewLeaf();
      return SplitInsert(leaf, right, leaf->entries, right->entries, kLeafEntries, ordinal, entry);
    }
    Inner* const inner = InnerOf(node);
    const size_t at = ChildAt(inner, ordinal);
    Node* const added = InsertInto(inner->children[at].node, ordinal, entry);
    inner->children[at] = ChildFor(inner->children[at].node);
    if (added == nullptr) return nullptr;
    const Child child = ChildFor(added);
    if (inner->count < kChildren) {
      InsertAt(inner->children, inner->count, at + 1, child);
      return nullptr;
    }
    Inner* const right = NewInner();
    return SplitInsert(inner, right, inner->children, right->children, kChildren, at + 1, child);
  }

  static void SetIn(Node* node, size_t ordinal, const Entry& entry) {
    if (node->leaf) {
      LeafOf(node)->entries[ordinal] = entry;
      return;
    }
    Inner* const inner = InnerOf(node);
    const size_t at = ChildAt(inner, ordinal);
    SetIn(inner->children[at].node, ordinal, entry);
    inner->children[at] = ChildFor(inner->children[at].node);
  }

  void EraseFrom(Node* node, size_t ordinal) {
    if (node->leaf) {
      Leaf* const leaf = LeafOf(node);
      std::copy(leaf->entries + ordinal + 1, leaf->entries + leaf->count, leaf->entries + ordinal);
      --leaf->count;
      return;
    }
    Inner* const inner = InnerOf(node);
    const size_t at = ChildAt(inner, ordinal);
    EraseFrom(inner->children[at].node, ordinal);
    Mend(inner, at);
  }

  /// Brings the count of a child that has lost something up to date; drops it when it is empty and
  /// joins it with a neighbour when both are far from full.
  void Mend(Inner* inner, size_t at) {
    Node* const child = inner->children[at].node;
    if (child->count == 0) {
      FreeOne(child);
      RemoveChild(inner, at);
      return;
    }
    inner->children[at] = ChildFor(child);
    const size_t capacity = child->leaf ? kLeafEntries : kChildren;
    if (child->count > capacity / 4) return;
    for (const size_t right : {at + 1, at}) {
      if (right == 0 || right >= inner->count) continue;
      const size_t left = right - 1;
      Node* const a = inner->children[left].node;
      Node* const b = inner->children[right].node;
      if (size_t{a->count} + b->count > capacity * 3 / 4) continue;
      if (a->leaf) {
        std::copy(LeafOf(b)->entries, LeafOf(b)->entries + b->count, LeafOf(a)->entries + a->count);
      } else {
        std::copy(InnerOf(b)->children, InnerOf(b)->children + b->count,
                  InnerOf(a)->children + a->count);
      }
      a->count = static_cast<uint16_t>(a->count + b->count);
      FreeOne(b);
      RemoveChild(inner, right);
      inner->children[left] = ChildFor(a);
      return;
    }
  }

  /// False when it has no children left.
  bool DropLastLeaf(Inner* inner) {
    Node* const last = inner->children[inner->count - 1].node;
    if (last->leaf || !DropLastLeaf(InnerOf(last))) {
      FreeOne(last);
      --inner->count;
    }
    return inner->count > 0;
  }

  static void RemoveChild(Inner* inner, size_t at) {
    std::copy(inner->children + at + 1, inner->children + inner->count, inner->children + at);
    --inner->count;
  }

  template <typename Visit>
  static bool Go(const Node* node, size_t ordinal, bool reverse, Visit& visit) {
    if (node->leaf) {
      const Leaf* leaf = LeafOf(node);
      for (size_t i = ordinal; i < leaf->count; reverse ? --i : ++i) {  // wraps around below 0
        if (!visit(leaf->entries[i])) return false;
      }
      return true;
    }
    const Inner* inner = InnerOf(node);
    for (size_t i = ChildAt(inner, ordinal); i < inner->count; reverse ? --i : ++i) {
      if (!Go(inner->children[i].node, ordinal, reverse, visit)) return false;
      const size_t next = reverse ? i - 1 : i + 1;
      ordinal = reverse && next < inner->count ? inner->children[next].entries - 1 : 0;
    }
    return true;
  }

  Node* root_ = nullptr;
  size_t leaves_ = 0;
  size_t inners_ = 0;
};

}  // namespace starling
