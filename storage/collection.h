/// The elements of one key: of a hash, set, sorted set, list or stream, each a register of its own.
///
/// An element's id includes its type, so elements of several types can meet on one key and merge;
/// the key shows one of them (keyspace.h). Removed elements stay as tombstones until they are
/// stable.
///
/// Eight bytes that name what is elsewhere: nothing, one packed block while the elements are few,
/// short and of one type (element_block.h), or a part for each type (collection_part.h). Copying
/// copies the name; whoever holds the key's state owns what it names and calls Free... in the end.
/// Lives under its shard's mutex.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string_view>

#include "storage/collection_part.h"
#include "storage/element_block.h"

namespace starling {

class Collection {
 public:
  static constexpr size_t kElementTypes = 6;
  /// A block is left for parts when it has more elements or bytes (a list: one leaf's bytes), long
  /// payloads aside. More: less memory, longer scans.
  static constexpr size_t kMaxPacked = 128;
  static constexpr size_t kMaxPackedBytes = size_t{8} << 10;

  using Visitor = CollectionPart::Visitor;
  using OrderVisitor = CollectionPart::OrderVisitor;

  bool none() const { return bits_ == 0; }
  /// Whether both name the same.
  friend bool operator==(const Collection&, const Collection&) = default;
  /// Whether it is one packed block.
  bool packed() const { return bits_ != 0 && (bits_ & kPartsBit) == 0; }

  static uint64_t HashOf(const CollectionSpace& space, ElementType type, std::string_view id);
  static ElementName NameOf(const CollectionSpace& space, ElementType type, std::string_view id);

  std::optional<Element> Find(CollectionSpace& space, ElementType type, std::string_view id) const;
  /// Whether the element is there for a client.
  bool Has(CollectionSpace& space, ElementType type, std::string_view id) const;
  /// Visits live elements of a type with what a client reads, in order in lists; payloads may
  /// borrow from `text`.
  void ForEachLive(CollectionSpace& space, ElementType type, ScoreText& text,
                   absl::FunctionRef<void(std::string_view id, const Value& payload)> visit) const;
  /// The same in order from position `first` on, until `visit` says false; sorted sets and lists.
  void VisitLiveFrom(CollectionSpace& space, ElementType type, size_t first, ScoreText& text,
                     CollectionPart::PayloadVisitor visit) const;
  /// Live elements of a type.
  size_t live(ElementType type) const;
  /// Elements, tombstones included.
  size_t size() const;
  size_t tombstones() const;
  /// The newest stamp of what is live of a type, the same on every node that holds the same. Costs
  /// a walk over the elements after the newest has gone.
  Stamp NewestLive(CollectionSpace& space, ElementType type) const;

  // What changes it may change its name: the key's state has to be saved when one of these says
  // that something changed.
  /// Gives `change` the element of `id`, or a fresh one, and keeps what it made of it. Called once;
  /// what it is given borrows from the collection, which moves after it.
  ElementChange Update(CollectionSpace& space, ElementType type, std::string_view id,
                       CollectionPart::Change change);
  /// The same with the live element at `position` < live(type) in order; sorted sets and lists.
  ElementChange UpdateAt(CollectionSpace& space, ElementType type, size_t position,
                         CollectionPart::Change change);
  /// Merges a kElement or kElementSlot item. What is not younger than `reset` does not count.
  ElementChange Merge(CollectionSpace& space, const Item& item, OriginIndex origin, Stamp reset);
  /// Merges it into its element alone; returns whether that changed.
  static bool MergeInto(Element& element, const Item& item, OriginIndex origin, Stamp reset,
                        const OriginTable& origins);
  /// Drops what is not younger than `reset`; `changed(element, whole)` hears of each element that
  /// went whole or lost a part. Returns whether anything went. Costs nothing when nothing can be
  /// older.
  bool Purge(CollectionSpace& space, Stamp reset, CollectionPart::PurgeVisitor changed);
  /// Whether every element is at most as old as `reset`.
  bool AllUpTo(Stamp reset) const;
  /// Whether the element of this name is still the tombstone of `version`.
  bool HasTombstone(CollectionSpace& space, const ElementName& name, const Version& version) const;
  /// Drops those of the tombstones that are there, which are all of lists or all of other types,
  /// and may reorder them; returns how many.
  size_t Free(CollectionSpace& space, std::span<ElementTombstone> tombstones, Visitor dropped);
  /// Adds an element that is not there, as it stood on disk.
  void Restore(CollectionSpace& space, Element& element);
  /// A copy of one packed block; call it on such only.
  Collection CloneBlock(CollectionSpace& space) const;
  /// Frees about `limit` elements of a collection that nothing refers to any more; true when
  /// it is none.
  bool FreeSome(CollectionSpace& space, size_t limit);

