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

#include "storage/handle_table.h"
#include "storage/key_state.h"
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
  /// What a client reads: the payload, or base plus slots.
  Value Payload() const;
};

class Collection {
 public:
  static constexpr size_t kElementTypes = 6;

  Collection(Slab& slab, uint64_t hash_seed) : slab_(slab), hash_seed_(hash_seed) {}
  ~Collection();
  Collection(const Collection&) = delete;
  Collection& operator=(const Collection&) = delete;

  uint64_t HashOf(ElementType type, std::string_view id) const;
  std::optional<Element> Find(ElementType type, std::string_view id) const;
  /// Live elements of a type.
  size_t live(ElementType type) const { return live_[static_cast<size_t>(type)]; }
  /// Elements, tombstones included.
  size_t size() const { return table_ ? table_->size() : few_.size(); }
  /// The newest stamp that any element of the type ever had here.
  Stamp newest(ElementType type) const { return newest_[static_cast<size_t>(type)]; }

  /// Merges a kElement or kElementSlot item; returns whether it changed anything. What is not
  /// younger than `reset` does not count.
  bool Merge(const Item& item, OriginIndex origin, Stamp reset, const OriginTable& origins);
  /// Drops what is not younger than `reset`; `dropped(type, id)` hears of each. Returns whether
  /// anything went. Costs nothing when nothing can be older.
  bool Purge(Stamp reset, const std::function<void(const Element&)>& dropped);
  /// Whether every element is at most as old as `reset`.
  bool AllUpTo(Stamp reset) const;
  /// Drops one tombstone if it is still that of `stamp`; returns whether it did.
  bool Free(uint64_t element_hash, Stamp stamp, const std::function<void(const Element&)>& dropped);
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

  /// Bytes of cells, payloads and indexes.
  size_t memory_bytes() const;

 private:
  static constexpr size_t kFew = 16;

  Element At(Handle handle) const;
  Handle FindHandle(ElementType type, std::string_view id, uint64_t hash) const;
  uint64_t HashOfHandle(Handle handle) const;
  void Insert(uint64_t hash, Handle handle);
  void Remove(uint64_t hash, Handle handle);
  void Release(Handle handle);
  Handle Pack(const Element& element, const char* block);
  void Store(uint64_t hash, Handle old, Element& element, bool was_live);
  std::vector<Handle> Handles() const;

  Slab& slab_;
  uint64_t hash_seed_;
  std::vector<Handle> few_;
  std::unique_ptr<HandleTable> table_;
  std::array<size_t, kElementTypes> live_{};
  std::array<Stamp, kElementTypes> newest_{};
  Stamp purged_;
  size_t cell_bytes_ = 0;
};

}  // namespace starling
