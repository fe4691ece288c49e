/// The links of one node: handshakes, frames, and which link leads to whom.
///
/// At most one established link per node. When two nodes dial each other at once, both keep the
/// link that the smaller name dialled. A second process under a connected node's name is refused
/// while the first is heard. Encodes what the machines send and decodes what comes. Hostile bytes
/// end their link with a named reason (I11). No I/O: effects go where `BindEffects` says. Not
/// thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <spdlog/logger.h>

#include "replication/fragments.h"
#include "replication/handshake_fsm.h"
#include "replication/limits.h"
#include "replication/peer_sender.h"

namespace starling {

/// Who hears of links.
class LinkHost {
 public:
  virtual ~LinkHost() = default;
  /// What the node says of itself now; the nonce is filled in by the links.
  virtual Hello MakeHello() = 0;
  /// nullopt admits the peer as far as the host can tell.
  virtual std::optional<Refusal> Admit(const Hello& hello) = 0;
  /// The link to `peer` stands. `dialled`: the address asked for, empty where the peer dialled.
  virtual void OnPeer(NodeId peer, const Hello& hello, const Address& dialled, Instant now) = 0;
  virtual void OnPeerLost(NodeId peer, const std::string& name, Instant now) = 0;
  /// A dialled address turned out to be this node, or was refused, or fell silent.
  virtual void OnDialEnded(const Address& dialled, const std::optional<Hello>& peer,
                           Instant now) = 0;
  virtual void OnMessage(NodeId from, const PeerMessage& message, Instant now) = 0;
};

class Links final : public PeerSender {
 public:
  Links(LinkHost& host, std::string name, std::string secret, std::mt19937_64& random,
        std::shared_ptr<spdlog::logger> log);

  /// Where effects go until the next call; must be bound during every other call.
  void BindEffects(Effects* effects) { effects_ = effects; }

  void OnConnected(LinkId link, const Address& dialled, Instant now);
  void OnDisconnected(LinkId link, Instant now);
  void OnFrame(LinkId link, std::string_view frame, Instant now);
  void OnTick(Instant now);
  Instant NextTimer() const;

  using PeerSender::Send;
  void Send(std::span<const NodeId> to, Lane lane, const PeerMessage& message) override;
  /// Refuses an established peer and closes its link.
  void Refuse(NodeId peer, const Refusal& refusal, Instant now);

  bool Connected(NodeId peer) const { return by_node_.contains(peer); }
  /// Whether it has said something lately: a link outlives a host that is gone by many seconds.
  bool Hears(NodeId peer, Instant now) const {
    const auto found = by_node_.find(peer);
    return found != by_node_.end() && now < links_.at(found->second).heard + limits::kLinkFresh;
  }
  /// What the peer said of itself; null without an established link.
  const Hello* HelloOf(NodeId peer) const;

 private:
  struct Link {
    LinkId id = 0;
    Address dialled;
    std::unique_ptr<HandshakeFsm> handshake;
    NodeId peer;
    bool current = false;  ///< by_node_ leads here.
    Instant heard{};
    uint64_t next_message = 0;
    FragmentAssembler control;
    FragmentAssembler bulk;
  };

  void Emit(Link& link, Lane lane, std::string_view encoded);
  void EmitAll(Link& link, const std::vector<PeerMessage>& messages);
  void AfterHandshake(Link& link, Instant now);
  void Establish(Link& link, Instant now);
  /// Whether the new link takes the place of the one that stands; ends the loser.
  bool Resolve(Link& fresh, Instant now);
  void Close(LinkId id, const std::string& reason, Instant now);
  void Protocol(Link& link, const std::string& what, Instant now);
  void OnHandshakeMessage(Link& link, const PeerMessage& message, Instant now);
  void OnEstablishedMessage(Link& link, const PeerMessage& message, Instant now);
  bool DialledBySmaller(const Link& link) const;

  LinkHost& host_;
  std::string name_;
  std::string secret_;
  std::mt19937_64& random_;
  std::shared_ptr<spdlog::logger> log_;
  Effects* effects_ = nullptr;
  std::map<LinkId, Link> links_;
  std::map<NodeId, LinkId> by_node_;
};

}  // namespace starling
