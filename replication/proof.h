/// Proving the cluster's secret without showing it.
///
/// Challenge and response: HMAC-SHA256 (RFC 2104) keyed by the secret over who proves (dialler or
/// acceptor, so that a proof cannot be reflected), both names and both nonces (so that it cannot be
/// replayed), and what both sides said of themselves. Stateless and thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "replication/peer_message.h"

namespace starling {

enum class LinkRole : uint8_t { kDialler = 1, kAcceptor = 2 };

/// The proof that `prover` must show on a link between these two hellos.
std::string MakeProof(std::string_view secret, LinkRole prover, const Hello& dialler,
                      const Hello& acceptor);

/// Compares in time that does not depend on where they differ.
bool SameProof(std::string_view expected, std::string_view shown);

}  // namespace starling
