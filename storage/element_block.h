/// Elements of one type packed into one allocation: a small collection, or a leaf of a list.
///
/// Memory: a header, then the elements, each `[head][stamp][origin][id][payload][slots]` with all
/// that can be elided left out: stamps are differences to the element before, an origin like its is
/// not written, and a list element's id is not where it is the place of its own version (it is
/// until it is set or removed; then its stamp is enough, if its own node does that). An ordinary
/// element costs two or three bytes beside its id and payload, in a list one or two. Found by
/// scanning. Sorted sets stand in order of (score, id), removed members before the live ones, where
/// they are soon found when they are freed; lists in order of their ids; hashes and sets as they
/// came.
///
/// Owns the long payloads of its elements. Changing it may move it: the functions that do return
/// the new place, and they say so before they fail (they do not fail: memory that is not there ends
/// the process). Not thread-safe: the shard's mutex guards it.
#pragma once

#include <cstdint>

#include <absl/functional/function_ref.h>

#include "storage/collection_space.h"
#include "storage/element.h"

namespace starling {

class ElementBlock {
 public:
  /// An element as it stands: its outline, without numbers and slots decoded.
  class Cursor;

  static ElementBlock* New(ElementType type, CollectionSpace& space);
  /// A copy, with long payloads of its own.
  static ElementBlock* Clone(ElementBlock* block, CollectionSpace& space);
  /// Frees the block and the long payloads in it.
  static void Delete(ElementBlock* block, CollectionSpace& space);

  ElementType type() const { return type_; }
  /// Elements, tombstones included.
  size_t count() const { return count_; }
  size_t live() const { return live_; }
  /// Bytes of packed elements.
  size_t bytes() const { return bytes_; }
  /// No element is newer, or has a part that is older.
  Stamp newest() const { return newest_; }
  Stamp oldest() const { return oldest_; }
  /// Bytes it takes in memory, long payloads apart.
  size_t memory_bytes() const;
  /// The same with them; costs a walk.
  static size_t BytesWithPayloads(ElementBlock* block, CollectionSpace& space);

  /// Moves `cursor` to the element of `id`; false where there is none: the cursor then stands where
  /// a list element of that id would go.
  static bool Find(Cursor& cursor, std::string_view id);
  /// Puts `element` where the cursor stands: in place of what is there (`replace`), else before it.
  /// Takes over the element's long payload. A sorted set's member goes to the place of its score.
  static ElementBlock* Put(Cursor& cursor, bool replace, Element& element);
  /// Removes `count` elements from where the cursor stands on; their long payloads are freed.
  static ElementBlock* Erase(Cursor& cursor, size_t count = 1);
  /// Drops what is not younger than `reset`; `changed(element, whole)` hears of each element that
  /// went whole or lost a part.
  using PurgeVisitor = absl::FunctionRef<void(const Element&, bool whole)>;
  static ElementBlock* Purge(ElementBlock* block, Stamp reset, const PurgeVisitor& changed,
                             CollectionSpace& space);
  /// Moves the elements from the cursor on into a block of their own, which is returned; `block`
  /// receives where the rest is.
  static ElementBlock* SplitOff(Cursor& cursor, ElementBlock*& block);
  /// Moves all elements of `from`, which is freed, behind those of `to`.
  static ElementBlock* Append(ElementBlock* to, ElementBlock* from, CollectionSpace& space);
  /// Gives back what was allocated beyond need.
  static ElementBlock* Fit(ElementBlock* block, CollectionSpace& space);

  /// Visits the first `live` live elements from the last of them back, until `visit(element)` says
  /// false; returns what it said last.
  static bool VisitBackwards(ElementBlock* block, size_t live,
                             absl::FunctionRef<bool(const Element&)> visit, CollectionSpace& space);

  /// Whether every element sorts before `id`, where that can be said without looking: a list whose
  /// last element stands at the place of its own version, at the right.
  bool EndsBefore(std::string_view id) const;

 private:
  friend class Cursor;

