/// Whom to call: addresses from seeds, the meeting folder and other members, with back-off.
///
/// An address is dialled while no link to its node stands; which node lives there is learned from
/// handshakes. After a lost link it is dialled at once, then with growing pauses; so too where a
/// link is lost as soon as it stands (the peer refuses it). A state machine without I/O; not
/// thread-safe.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "replication/replicator.h"

namespace starling {

class Dialer {
 public:
  enum Source : uint8_t { kSeed = 1, kFolder = 2, kMember = 4 };
  using Connected = std::function<bool(NodeId)>;

  Dialer(Address own, std::mt19937_64& random) : own_(std::move(own)), random_(random) {}

  /// Adds addresses of one source; with `replace` those of it that are not named go.
  void Set(Source source, const std::vector<Address>& addresses, bool replace, Instant now);
  /// Where a member lives; its earlier address is no longer dialled.
  void SetMember(NodeId node, const Address& address, Instant now);
  /// It left or was forgotten.
  void RemoveMember(NodeId node);

  /// The node found at a dialled address; `self`: this one.
  void OnFound(const Address& address, NodeId node, bool self);
  void OnFailed(const Address& address, Instant now);
  /// A link to `node` stands, dialled or not.
  void OnLinked(NodeId node, Instant now);
  /// The link to `node` was lost: its addresses are dialled now, or after the next longer pause if
  /// it stood for less than kLinkSettled.
  void OnLost(NodeId node, Instant now);

  /// Addresses to dial now; each is on its way until OnFound or OnFailed.
  std::vector<Address> Due(Instant now, const Connected& connected);
  Instant NextTimer(const Connected& connected) const;
  /// The node known to live at `address`.
  std::optional<NodeId> NodeAt(const Address& address) const;

 private:
  struct Entry {
    uint8_t sources = 0;
    std::optional<NodeId> node;
    bool self = false;
    bool dialling = false;
    Instant next{};
    Instant linked{};  // when the last link to the node stood
    std::chrono::nanoseconds pause{0};
  };

  void PutOff(Entry& entry, Instant now);

  bool Wanted(const Entry& entry, const Connected& connected) const;

  Address own_;
  std::mt19937_64& random_;
  std::map<Address, Entry> entries_;
};

}  // namespace starling
