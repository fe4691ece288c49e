/// Fuzzes the records of the state family: what a damaged disk holds under a name is refused as
/// corrupt or is whole, and cost memory in proportion to the bytes (I11).
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "storage/entry.h"

namespace {

using starling::Claim;
using starling::Code;
using starling::KeyState;
using starling::OriginTable;
using starling::Register;
using starling::Result;
using starling::Stamp;
using starling::StateName;
using starling::Version;

void Require(bool condition) {
  if (!condition) std::abort();
}

template <typename Outcome>
bool Whole(const Outcome& outcome) {
  Require(outcome.ok() || outcome.error().code == Code::kCorruption);
  return outcome.ok();
}

}  // namespace

/// The first byte chooses the kind of record.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  OriginTable origins;
  switch (data[0] % 4) {
    case 0: {
      KeyState state;
      std::unique_ptr<Claim> claim;
      if (!Whole(DecodeState(bytes, origins, state, claim))) break;
      // Written again it means the same.
      const std::string encoded = EncodeState(state, origins);
      KeyState again;
      std::unique_ptr<Claim> claim_again;
      Require(DecodeState(encoded, origins, again, claim_again).ok());
      Require(EncodeState(again, origins) == encoded);
      break;
    }
    case 1: {
      Register value;
      if (!Whole(DecodeElement(bytes, origins, value))) break;
      const std::string encoded = EncodeElement(value, origins);
      Register again;
      Require(DecodeElement(encoded, origins, again).ok());
      Require(EncodeElement(again, origins) == encoded);
      break;
    }
    case 2: {
      Stamp cut;
      Version version;
      Whole(DecodeDatabaseCut(bytes, origins, cut, version));
      break;
    }
    default: {
      const Result<StateName> name = StateName::Decode(bytes);
      if (Whole(name)) Require(StateName::Decode(name->Encode())->Encode() == name->Encode());
    }
  }
  return 0;
}
