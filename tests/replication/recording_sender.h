/// Writes down what machines send, as text and as messages with bytes of their own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replication/peer_codec.h"
#include "replication/peer_sender.h"

namespace starling {

/// A message that outlives the frame it came in.
struct HeldMessage {
  std::shared_ptr<const std::string> bytes;
  PeerMessage message;
};

inline HeldMessage Hold(const PeerMessage& message) {
  auto bytes = std::make_shared<const std::string>(EncodePeerMessage(message));
  return {bytes, DecodePeerMessage(*bytes).value().message};
}

class RecordingSender final : public PeerSender {
 public:
  using PeerSender::Send;
  void Send(std::span<const NodeId> to, Lane lane, const PeerMessage& message) override {
    for (const NodeId peer : to) sent.push_back({peer, lane, Hold(message)});
  }

  struct Sent {
    NodeId to;
    Lane lane;
    HeldMessage held;
  };

  /// Everything sent since the last call.
  std::vector<Sent> Take() { return std::exchange(sent, {}); }
  /// As lines, `to` by `names` where known.
  std::string Text(const std::map<NodeId, std::string>& names = {}) {
    std::string text;
    for (const Sent& one : Take()) {
      const auto name = names.find(one.to);
      text += "-> " + (name == names.end() ? one.to.ToString() : name->second) + ": " +
              ToString(one.held.message) + "\n";
    }
    return text;
  }

  std::vector<Sent> sent;
};

}  // namespace starling
