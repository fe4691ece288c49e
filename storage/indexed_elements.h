/// Many elements of a hash, set, sorted set or stream: a cell each, found by hash; a sorted set's
/// live members also by order.
///
/// Not thread-safe: the shard's mutex guards it.
#pragma once

#include <array>
#include <bit>
#include <memory>
#include <random>
#include <vector>

#include "storage/collection_part.h"
#include "storage/counted_tree.h"
#include "storage/handle_table.h"

namespace starling {

/// The hash of an id within its type.
uint64_t HashElement(ElementType type, std::string_view id, uint64_t seed);

class IndexedElements final : public CollectionPart {
 public:
  IndexedElements(ElementType type, CollectionSpace& space);
  ~IndexedElements() override;

  size_t size() const override { return table_.size(); }
  size_t memory_bytes() const override { return accounted_ + cell_bytes_ + payload_bytes_; }
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
  size_t CountBelowScore(double score, bool inclusive) const override;
  size_t CountBelowId(std::string_view id, bool inclusive) const override;
  void VisitInOrder(size_t first, bool reverse, OrderVisitor visit) const override;

 private:
  /// A member where its order is kept, with its score: comparing reads the member itself only where
  /// scores are equal.
  struct OrderedHandle {
    Handle handle = 0;
    std::array<uint32_t, 2> score_bits{};  // of four bytes each, so that there is no padding

    OrderedHandle() = default;
    OrderedHandle(Handle member, double score)
        : handle(member), score_bits(std::bit_cast<std::array<uint32_t, 2>>(score)) {}
    double score() const { return std::bit_cast<double>(score_bits); }
    static constexpr size_t weight() { return 1; }
  };
  using Order = CountedTree<OrderedHandle>;

  Element At(Handle handle) const;
  /// Whether it is live; then with its payload.
  bool PayloadAt(Handle handle, std::string_view& id, Value& payload, ScoreText& text) const;
  std::string_view IdAt(Handle handle) const;
  uint64_t HashOf(std::string_view id) const { return HashElement(type_, id, space_.hash_seed); }
  uint64_t HashOfHandle(Handle handle) const { return HashOf(IdAt(handle)); }
  Handle FindHandle(std::string_view id, uint64_t hash) const;
  Handle FindTombstone(uint64_t hash, const Version& version) const;
  /// Keeps `element` in place of `old` (0: nowhere yet), whose live parts were as new as `before`.
  void Store(uint64_t hash, Handle old, Element& element, Stamp before);
  void Remove(uint64_t hash, Handle handle);
  void Release(Handle handle);
  Handle Pack(const Element& element);
  size_t PlaceOf(double score, std::string_view id) const;
  void EnterOrder(Handle handle);
  void LeaveOrder(Handle handle);
  /// Brings the space's `outside_bytes` up to date.
  void Account();

  HandleTable table_;
  std::unique_ptr<Order> order_;  // sorted sets
  size_t cell_bytes_ = 0;
  size_t payload_bytes_ = 0;  // long ones
  size_t accounted_ = 0;      // of the space's bytes: the indexes
  uint64_t freed_ = 0;        // how far FreeSome has come
  bool freeing_ = false;
};

}  // namespace starling
