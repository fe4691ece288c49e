/// A long list: a counted tree whose leaves are packed blocks (element_block.h).
///
/// Ends, positions and ids are found in O(log n) and a scan of one block. Blocks hold tombstones
/// beside live elements, so that what is removed at an end costs nothing until it is freed. Not
/// thread-safe: the shard's mutex guards it.
#pragma once

#include <optional>
#include <random>

#include "storage/collection_part.h"
#include "storage/counted_tree.h"
#include "storage/element_block.h"

namespace starling {

class ListElements final : public CollectionPart {
 public:
  /// Bytes of a block: the larger, the fewer headers and the longer its scan.
  static constexpr size_t kBlockBytes = 2048;

  /// Takes over `first`, a block of a list.
  ListElements(ElementBlock* first, CollectionSpace& space);
  ~ListElements() override;

  size_t size() const override { return size_; }
  size_t memory_bytes() const override { return bytes_; }
  std::optional<Element> Find(std::string_view id) const override;
  bool Update(std::string_view id, Change change) override;
  bool UpdateAt(size_t position, Change change) override;
  size_t Free(std::span<ElementTombstone> tombstones, Visitor dropped) override;
  void Purge(Stamp reset, PurgeVisitor changed) override;
  bool FreeSome(size_t limit) override;
  bool Has(std::string_view id) const override;
  void ForEachLive(ScoreText& text, PayloadVisitor visit) const override;
  void VisitLiveFrom(size_t first, ScoreText& text, PayloadVisitor visit) const override;
  void ForEach(Visitor visit) const override;
  void ForEachNamed(const ElementName& name, Visitor visit) const override;
  uint64_t Scan(uint64_t cursor, size_t count, Visitor visit) const override;
  bool Walk(ElementsWalked& walked, Stamp since, size_t count, Visitor visit) const override;
  Element Random(std::mt19937_64& random) const override;
  std::optional<size_t> RankOf(std::string_view id) const override;
  size_t CountBelowScore(double, bool) const override { return 0; }
  size_t CountBelowId(std::string_view id, bool inclusive) const override;
  void VisitInOrder(size_t first, bool reverse, OrderVisitor visit) const override;

 private:
  struct Leaf {
    ElementBlock* block = nullptr;
    uint32_t live = 0;
    size_t weight() const { return live; }
  };
  using Tree = CountedTree<Leaf, 16>;

  struct Place {
    size_t ordinal;
    ElementBlock::Cursor cursor;
    bool found;
  };
  /// Where the element of `id` stands or would stand.
  Place Locate(std::string_view id) const;
  static bool Stands(const ElementBlock::Cursor& cursor, const ElementTombstone& tombstone);
  /// Keeps what became of a block: in its place, split where it is too long, joined with a
  /// neighbour where both are short, or gone where it is empty and not the last.
  void Keep(size_t ordinal, ElementBlock* block);
  void Split(size_t ordinal, ElementBlock* block);
  bool JoinWithNext(size_t ordinal);
  /// A cursor on the block's first element, or behind some that are not live.
  ElementBlock::Cursor Begin(ElementBlock* block) const;
  static Leaf LeafFor(ElementBlock* block) { return {block, static_cast<uint32_t>(block->live())}; }
  class Measure;
  void CountTree();

  Tree tree_;  // never without a block, which may be empty when it is the only one
  // Nothing before it in its block is live: where the front is popped from, the next pop goes on.
  std::optional<ElementBlock::Cursor> removed_;
  size_t size_ = 0;
  size_t bytes_ = 0;       // of the space's bytes: all that is the list's
  size_t tree_bytes_ = 0;  // of them: this object and the tree
};

}  // namespace starling
