/// The elements of one key: of a hash, set, sorted set, list or stream, each a register of its own.
///
/// An element's id includes its type, so elements of several types can meet on one key and merge;
/// the key shows one of them (keyspace.h). Removed elements stay as tombstones until they are
/// stable. Few elements are scanned, many are indexed by hash. Lives under its shard's mutex; cells
/// are the shard's.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "storage/counted_tree.h"
#include "storage/handle_table.h"
#include "storage/key_state.h"
#include "storage/score.h"
#include "storage/slab.h"

namespace starling {

/// An element unpacked; borrows from its cell.
struct Element {
  ElementType type = ElementType::kNone;
  std::string_view id;
  Register value;
  const char* block = nullptr;  ///< Where a long payload stands.

  /// Whether it is there for a client: added and not removed, or counted up.
  bool live() const {
    return (!value.version.none() && value.base.kind != Value::Kind::kNone) || !value.slots.empty();
  }
  /// The newest stamp of what is live in it; none where nothing is.
  Stamp NewestLive() const;
  /// What a client reads: the payload, or base plus slots. Borrows from the cell, or from `text`
  /// where a score is no exact number.
  Value Payload(ScoreText& text) const;
};

class Collection {
 public:
  static constexpr size_t kElementTypes = 6;

  /// `outside_bytes` grows by what is taken beside the slab: indexes and long payloads.
  Collection(Slab& slab, uint64_t hash_seed, size_t& outside_bytes)
      : slab_(slab), hash_seed_(hash_seed), outside_bytes_(outside_bytes) {
    Account();
  }
  ~Collection();
  Collection(const Collection&) = delete;
  Collection& operator=(const Collection&) = delete;

  uint64_t HashOf(ElementType type, std::string_view id) const;
  std::optional<Element> Find(ElementType type, std::string_view id) const;
  /// Live elements of a type.
  size_t live(ElementType type) const { return live_[static_cast<size_t>(type)]; }
  /// Elements, tombstones included.
  size_t size() const { return table_ ? table_->size() : few_.size(); }
  /// The newest stamp of what is live of a type, the same on every node that holds the same. Costs
  /// a walk over the elements after the newest has gone.
  Stamp NewestLive(ElementType type) const;

  /// Merges a kElement or kElementSlot item; returns whether it changed anything. What is not
  /// younger than `reset` does not count.
  bool Merge(const Item& item, OriginIndex origin, Stamp reset, const OriginTable& origins);
  /// Drops what is not younger than `reset`; `changed(element, hash, whole)` hears of each element
  /// that went whole or lost a part. Returns whether anything went. Costs nothing when nothing can
  /// be older.
  using PurgeVisitor = std::function<void(const Element&, uint64_t hash, bool whole)>;
  bool Purge(Stamp reset, const PurgeVisitor& changed);
  /// Whether every element is at most as old as `reset`.
  bool AllUpTo(Stamp reset) const;
  /// Whether an element of this hash is still the tombstone of `version`.
  bool HasTombstone(uint64_t hash, const Version& version) const {
    return FindTombstone(hash, version) != 0;
  }
  /// Drops that tombstone; returns whether it was there.
  bool Free(uint64_t hash, const Version& version,
            const std::function<void(const Element&)>& dropped);
  /// Frees up to `limit` elements of a collection that nothing refers to any more; true when empty.
  bool FreeSome(size_t limit);

  /// Adds an element that is not there, as it stood on disk.
  void Restore(Element& element);

  void ForEach(const std::function<void(const Element&)>& visit) const;
  void ForEachWithHash(uint64_t hash, const std::function<void(const Element&)>& visit) const;
  /// A step of a scan over about `count` elements (see HandleTable::Scan); 0 at the end.
  uint64_t Scan(uint64_t cursor, size_t count,
                const std::function<void(const Element&)>& visit) const;
  /// A live element of `type` drawn uniformly; there must be one.
  Element Random(ElementType type, std::mt19937_64& random) const;

  // --- sorted sets, by (score, id), and lists, by id: live elements in order ---
  /// Whether elements of a type have an order.
  static bool IsOrdered(ElementType type) {
    return type == ElementType::kSortedSet || type == ElementType::kList;
  }
  /// The position of a live element from the front; nullopt when it is not live.
  std::optional<size_t> RankOf(ElementType type, std::string_view id) const;
  /// Live elements of a sorted set with a lower score, or with `inclusive` one at most as high.
  size_t CountBelowScore(double score, bool inclusive) const;
  /// Live elements with a smaller id, or with `inclusive` one at most as large. In a sorted set it
  /// means something only where all scores are equal.
  size_t CountBelowId(ElementType type, std::string_view id, bool inclusive) const;
  /// Visits live elements from position `first` on, with `reverse` from there back to the front,
  /// until `visit(element)` says false.
  void VisitInOrder(ElementType type, size_t first, bool reverse,
                    const std::function<bool(const Element&)>& visit) const;

  /// Bytes of cells, payloads and indexes.
  size_t memory_bytes() const { return cell_bytes_ + accounted_; }

 private:
  static constexpr size_t kFew = 16;

  struct OrderedHandle {
    Handle handle = 0;
    static constexpr size_t weight() { return 1; }
  };
  using Order = CountedTree<OrderedHandle>;

  /// Where the live element behind `handle` stands in the order of its type.
  size_t PlaceOf(const Order& order, const Element& element) const;
  void EnterOrder(Handle handle);
  void LeaveOrder(Handle handle);

  Element At(Handle handle) const;
  Handle FindHandle(ElementType type, std::string_view id, uint64_t hash) const;
  Handle FindTombstone(uint64_t hash, const Version& version) const;
  uint64_t HashOfHandle(Handle handle) const;
  void Insert(uint64_t hash, Handle handle);
  void Remove(uint64_t hash, Handle handle);
  void Release(Handle handle);
  Handle Pack(const Element& element, const char* block);
  /// Keeps `element` in place of `old` (0: nowhere yet), whose live parts were as new as `before`.
  void Store(uint64_t hash, Handle old, Element& element, Stamp before);
  /// Counts an element that had live parts up to `before` and has them up to `after` (none: not
  /// live).
  void CountLive(ElementType type, Stamp before, Stamp after);
  std::vector<Handle> Handles() const;
  /// Brings `outside_bytes_` up to date.
  void Account();
  size_t OrderBytes() const;

  Slab& slab_;
  uint64_t hash_seed_;
  size_t& outside_bytes_;
  std::vector<Handle> few_;
  std::unique_ptr<HandleTable> table_;
  std::array<std::unique_ptr<Order>, kElementTypes> orders_;  // of ordered types that are there
  std::array<size_t, kElementTypes> live_{};
  std::array<Stamp, kElementTypes> newest_{};  // of all that was ever here: no element is newer
  mutable std::array<Stamp, kElementTypes> newest_live_{};
  mutable std::array<bool, kElementTypes> newest_live_gone_{};  // has to be found again
  Stamp purged_;
  size_t cell_bytes_ = 0;
  size_t block_bytes_ = 0;  // long payloads
  size_t accounted_ = 0;    // of outside_bytes_
};

}  // namespace starling
