/// What has changed in a shard since a checkpoint last took it: names, by which the checkpoint
/// finds the elements again and writes them as they stand then.
///
/// An element is noted once, however often it is written: whatever is stamped later than `since`
/// was merged after the names were last taken, and is noted. In blocks (small collections, lists)
/// the key alone is noted, and the checkpoint looks for what is later than `since` in them. Guarded
/// by the shard's mutex.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/collection_part.h"
#include "storage/stamp.h"

namespace starling {

/// Texts, one behind the other in one allocation.
class TextList {
 public:
  void Add(std::string_view text);
  void Append(const TextList& other) { bytes_.append(other.bytes_); }
  size_t bytes() const { return bytes_.size(); }
  /// Forgets what was added since `bytes()` was this.
  void CutBack(size_t bytes) { bytes_.resize(bytes); }
  bool AtEnd(size_t position) const { return position == bytes_.size(); }
  /// The text at `position` (0: the first), which moves on behind it.
  std::string_view Next(size_t& position) const;

 private:
  std::string bytes_;  // each behind its length
};

struct ChangedNames {
  explicit ChangedNames(Stamp later_than) : since(later_than) {}

  Stamp since;  ///< See above. UINT64_MAX: nothing may be taken as noted.
  Stamp taken;  ///< What is stamped later was written after these names were taken.

  std::vector<uint64_t> entries;                        ///< Key hashes.
  std::vector<uint64_t> blocks;                         ///< Key hashes of collections in blocks.
  std::vector<std::pair<uint64_t, uint64_t>> elements;  ///< (key hash, element hash)
  std::vector<uint64_t> lists;                          ///< Key hashes of list elements.
  TextList list_ids;                                    ///< Their ids.
  TextList erased;                                      ///< State names.
  TextList erased_prefixes;

  /// How far a checkpoint has come.
  struct Progress {
    size_t erased_prefix = 0;
    size_t erased = 0;
    size_t entry = 0;
    size_t block = 0;
    ElementsWalked in_block;
    size_t element = 0;
    size_t list = 0;
    size_t list_id = 0;
  } next;

  /// Takes over all that `names` has, whose checkpoint failed; entries apart.
  void PutBack(const ChangedNames& names);
};

}  // namespace starling
