/// What puts a shard back to where a speculation began (speculation.h): the cells of keys as they
/// stood, with what they name, and the ends of the shard's lists.
///
/// A key is remembered once, before it is first written to. Its cell is copied; a long payload or a
/// claim that is replaced is set aside; a collection that is one block is copied, of a larger one
/// each element before it is changed. Guarded by the shard's mutex.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "storage/changed_names.h"
#include "storage/claim.h"
#include "storage/collection.h"
#include "storage/key_ref.h"

namespace starling {

struct ShardUndo {
  struct Entry {
    uint64_t hash = 0;
    uint8_t database = 0;
    bool existed = false;
    bool block_replaced = false;
    bool claim_replaced = false;
    bool collection_dropped = false;  ///< Of parts: it is set aside whole.
    bool imaged = false;
    bool lists_changed = false;  ///< Elements of a list in parts.
    size_t offset = 0;           ///< Of its cell in `bytes`; of its name where it did not exist.
    size_t size = 0;
    const char* block = nullptr;
    size_t block_size = 0;
    Claim* claim = nullptr;
    Collection collection;
    Collection image;  ///< What the one block was.
  };
  /// An element as it was before one change.
  struct ElementBefore {
    size_t entry = 0;
    ElementType type = ElementType::kNone;
    bool was_there = false;
    std::string id;
    Register value;  // its bytes are `text`
    std::string text;
  };
  struct DatabaseCut {
    uint8_t database = 0;
    Stamp cut;
    Version version;
  };
  /// The ends of the lists of names.
  struct NamesEnd {
    size_t entries = 0, blocks = 0, elements = 0, lists = 0;
    size_t list_ids = 0, erased = 0, erased_prefixes = 0;
  };

  /// The key, or null while it is not remembered.
  Entry* Find(const KeyRef& key);
  Entry& Add(const KeyRef& key, const uint8_t* cell, size_t cell_size);
  KeyRef KeyOf(const Entry& entry) const;
  const uint8_t* CellOf(const Entry& entry) const {
    return reinterpret_cast<const uint8_t*>(bytes.data() + entry.offset);
  }
  /// Forgets all; keeps small buffers for the next time.
  void Clear();

  static NamesEnd EndOf(const ChangedNames& names);
  static void CutBack(ChangedNames& names, const NamesEnd& end);

  bool begun = false;
  std::vector<Entry> entries;
  std::vector<ElementBefore> elements;
  std::vector<DatabaseCut> database_cuts;
  std::string bytes;
  absl::flat_hash_map<uint64_t, size_t> index;  // by key hash; filled beyond kScanned

  // Of the shard, when it began.
  size_t tombstones = 0;
  size_t maybe_replaced = 0;
  size_t dropped = 0;
  size_t live_claims = 0;
  Stamp newest;
  NamesEnd names;

 private:
  static constexpr size_t kScanned = 8;
  static constexpr size_t kKeptBytes = 64 << 10;
};

}  // namespace starling
