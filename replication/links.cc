#include "replication/links.h"

#include <algorithm>
#include <utility>

#include "replication/limits.h"
#include "replication/peer_codec.h"
#include "storage/check.h"

namespace starling {

Links::Links(LinkHost& host, std::string name, std::string secret, std::mt19937_64& random,
             std::shared_ptr<spdlog::logger> log)
    : host_(host),
      name_(std::move(name)),
      secret_(std::move(secret)),
      random_(random),
      log_(std::move(log)) {}

const Hello* Links::HelloOf(NodeId peer) const {
  const auto link = by_node_.find(peer);
  if (link == by_node_.end()) return nullptr;
  return &*links_.at(link->second).handshake->peer();
}

// --- sending ---

void Links::Emit(Link& link, Lane lane, std::string_view encoded) {
  const uint16_t version = link.handshake->version();
  // The number's lowest bit tells the peer which of two it puts together: fragments of bulk, or of
  // all else, which goes as orders do, so that neither are mixed.
  const uint64_t number = 2 * ++link.next_message + (lane == Lane::kBulk ? 1 : 0);
  CutIntoFrames(encoded, number, version, [&](std::string frame) {
    effects_->push_back(
        SendEffect{link.id, lane, std::make_shared<const std::string>(std::move(frame))});
  });
}

void Links::EmitAll(Link& link, const std::vector<PeerMessage>& messages) {
  for (const PeerMessage& message : messages) {
    Emit(link, Lane::kControl, EncodePeerMessage(message));
  }
}

void Links::Send(std::span<const NodeId> to, Lane lane, const PeerMessage& message) {
  STARLING_CHECK(effects_ != nullptr);
  std::map<uint16_t, SharedBytes> by_version;
  for (const NodeId peer : to) {
    const auto found = by_node_.find(peer);
    if (found == by_node_.end()) continue;
    Link& link = links_.at(found->second);
    SharedBytes& encoded = by_version[link.handshake->version()];
    if (encoded == nullptr) {
      encoded = std::make_shared<const std::string>(
          EncodePeerMessage(message, link.handshake->version()));
    }
    if (encoded->size() <= limits::kFrameBytes) {
      effects_->emplace_back(SendEffect{link.id, lane, encoded});
    } else {
      Emit(link, lane == Lane::kBulk ? Lane::kBulk : Lane::kOrders, *encoded);
    }
  }
}

// --- life of a link ---

void Links::OnConnected(LinkId id, const Address& dialled, Instant now) {
  if (links_.size() >= limits::kLinks) {
    effects_->emplace_back(
        CloseEffect{id, "more than " + std::to_string(limits::kLinks) + " links"});
    return;
  }
  Link& link = links_[id];
  link.id = id;
  link.dialled = dialled;
  link.heard = now;
  HandshakeFsm::Options options;
  options.role = dialled.empty() ? LinkRole::kAcceptor : LinkRole::kDialler;
  options.own = host_.MakeHello();
  for (size_t i = 0; i < limits::kNonceBytes; ++i) {
    options.own.nonce.push_back(static_cast<char>(random_()));
  }
  options.secret = secret_;
  options.admit = [this](const Hello& hello) { return host_.Admit(hello); };
  link.handshake = std::make_unique<HandshakeFsm>(std::move(options), now);
  std::vector<PeerMessage> out;
  link.handshake->Start(out);
  EmitAll(link, out);
}

void Links::OnDisconnected(LinkId id, Instant now) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const Link link = std::move(found->second);
  links_.erase(found);
  if (link.current) {
    by_node_.erase(link.peer);
    host_.OnPeerLost(link.peer, link.handshake->peer()->node_name, now);
  } else if (!link.dialled.empty()) {
    host_.OnDialEnded(link.dialled, link.handshake->peer(), now);
  }
}

void Links::Close(LinkId id, const std::string& reason, Instant now) {
  effects_->emplace_back(CloseEffect{id, reason});
  OnDisconnected(id, now);
}

void Links::Refuse(NodeId peer, const Refusal& refusal, Instant now) {
  const auto found = by_node_.find(peer);
  if (found == by_node_.end()) return;
  const LinkId id = found->second;
  const std::string name = links_.at(id).handshake->peer()->node_name;
  EmitAll(links_.at(id), {refusal});
  const std::string reason = std::string("refused (") + NameOf(refusal.code) + "): " + refusal.text;
  effects_->emplace_back(EventEffect{EventEffect::Kind::kPeerRefused, name, reason});
  Close(id, reason, now);
}

void Links::Protocol(Link& link, const std::string& what, Instant now) {
  EmitAll(link, {Refusal{RefusalCode::kProtocol, what.substr(0, limits::kReasonBytes)}});
  Close(link.id, "refused (protocol): " + what, now);
}

bool Links::DialledBySmaller(const Link& link) const {
  const bool own_smaller = name_ < link.handshake->peer()->node_name;
  return own_smaller == !link.dialled.empty();
}

