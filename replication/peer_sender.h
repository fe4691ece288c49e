/// Where the machines put what they want said: implemented by the replicator, and by tests.
///
/// Not thread-safe. A message to a node without an established link is dropped: every machine
/// tolerates loss.
#pragma once

#include <span>

#include "replication/peer_message.h"

namespace starling {

using Lane = SendEffect::Lane;

class PeerSender {
 public:
  virtual ~PeerSender() = default;
  /// Encodes once and sends to each of `to`. The message's views are read during the call only.
  virtual void Send(std::span<const NodeId> to, Lane lane, const PeerMessage& message) = 0;

  void Send(NodeId to, Lane lane, const PeerMessage& message) {
    Send(std::span<const NodeId>(&to, 1), lane, message);
  }
};

}  // namespace starling
