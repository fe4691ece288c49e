/// Gossip endpoints as text: `host:port`, `[2001:db8::1]:port`.
///
/// Pure functions and this host's own addresses. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "replication/replicator.h"
#include "starling/result.h"

namespace starling {

struct Endpoint {
  std::string host;  ///< Without brackets.
  uint16_t port = 0;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// Errors: kInvalidArgument names the text and what is wrong with it.
Result<Endpoint> ParseEndpoint(std::string_view text);
/// The inverse; brackets around IPv6 addresses.
Address FormatEndpoint(const Endpoint& endpoint);

/// Whether `host` is an IPv4 or IPv6 address rather than a name.
bool IsNumericHost(std::string_view host);
/// Whether `text` can be a host's name: letters, digits, `-`, `_` and dots, 1 to 253 of them (RFC
/// 1123, and `_` because it is found in use).
bool IsHostName(std::string_view text);
/// Whether `host` is 0.0.0.0 or ::.
bool IsAnyAddress(std::string_view host);

/// Addresses of this host's interfaces that are up, loopback last; numeric. Empty where it cannot
/// be told.
std::vector<std::string> LocalAddresses();
/// What to tell others to dial: `advertise` where given, `bind` where it is not the any-address,
/// else the first of LocalAddresses().
std::string AdvertisedHost(const std::string& bind, const std::string& advertise);

/// Members that a seed list stands for, this node included: `own_host` and `own_port` may be one of
/// the list or not. Names are resolved (blocking) only where their port is `own_port`.
int MembersNamed(const std::vector<std::string>& seeds, const std::string& own_host,
                 uint16_t own_port);

/// Whether `text` can be a cluster's or a node's name: letters, digits, `.`, `_`, `-`, 1 to 128 of
/// them, not starting with a dot.
bool IsPlainName(std::string_view text);

}  // namespace starling
