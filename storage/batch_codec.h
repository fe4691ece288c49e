/// Encodes and decodes batches: the one place that knows batch.capnp.
///
/// Stateless and thread-safe. Decoding takes bytes from the network and from disk: it checks every
/// length, index and enumeration, allocates in proportion to the input only, and names what is
/// wrong (I11). Foreign exceptions end here.
///
/// A batch with one item that breaks the rules of item_rules.h is refused whole.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "starling/result.h"
#include "storage/item.h"
#include "storage/version_vector.h"

namespace starling {

/// Version 2 has claims. What needs none of that is still written as version 1, so that a peer of
/// the version before understands it.
inline constexpr uint16_t kBatchFormatVersion = 2;
inline constexpr uint16_t kOldestBatchFormatVersion = 1;

/// The longest key, element or payload, as in Redis (512 MiB).
inline constexpr uint64_t kMaxTextBytes = uint64_t{512} << 20;

/// A batch of one origin's stream: `after` < `upto`, every item's stamp in (after, upto].
struct BatchHeader {
  Origin origin;
  Stamp after;
  Stamp upto;
};

/// Bytes of an encoded batch, shared by log, peers and bridge.
using SharedBytes = std::shared_ptr<const std::string>;

/// Encodes a stream batch. Items must be of `header.origin`; views are read during the call only.
std::string EncodeBatch(const BatchHeader& header, std::span<const Item> items);

/// Encodes one chunk of a walk: items of any origins; `vector` empty but in the last chunk.
std::string EncodeChunk(std::span<const Item> items, const VersionVector& vector);

/// A decoded batch or chunk; its items borrow from its own copy of the texts.
class DecodedBatch {
 public:
  /// kCorruption names what was wrong. `bytes` may be dropped after the call.
  static Result<DecodedBatch> Decode(std::string_view bytes);
  /// Only the header of a stream batch, without its items.
  static Result<BatchHeader> DecodeHeader(std::string_view bytes);

  bool is_chunk() const { return is_chunk_; }
  const BatchHeader& header() const { return header_; }    ///< Stream batches only.
  const VersionVector& vector() const { return vector_; }  ///< Chunks only.
  const std::vector<Item>& items() const { return items_; }

 private:
  bool is_chunk_ = false;
  BatchHeader header_;
  VersionVector vector_;
  std::unique_ptr<std::string> texts_;  // stable address: items_ points into it; may be all bytes
  std::vector<Item> items_;
};

}  // namespace starling
