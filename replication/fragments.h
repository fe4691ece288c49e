/// Cuts messages that do not fit one frame, and puts them together again.
///
/// Not thread-safe; one per link. Only whole messages leave the assembler. A fragment that is
/// missing, doubled or out of order drops the message it belongs to: whoever waits for it asks
/// again. Memory grows with the bytes that arrived and never beyond limits::kMessageBytes (I11).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "replication/peer_message.h"
#include "starling/result.h"

namespace starling {

/// Gives `emit` the frames that carry `message` (already encoded): itself where it fits. `number`
/// names the message on its link and must rise.
void CutIntoFrames(std::string_view message, uint64_t number, uint16_t version,
                   const std::function<void(std::string frame)>& emit);

class FragmentAssembler {
 public:
  /// Takes one fragment; the whole message once its last has come. Errors: kCorruption (a fragment
  /// that contradicts itself), kLimitExceeded; what was gathered is dropped then.
  Result<std::optional<std::string>> Add(const Fragment& fragment);

 private:
  uint64_t message_ = 0;
  uint32_t count_ = 0;
  uint32_t next_ = 0;
  std::string bytes_;
};

}  // namespace starling
