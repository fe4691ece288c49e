/// Who may connect: protected mode and the limit of clients.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/settings.h"

namespace starling {

/// What a connection is told that may not stay, a whole RESP error; empty where it may.
/// `clients`: those connected already. Pure.
std::string_view RefusalFor(const Settings& settings, bool loopback_peer, uint64_t clients);

}  // namespace starling