bool Links::Resolve(Link& fresh, Instant now) {
  const auto found = by_node_.find(fresh.peer);
  if (found == by_node_.end()) return true;
  Link& standing = links_.at(found->second);
  const bool heard = now < standing.heard + limits::kLinkFresh;
  const bool same_process = standing.handshake->peer()->session == fresh.handshake->peer()->session;
  if (!same_process && heard) {
    EmitAll(fresh, {Refusal{RefusalCode::kNodeConnected,
                            "a node named '" + fresh.handshake->peer()->node_name +
                                "' is connected and alive; names must differ (see --name)"}});
    Close(fresh.id, "refused (node-connected): a second process of a connected node", now);
    return false;
  }
  const bool same_direction = standing.dialled.empty() == fresh.dialled.empty();
  const bool keep = heard && (same_direction || DialledBySmaller(standing));
  if (same_process && keep) {
    Close(fresh.id, "second link to a connected node", now);
    return false;
  }
  Close(standing.id, same_process ? "replaced by the link of the smaller name" : "silent", now);
  return true;
}

void Links::Establish(Link& link, Instant now) {
  const Hello hello = *link.handshake->peer();
  link.peer = NodeId::FromName(hello.node_name);
  if (!Resolve(link, now)) return;
  link.current = true;
  by_node_[link.peer] = link.id;
  log_->info("event=link_established peer={} link={} dialled=\"{}\" version={}", hello.node_name,
             link.id, link.dialled, link.handshake->version());
  host_.OnPeer(link.peer, hello, link.dialled, now);
}

void Links::AfterHandshake(Link& link, Instant now) {
  if (link.handshake->established()) {
    if (!link.current) Establish(link, now);
    return;
  }
  if (!link.handshake->ended()) return;
  const auto& peer = link.handshake->peer();
  const std::string who = peer ? peer->node_name : link.dialled;
  if (link.handshake->code()) {
    effects_->push_back(
        EventEffect{EventEffect::Kind::kPeerRefused, who, link.handshake->reason()});
  }
  Close(link.id, link.handshake->reason(), now);
}

// --- frames ---

void Links::OnFrame(LinkId id, std::string_view frame, Instant now) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  Link& link = found->second;
  link.heard = now;
  const size_t limit =
      link.handshake->established() ? limits::kFrameBytes : limits::kHandshakeFrameBytes;
  // Bulk may overtake the last step of the peer's handshake: not wanted yet, no reason to part.
  if (frame.size() > limits::kFrameBytes) return Protocol(link, "frame too large", now);
  if (frame.size() > limit) return;
  const Result<DecodedMessage> decoded = DecodePeerMessage(frame);
  if (!decoded) return Protocol(link, decoded.error().message, now);
  if (!link.handshake->established() || decoded->message.index() <= 2) {
    return OnHandshakeMessage(link, decoded->message, now);
  }
  if (decoded->version > link.handshake->version()) {
    return Protocol(link, "a message of a version that was not agreed on", now);
  }
  OnEstablishedMessage(link, decoded->message, now);
}

void Links::OnHandshakeMessage(Link& link, const PeerMessage& message, Instant now) {
  std::vector<PeerMessage> out;
  if (const auto* hello = std::get_if<Hello>(&message)) {
    link.handshake->OnHello(*hello, out);
  } else if (const auto* proof = std::get_if<Proof>(&message)) {
    link.handshake->OnProof(*proof, out);
  } else if (const auto* refusal = std::get_if<Refusal>(&message)) {
    link.handshake->OnRefusal(*refusal);
  }
  EmitAll(link, out);
  AfterHandshake(link, now);
}

void Links::OnEstablishedMessage(Link& link, const PeerMessage& message, Instant now) {
  if (!link.current) return;
  const auto* fragment = std::get_if<Fragment>(&message);
  if (fragment == nullptr) return host_.OnMessage(link.peer, message, now);
  FragmentAssembler& assembler = fragment->message % 2 == 1 ? link.bulk : link.control;
  Result<std::optional<std::string>> whole = assembler.Add(*fragment);
  if (!whole) return Protocol(link, whole.error().message, now);
  if (!*whole) return;
  const Result<DecodedMessage> decoded = DecodePeerMessage(**whole);
  if (!decoded) return Protocol(link, decoded.error().message, now);
  const bool nested =
      std::holds_alternative<Fragment>(decoded->message) || decoded->message.index() <= 2;
  if (nested) return Protocol(link, "a handshake message or fragment inside fragments", now);
  host_.OnMessage(link.peer, decoded->message, now);
}

void Links::OnTick(Instant now) {
  std::vector<LinkId> ids;
  std::vector<LinkId> silent;
  for (const auto& [id, link] : links_) {
    if (!link.handshake->established()) {
      ids.push_back(id);
    } else if (now >= link.heard + limits::kLinkSilent) {
      silent.push_back(id);
    }
  }
  // Its other end may be gone without a word, or be another link than the peer's: a partition can
  // leave two that each take one of them for theirs.
  for (const LinkId id : silent) Close(id, "silent", now);
  for (const LinkId id : ids) {
    const auto found = links_.find(id);
    if (found == links_.end()) continue;
    std::vector<PeerMessage> out;
    found->second.handshake->OnTick(now, out);
    EmitAll(found->second, out);
    AfterHandshake(found->second, now);
  }
}

Instant Links::NextTimer() const {
  Instant next = Instant::max();
  for (const auto& [id, link] : links_) {
    const bool established = link.handshake->established();
    next = std::min(next,
                    established ? link.heard + limits::kLinkSilent : link.handshake->NextTimer());
  }
  return next;
}

}  // namespace starling