  static ElementBlock* Resize(ElementBlock* block, size_t capacity, CollectionSpace& space);
  /// Replaces `remove` elements from where the cursor stands on by `add` (may be null), long
  /// payloads untouched.
  static ElementBlock* Change(Cursor& cursor, size_t remove, const Element* add);
  static ElementBlock* PutByScore(Cursor& cursor, bool replace, Element& element);
  /// Where a sorted set's member goes that is not in the block, through which `searched` has gone.
  static Cursor PlaceByScore(const Cursor& searched, const Element& element);
  uint8_t* Encode(uint8_t* out, const Element& element, Version& before,
                  const CollectionSpace& space) const;
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(this + 1); }
  uint8_t* data() { return reinterpret_cast<uint8_t*>(this + 1); }

  Stamp newest_;
  Stamp oldest_{UINT64_MAX};
  Stamp last_stamp_;  // of the last element
  uint32_t bytes_ = 0;
  uint32_t capacity_ = 0;  // room for elements
  uint16_t count_ = 0;
  uint16_t live_ = 0;
  OriginIndex last_origin_ = 0;
  ElementType type_ = ElementType::kNone;
  bool ends_right_ = false;  // the last element stands at its own version's place, at the right
};

/// Goes over a block's elements, front to back. Void after the block has changed.
class ElementBlock::Cursor {
 public:
  /// On the first element.
  Cursor(ElementBlock* block, CollectionSpace& space) : block_(block), space_(&space) { Parse(); }

  /// Whether it stands behind the last element.
  bool AtEnd() const { return offset_ == block_->bytes_; }
  void Next();
  /// Whether Next() has brought it here, and a cursor where it came from.
  bool HasPrevious() const { return previous_ != offset_; }
  Cursor Previous() const;
  /// The same place in `block`, which its block has become when what stands here was replaced.
  Cursor MovedTo(ElementBlock* block) const;
  /// Behind the last element, without going there.
  void ToEnd();
  ElementBlock* block() const { return block_; }
  /// Bytes from the first element to the one it stands on.
  size_t offset() const { return offset_; }

  /// Whether the element is there for a client.
  bool live() const { return has_slots_ || kind_ > kNotLive; }
  Element Get() const;
  /// The same into a fresh `element`.
  void GetTo(Element& element) const;
  /// What a client reads; borrows from the block, or from `text` (see Element::Payload).
  Value Payload(ScoreText& text) const;
  /// Moves on to the live element that has `count` others before it from here on.
  void SkipLive(size_t count);
  /// The id; of a list's element borrowed from the shard's scratch (collection_space.h).
  std::string_view Id() const;
  /// The id where it is written out, which it is but in lists.
  std::string_view WrittenId() const { return id_; }
  /// Its version; where only slots are there, the birth of the first.
  const Version& version() const { return version_; }
  /// Of a sorted set's live member.
  double Score() const;
  /// The sign of (its id - `id`).
  int CompareId(std::string_view id) const;

 private:
  friend class ElementBlock;

  static constexpr uint8_t kNotLive = 1;  // kinds up to this: absent, removed

  void Parse();
  void ParseId(const uint8_t*& at, uint8_t form);
  const char* LongPayload() const;
  void FreePayload();
  /// Gives the element a copy of its long payload.
  void ClonePayload();

  ElementBlock* block_;
  CollectionSpace* space_;
  uint32_t offset_ = 0;
  uint32_t end_ = 0;
  uint32_t previous_ = 0;    // offset of the element before; its own where that is not known
  Version before_;           // of the elements before: what differences refer to
  Version before_previous_;  // the same of the one before
  Version version_;
  uint8_t kind_ = 0;
  bool written_out_ = true;
  bool has_slots_ = false;
  std::string_view id_;  // where it is written out; else a step of version_.origin:
  Stamp step_stamp_;
  ListSide step_side_ = ListSide::kRight;
  const uint8_t* payload_ = nullptr;
  uint32_t payload_size_ = 0;
  const uint8_t* slots_ = nullptr;
};

}  // namespace starling
