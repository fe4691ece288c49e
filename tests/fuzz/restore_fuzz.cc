/// Fuzzes what RESTORE reads: whatever the bytes, they are refused or give a value that can be
/// written, dumped and read again as the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "node/rdb_object.h"
#include "node/rdb_payload.h"

namespace {

using starling::KeyType;
using starling::RdbObject;

/// A clock that stands still but for the stamps drawn.
class StillTime : public starling::TimeSource {
 public:
  int64_t WallMillis() override { return 1'700'000'000'000; }
  std::chrono::nanoseconds Monotonic() override { return std::chrono::nanoseconds(1); }
};

/// Elements with what belongs to them; sorted, but for a list's.
std::vector<std::string> Content(const RdbObject& object) {
  std::vector<std::string> content;
  const size_t step = object.type == KeyType::kHash ? 2 : 1;
  for (size_t i = 0; i < object.texts.size(); i += step) {
    std::string line = object.texts[i];
    if (step == 2) line += '\0' + object.texts[i + 1];
    if (!object.scores.empty()) line += '\0' + std::to_string(object.scores[i] + 0.0);
    content.push_back(std::move(line));
  }
  if (object.type != KeyType::kList) std::sort(content.begin(), content.end());
  return content;
}

void CheckRoundTrip(const RdbObject& object) {
  StillTime time;
  starling::HybridClock clock(time);
  starling::Keyspace keyspace({1, 1}, clock);
  keyspace.SetOrigin({starling::NodeId{1}, 1});
  const starling::KeyRef key = keyspace.Ref(0, "key");
  starling::Access access = keyspace.Lock(key);
  starling::WriteRdbObject(access, key, object);
  const auto view = access.Find(key);
  if (!view || view->type != object.type) std::abort();
  const auto bytes = starling::EncodeRdbObject(access, key, *view);
  if (!bytes) std::abort();
  const auto again = starling::DecodeRdbObject(*bytes);
  if (!again || again->type != object.type || Content(*again) != Content(object)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // Once as a value, so that the fuzzer need not find checksums, and once sealed.
  const auto object = starling::DecodeRdbObject(input);
  if (object) CheckRoundTrip(*object);
  std::string sealed(input);
  starling::SealPayload(sealed);
  const auto opened = starling::OpenPayload(sealed);
  if (!opened || *opened != input) std::abort();
  static_cast<void>(starling::OpenPayload(input));
  return 0;
}
