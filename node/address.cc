#include "node/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <set>

#include "replication/limits.h"

namespace starling {
namespace {

Error BadEndpoint(std::string_view text, const char* reason) {
  return Error{Code::kInvalidArgument,
               "address '" + std::string(text) + "': " + reason + "; expected host:port"};
}

std::string NumericText(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text,
              sizeof(text));
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text,
              sizeof(text));
  }
  return text;
}

/// Numeric addresses of `host`, which may be one already.
std::vector<std::string> ResolveBlocking(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  std::vector<std::string> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    addresses.push_back(NumericText(entry->ai_addr));
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace

Result<Endpoint> ParseEndpoint(std::string_view text) {
  if (text.size() > limits::kAddressBytes) return BadEndpoint(text.substr(0, 64), "too long");
  Endpoint endpoint;
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find("]:");
    if (end == std::string_view::npos) return BadEndpoint(text, "']:' is missing");
    endpoint.host = text.substr(1, end - 1);
    port = text.substr(end + 2);
  } else {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return BadEndpoint(text, "the port is missing");
    endpoint.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (endpoint.host.find(':') != std::string::npos) {
      return BadEndpoint(text, "an IPv6 address needs brackets");
    }
  }
  if (endpoint.host.empty()) return BadEndpoint(text, "the host is missing");
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size() || endpoint.port == 0) {
    return BadEndpoint(text, "the port is not a number from 1 to 65535");
  }
  return endpoint;
}

Address FormatEndpoint(const Endpoint& endpoint) {
  const std::string port = ":" + std::to_string(endpoint.port);
  if (endpoint.host.find(':') != std::string::npos) return "[" + endpoint.host + "]" + port;
  return endpoint.host + port;
}

bool IsNumericHost(std::string_view host) {
  const std::string text(host);
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, text.c_str(), buffer) == 1 ||
         inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

bool IsHostName(std::string_view text) {
  constexpr size_t kLongest = 253;
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= kLongest && text[0] != '-' && text[0] != '.' &&
         std::all_of(text.begin(), text.end(), fits);
}

bool IsAnyAddress(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

std::vector<std::string> LocalAddresses() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, freeifaddrs);
  std::vector<std::string> ipv4, ipv6, loopback;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    std::string text = NumericText(entry->ifa_addr);
    if (text.starts_with("fe80:")) continue;  // link-local: useless without its interface
    auto& list =
        (entry->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : (family == AF_INET ? ipv4 : ipv6);
    list.push_back(std::move(text));
  }
  ipv4.insert(ipv4.end(), ipv6.begin(), ipv6.end());
  ipv4.insert(ipv4.end(), loopback.begin(), loopback.end());
  return ipv4;
}

std::string AdvertisedHost(const std::string& bind, const std::string& advertise) {
  if (!advertise.empty()) return advertise;
  if (!IsAnyAddress(bind)) return bind;
  const std::vector<std::string> local = LocalAddresses();
  return local.empty() ? "127.0.0.1" : local.front();
}

int MembersNamed(const std::vector<std::string>& seeds, const std::string& own_host,
                 uint16_t own_port) {
  std::set<std::string> distinct;
  std::optional<std::vector<std::string>> local;
  bool self_listed = false;
  for (const std::string& seed : seeds) {
    distinct.insert(seed);
    const Result<Endpoint> endpoint = ParseEndpoint(seed);
    if (!endpoint || endpoint->port != own_port || self_listed) continue;
    if (endpoint->host == own_host) {
      self_listed = true;
      continue;
    }
    if (!local) local = LocalAddresses();
    for (const std::string& resolved : ResolveBlocking(endpoint->host)) {
      // Another loopback address than ours is another node: clusters on one host use them so.
      const bool loopback = resolved.starts_with("127.") || resolved == "::1";
      if (loopback ? resolved == own_host
                   : std::find(local->begin(), local->end(), resolved) != local->end()) {
        self_listed = true;
      }
    }
  }
  return static_cast<int>(distinct.size()) + (self_listed ? 0 : 1);
}

bool IsPlainName(std::string_view text) {
  if (text.empty() || text.size() > 128 || text.front() == '.') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace starling
