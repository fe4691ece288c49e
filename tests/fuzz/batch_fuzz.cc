/// Fuzzes the batch decoder: whatever the bytes, what it accepts keeps the rules of items, is
/// encoded again to a batch of the same content, and cost memory in proportion to the bytes.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "storage/batch_codec.h"
#include "storage/item_rules.h"
#include "storage/records.h"

namespace {

using starling::DecodedBatch;
using starling::Item;

void Require(bool condition) {
  if (!condition) std::abort();
}

std::string Encode(const DecodedBatch& batch) {
  return batch.is_chunk() ? starling::EncodeChunk(batch.items(), batch.vector())
                          : starling::EncodeBatch(batch.header(), batch.items());
}

void Check(std::string_view bytes) {
  const starling::Result<DecodedBatch> decoded = DecodedBatch::Decode(bytes);
  const starling::Result<starling::BatchHeader> header = DecodedBatch::DecodeHeader(bytes);
  if (!decoded) {
    Require(decoded.error().code == starling::Code::kCorruption);
    return;
  }
  Require(header.ok() != decoded->is_chunk());
  for (const Item& item : decoded->items()) Require(starling::ItemFault(item) == nullptr);
  const starling::Status records = starling::Records::Check(decoded->items());
  Require(records.ok() || records.error().code == starling::Code::kCorruption);
  // The first encoding may differ from hostile bytes that mean the same; it is its own canonical
  // form.
  const std::string encoded = Encode(*decoded);
  const starling::Result<DecodedBatch> again = DecodedBatch::Decode(encoded);
  Require(again.ok());
  Require(again->items().size() == decoded->items().size());
  Require(Encode(*again) == encoded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Check({reinterpret_cast<const char*>(data), size});
  // Once more from a place where words are not aligned.
  const auto shifted = std::make_unique<char[]>(size + 1);
  if (size > 0) std::memcpy(shifted.get() + 1, data, size);
  Check({shifted.get() + 1, size});
  return 0;
}
