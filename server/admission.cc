#include "server/admission.h"

namespace starling {

std::string_view RefusalFor(const Settings& settings, bool loopback_peer, uint64_t clients) {
  if (clients >= static_cast<uint64_t>(settings.maxclients)) {
    return "-ERR max number of clients reached\r\n";
  }
  if (settings.protected_mode && settings.requirepass.empty() && !loopback_peer) {
    return "-DENIED starling serves only clients of its own host, because protected mode is on and "
           "no password is set. To admit others, set a password with 'requirepass' (best), or turn "
           "the protection off with 'protected-mode no', by CONFIG SET from the host itself, in "
           "the configuration file or on the command line. Without either, bind to loopback "
           "only.\r\n";
  }
  return {};
}

}  // namespace starling
