/// What was written here since the last flush, one buffer a shard.
///
/// Items are copied in when they are written, so a generation keeps its values whatever happens to
/// the keys meanwhile (COUNTEREXAMPLES 9 to 11). An item that replaces one of the same part in the
/// same generation takes its place: a counter that moved a million times is one item. Guarded by
/// the shard's mutex until its generation is closed.
#pragma once

#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "storage/item.h"

namespace starling {

class PendingBuffer {
 public:
  /// Copies `item`; `hash` is the key's.
  void Record(const Item& item, uint64_t hash);
  /// Whether an item of the same part as `item` is in it.
  bool Has(const Item& item, uint64_t hash) const;
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  /// Appends what was recorded, as written by `origin`; views borrow from this buffer.
  void AppendTo(std::vector<Item>& out, const Origin& origin) const;
  // --- a speculation: what is recorded from Mark() on takes nothing's place that was there before
  void Mark();
  /// What was recorded since stays.
  void KeepMarked();
  /// What was recorded since goes.
  void DropMarked();
  /// Appends what was recorded since.
  void AppendMarked(std::vector<Item>& out, const Origin& origin) const;

  /// Forgets all; keeps small buffers for the next generation.
  void Clear();
  /// Bytes of texts that it has room for.
  size_t text_capacity() const { return texts_.capacity(); }

 private:
  struct Text {
    size_t offset = 0;
    size_t size = 0;
  };
  struct Entry {
    Item item;  // its views are void
    uint64_t hash;
    Text key, element, payload;
    uint32_t instead_of = 0;  // 1 + the place of what it replaces, which stood before the mark
  };

  static constexpr size_t kScanned = 8;          // fewer entries than this are found by scanning
  static constexpr size_t kKeptBytes = 1 << 20;  // what is larger is given back after a flush

  std::string_view View(const Text& text) const { return {texts_.data() + text.offset, text.size}; }
  Text Add(std::string_view bytes);
  bool Same(const Entry& entry, const Item& item, uint64_t hash) const;
  /// The place of the entry of the same part, or items_.size().
  size_t Find(const Item& item, uint64_t hash) const;
  void AppendFrom(size_t first, std::vector<Item>& out, const Origin& origin) const;

  std::vector<Entry> items_;
  std::string texts_;
  size_t marked_ = 0;  // what stands before is not replaced
  size_t marked_text_ = 0;
  absl::flat_hash_map<uint64_t, uint32_t> index_;  // by hash; filled beyond kScanned
};

/// A closed generation: what this origin wrote in (the last upto, upto].
struct Generation {
  Origin origin;
  Stamp upto;
  uint64_t writes = 0;  ///< Keyspace::writes() that it brings to the log.
  std::vector<PendingBuffer> buffers;
};

}  // namespace starling
