#include "storage/state_records.h"

#include "storage/packed.h"

namespace starling {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kEntryBound = 8 + 10 + 8;

}  // namespace

std::string StateVector::Encode() const {
  std::string bytes(24 + vector.entries().size() * kEntryBound, '\0');
  PackedWriter out(reinterpret_cast<uint8_t*>(bytes.data()));
  out.Byte(kVersion);
  out.Varint(walks);
  out.Varint(vector.entries().size());
  for (const VersionVector::Entry& entry : vector.entries()) {
    out.Fixed(entry.origin.node.value);
    out.Varint(entry.origin.incarnation);
    out.Fixed(entry.upto.value);
  }
  bytes.resize(out.at() - reinterpret_cast<const uint8_t*>(bytes.data()));
  return bytes;
}

Result<StateVector> StateVector::Decode(std::string_view bytes) {
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  PackedReader in(at, at + bytes.size());
  StateVector result;
  if (in.Byte() != kVersion) return Error{Code::kCorruption, "unknown version of a state vector"};
  result.walks = in.Varint();
  for (uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    Origin origin;
    origin.node.value = in.Fixed<uint64_t>();
    origin.incarnation = in.Varint();
    result.vector.Set(origin, Stamp{in.Fixed<uint64_t>()});
  }
  if (!in.ok() || !in.AtEnd()) return Error{Code::kCorruption, "malformed state vector"};
  return result;
}

}  // namespace starling
