/// Memory of this process, as the kernel counts it. Stateless, thread-safe.
#pragma once

#include <cstdint>

#include "node/node_services.h"

namespace starling {

struct SharedState;

/// Bytes resident now, and the most there ever were; 0 where the kernel does not say.
struct ResidentMemory {
  uint64_t now = 0;
  uint64_t peak = 0;
};
ResidentMemory ReadResidentMemory();

MemoryFigures MemoryOf(const SharedState& shared);

}  // namespace starling
