/// The elements of one type in a large collection: indexed by hash (indexed_elements.h), or a list
/// (list_elements.h).
///
/// Not thread-safe: the shard's mutex guards it.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>

#include <absl/functional/function_ref.h>

#include "storage/collection_space.h"
#include "storage/element.h"

namespace starling {

/// How a tombstone or a changed element is found again: elements of lists by their id, others by
/// the hash of theirs.
struct ElementName {
  uint64_t hash = 0;
  std::optional<std::string_view> list_id;
};

/// A removed element that may be freed while it still is what it was.
struct ElementTombstone {
  ElementName name;
  Version version;
};

/// What a change has done, for those who note it for the next checkpoint.
struct ElementChange {
  bool changed = false;
  Stamp before;                ///< The newest stamp of the element before.
  bool was_tombstone = false;  ///< It was there, and removed.
  /// Where the element stands in a block, its own or one of a list's: the newest stamp that any
  /// element there had before (it may be gone).
  std::optional<Stamp> block_before;
  /// The type of a block that has become an index on the way.
  ElementType indexed = ElementType::kNone;
};

/// How far a walk over a collection's elements has come; the first is at a fresh one.
struct ElementsWalked {
  uint8_t type = 0;
  uint64_t scanned = 0;  ///< HandleTable's cursor.
  std::string id;        ///< Lists: the next id.
};

class CollectionPart {
 public:
  using Visitor = absl::FunctionRef<void(const Element&)>;
  /// False ends the visit.
  using OrderVisitor = absl::FunctionRef<bool(const Element&)>;
  /// Changes an element (a fresh one has no parts); says whether it did.
  using Change = absl::FunctionRef<bool(Element&)>;
  using PurgeVisitor = absl::FunctionRef<void(const Element&, bool whole)>;

  CollectionPart(ElementType type, CollectionSpace& space) : type_(type), space_(space) {}
  virtual ~CollectionPart() = default;
  CollectionPart(const CollectionPart&) = delete;
  CollectionPart& operator=(const CollectionPart&) = delete;

  ElementType type() const { return type_; }
  virtual size_t size() const = 0;
  size_t live() const { return live_; }
  Stamp newest() const { return newest_; }
  Stamp oldest() const { return oldest_; }
  /// The newest stamp of what is live. Costs a walk over the elements after the newest has gone.
  Stamp NewestLive() const;
  virtual size_t memory_bytes() const = 0;

  virtual std::optional<Element> Find(std::string_view id) const = 0;
  /// Gives `change` the element of `id`, or a fresh one, and keeps what it made of it. Returns what
  /// `change` did.
  virtual bool Update(std::string_view id, Change change) = 0;
  /// The same with the live element at `position` < live() in order; sorted sets and lists only.
  virtual bool UpdateAt(size_t position, Change change) = 0;
  /// Drops those elements that are still these tombstones, which it may reorder; returns how many.
  virtual size_t Free(std::span<ElementTombstone> tombstones, Visitor dropped) = 0;
  /// Drops what is not younger than `reset`.
  virtual void Purge(Stamp reset, PurgeVisitor changed) = 0;
  /// Frees up to about `limit` elements; true when empty. The part is then of no further use.
  virtual bool FreeSome(size_t limit) = 0;

  /// Visits id and payload; false ends the visit.
  using PayloadVisitor = absl::FunctionRef<bool(std::string_view id, const Value& payload)>;
  virtual bool Has(std::string_view id) const = 0;
  /// Live elements, in no order but a list's; payloads may borrow from `text`.
  virtual void ForEachLive(ScoreText& text, PayloadVisitor visit) const = 0;
  /// Live elements in order, from position `first` on.
  virtual void VisitLiveFrom(size_t first, ScoreText& text, PayloadVisitor visit) const = 0;
  virtual void ForEach(Visitor visit) const = 0;
  virtual void ForEachNamed(const ElementName& name, Visitor visit) const = 0;
  virtual uint64_t Scan(uint64_t cursor, size_t count, Visitor visit) const = 0;
  /// A step of about `count` elements of a walk; true when it has come to the end. A list leaves
  /// out blocks with nothing later than `since`.
  virtual bool Walk(ElementsWalked& walked, Stamp since, size_t count, Visitor visit) const = 0;
  virtual Element Random(std::mt19937_64& random) const = 0;

  virtual std::optional<size_t> RankOf(std::string_view id) const = 0;
  virtual size_t CountBelowScore(double score, bool inclusive) const = 0;
  virtual size_t CountBelowId(std::string_view id, bool inclusive) const = 0;
  virtual void VisitInOrder(size_t first, bool reverse, OrderVisitor visit) const = 0;

 protected:
  /// Counts an element that had live parts up to `before` and has them up to `after` (none: not
  /// live).
  void CountLive(Stamp before, Stamp after);
  /// Notes the stamps of an element that is kept.
  void CountStamps(const Element& element);

  const ElementType type_;
  CollectionSpace& space_;
  size_t live_ = 0;
  Stamp newest_;              // no element is newer
  Stamp oldest_{UINT64_MAX};  // or has a part that is older
  mutable Stamp newest_live_;
  mutable bool newest_live_gone_ = false;  // has to be found again
};

}  // namespace starling