  void ForEach(CollectionSpace& space, Visitor visit) const;
  void ForEachNamed(CollectionSpace& space, const ElementName& name, Visitor visit) const;
  /// A step of a scan over about `count` elements (see HandleTable::Scan); 0 at the end. A block is
  /// one step.
  uint64_t Scan(CollectionSpace& space, ElementType type, uint64_t cursor, size_t count,
                Visitor visit) const;
  /// A step of about `count` elements of a walk over all types; true when it has come to the end.
  /// What is there throughout is visited at least once, also when the block is left meanwhile.
  bool Walk(CollectionSpace& space, ElementsWalked& walked, size_t count, Visitor visit) const;
  /// The same over what stands in blocks, the one it is or a list's; blocks are left out that have
  /// nothing later than `since`.
  bool WalkBlocks(CollectionSpace& space, ElementsWalked& walked, Stamp since, size_t count,
                  Visitor visit) const;
  /// A live element of `type` drawn uniformly; there must be one.
  Element Random(CollectionSpace& space, ElementType type, std::mt19937_64& random) const;

  // --- sorted sets, by (score, id), and lists, by id: live elements in order ---
  /// The position of a live element from the front; nullopt when it is not live.
  std::optional<size_t> RankOf(CollectionSpace& space, ElementType type, std::string_view id) const;
  /// Live elements of a sorted set with a lower score, or with `inclusive` one at most as high.
  size_t CountBelowScore(CollectionSpace& space, double score, bool inclusive) const;
  /// Live elements with a smaller id, or with `inclusive` one at most as large. In a sorted set it
  /// means something only where all scores are equal.
  size_t CountBelowId(CollectionSpace& space, ElementType type, std::string_view id,
                      bool inclusive) const;
  /// Visits live elements from position `first` on, with `reverse` from there back to the front,
  /// until `visit(element)` says false.
  void VisitInOrder(CollectionSpace& space, ElementType type, size_t first, bool reverse,
                    OrderVisitor visit) const;

  /// Bytes of elements, payloads and indexes.
  size_t memory_bytes(CollectionSpace& space) const;

 private:
  struct Parts;
  static constexpr uintptr_t kPartsBit = 1;

  ElementBlock* block() const { return reinterpret_cast<ElementBlock*>(bits_); }
  Parts& parts() const { return *reinterpret_cast<Parts*>(bits_ & ~kPartsBit); }
  void Name(ElementBlock* block) { bits_ = reinterpret_cast<uintptr_t>(block); }
  /// The block when it is one and of `type`, or null.
  ElementBlock* BlockOf(ElementType type) const;
  /// The part of `type`, or null.
  CollectionPart* PartOf(ElementType type) const;
  /// The part of `type`, made where there is none; a block becomes a part first.
  CollectionPart& NeedPart(CollectionSpace& space, ElementType type);
  /// Whether a block may hold `element` at all.
  static bool FitsBlock(const Element& element);
  void LeaveBlockIfLarge(CollectionSpace& space);
  void LeaveBlock(CollectionSpace& space);
  /// In a block: at its end where the tombstone is not there.
  ElementBlock::Cursor FindTombstone(CollectionSpace& space, const ElementName& name,
                                     const Version& version) const;
  bool UpdateBlock(CollectionSpace& space, std::string_view id, CollectionPart::Change change);
  bool UpdateBlockAt(CollectionSpace& space, size_t position, CollectionPart::Change change);
  void PutInBlock(ElementBlock::Cursor& cursor, bool replace, Element& element,
                  CollectionSpace& space);
  /// Runs `update(change)`, and `change` in it, and says what they have done.
  ElementChange Note(ElementType type, CollectionPart::Change change,
                     absl::FunctionRef<bool(CollectionPart::Change)> update);

  uintptr_t bits_ = 0;
};

}  // namespace starling
