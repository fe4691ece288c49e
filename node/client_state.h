/// What the node remembers of one client between its commands.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "node/ordering/level.h"

namespace starling {

/// Owned by the client's session; used by one thread at a time.
struct ClientState {
  uint64_t id = 0;
  std::string name;     ///< CLIENT SETNAME
  std::string address;  ///< Peer, `host:port`
  std::string local_address;
  std::string library_name;  ///< CLIENT SETINFO lib-name
  std::string library_version;
  uint8_t database = 0;
  int protocol = 2;
  bool authenticated = false;
  /// STARLING LEVEL: how strongly all its commands are ordered. None: as the node's patterns say.
  std::optional<Level> level;
  bool close_after_reply = false;  ///< QUIT, CLIENT KILL of itself, SHUTDOWN
  bool no_evict = false;
  bool no_touch = false;
  enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext } reply_mode = ReplyMode::kOn;
  std::chrono::nanoseconds created{0};      ///< Monotonic
  std::chrono::nanoseconds last_active{0};  ///< Monotonic
  const char* last_command = "NULL";        ///< Lower case, static storage
  uint64_t commands = 0;
};

}  // namespace starling
