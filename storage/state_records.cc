#include "storage/state_records.h"

#include "storage/packed.h"

namespace starling {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kEntryBound = 8 + 10 + 8;

PackedWriter WriterOf(std::string& bytes) {
  return PackedWriter(reinterpret_cast<uint8_t*>(bytes.data()));
}

PackedReader ReaderOf(std::string_view bytes) {
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  return PackedReader(at, at + bytes.size());
}

void CutTo(std::string& bytes, const PackedWriter& out) {
  bytes.resize(out.at() - reinterpret_cast<const uint8_t*>(bytes.data()));
}

size_t VectorBound(const VersionVector& vector) {
  return 10 + vector.entries().size() * kEntryBound;
}

void WriteVector(PackedWriter& out, const VersionVector& vector) {
  out.Varint(vector.entries().size());
  for (const VersionVector::Entry& entry : vector.entries()) {
    out.Fixed(entry.origin.node.value);
    out.Varint(entry.origin.incarnation);
    out.Fixed(entry.upto.value);
  }
}

void ReadVector(PackedReader& in, VersionVector& vector) {
  for (uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    Origin origin;
    origin.node.value = in.Fixed<uint64_t>();
    origin.incarnation = in.Varint();
    // In order, as it was written: else hostile bytes would cost their square.
    if (!vector.empty() && vector.entries().back().origin >= origin) in.Fail();
    if (in.ok()) vector.Set(origin, Stamp{in.Fixed<uint64_t>()});
  }
}

}  // namespace

std::string StateVector::Encode() const {
  std::string bytes(12 + VectorBound(vector), '\0');
  PackedWriter out = WriterOf(bytes);
  out.Byte(kVersion);
  out.Varint(walks);
  WriteVector(out, vector);
  CutTo(bytes, out);
  return bytes;
}

Result<StateVector> StateVector::Decode(std::string_view bytes) {
  PackedReader in = ReaderOf(bytes);
  StateVector result;
  if (in.Byte() != kVersion) return Error{Code::kCorruption, "unknown version of a state vector"};
  result.walks = in.Varint();
  ReadVector(in, result.vector);
  if (!in.ok() || !in.AtEnd()) return Error{Code::kCorruption, "malformed state vector"};
  return result;
}

std::string WalkRecord::Encode() const {
  std::string bytes(12 + VectorBound(held), '\0');
  PackedWriter out = WriterOf(bytes);
  out.Byte(kVersion);
  out.Byte(whole_state ? 1 : 0);
  out.Varint(chunks);
  WriteVector(out, held);
  CutTo(bytes, out);
  return bytes;
}

Result<WalkRecord> WalkRecord::Decode(std::string_view bytes) {
  PackedReader in = ReaderOf(bytes);
  WalkRecord result;
  if (in.Byte() != kVersion) return Error{Code::kCorruption, "unknown version of a walk record"};
  const uint8_t whole = in.Byte();
  result.whole_state = whole == 1;
  result.chunks = in.Varint();
  ReadVector(in, result.held);
  if (!in.ok() || !in.AtEnd() || whole > 1) {
    return Error{Code::kCorruption, "malformed walk record"};
  }
  return result;
}

}  // namespace starling
