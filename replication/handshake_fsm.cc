#include "replication/handshake_fsm.h"

#include <algorithm>
#include <utility>

#include "replication/limits.h"

namespace starling {
namespace {

std::optional<Refusal> CheckVersion(const ProtocolRange& own, const ProtocolRange& theirs) {
  const uint16_t spoken = std::min(own.current, theirs.current);
  if (spoken >= own.minimum && spoken >= theirs.minimum) return std::nullopt;
  const auto range = [](const ProtocolRange& r) {
    return std::to_string(r.minimum) + " to " + std::to_string(r.current);
  };
  return Refusal{RefusalCode::kVersion, "protocol versions do not overlap: this node speaks " +
                                            range(own) + ", the peer " + range(theirs) +
                                            "; upgrade the older one"};
}

std::optional<Refusal> CheckCluster(const Hello& own, const Hello& theirs) {
  if (own.cluster_name != theirs.cluster_name) {
    return Refusal{RefusalCode::kClusterName, "cluster name differs: this node is of '" +
                                                  own.cluster_name + "', the peer of '" +
                                                  theirs.cluster_name + "'; see --cluster"};
  }
  if (own.cluster_id != 0 && theirs.cluster_id != 0 && own.cluster_id != theirs.cluster_id) {
    return Refusal{RefusalCode::kClusterId,
                   "cluster id differs: " + own.node_name + " is in cluster " +
                       std::to_string(own.cluster_id) + ", " + theirs.node_name + " in " +
                       std::to_string(theirs.cluster_id) + ", both named '" + own.cluster_name +
                       "'; clusters never merge by themselves: to bring a node of one into the "
                       "other, stop it and start it on an empty data folder with --join naming a "
                       "member of the other"};
  }
  return std::nullopt;
}

}  // namespace

HandshakeFsm::HandshakeFsm(Options options, Instant now)
    : options_(std::move(options)), started_(now), resend_at_(now + limits::kHandshakeResend) {}

void HandshakeFsm::Start(std::vector<PeerMessage>& out) { out.push_back(options_.own); }

std::optional<Refusal> HandshakeFsm::Check(const Hello& hello) {
  if (auto refusal = CheckVersion(options_.own.protocol, hello.protocol)) return refusal;
  if (auto refusal = CheckCluster(options_.own, hello)) return refusal;
  if (hello.node_name.empty()) return Refusal{RefusalCode::kName, "the peer has no name"};
  return options_.admit ? options_.admit(hello) : std::nullopt;
}

void HandshakeFsm::OnHello(const Hello& hello, std::vector<PeerMessage>& out) {
  if (ended()) return;
  if (peer_) {
    // Sent again, so our proof may be lost. A different hello on one link is none of ours: ignored.
    if (hello.nonce == peer_->nonce) out.push_back(Proof{ProofOf(options_.role)});
    return;
  }
  peer_ = hello;
  if (const auto refusal = Check(hello)) return Refuse(*refusal, out);
  version_ = std::min(options_.own.protocol.current, hello.protocol.current);
  state_ = State::kProving;
  out.push_back(Proof{ProofOf(options_.role)});
  if (early_proof_) Verify(*early_proof_, out);
}

void HandshakeFsm::OnProof(const Proof& proof, std::vector<PeerMessage>& out) {
  if (state_ == State::kGreeting) {
    early_proof_ = proof;
  } else if (state_ == State::kProving) {
    Verify(proof, out);
  }
}

void HandshakeFsm::Verify(const Proof& proof, std::vector<PeerMessage>& out) {
  const LinkRole other =
      options_.role == LinkRole::kDialler ? LinkRole::kAcceptor : LinkRole::kDialler;
  if (!SameProof(ProofOf(other), proof.mac)) {
    return Refuse({RefusalCode::kSecret,
                   "the peer's proof does not fit this node's secret; see --secret-file"},
                  out);
  }
  state_ = State::kEstablished;
}

std::string HandshakeFsm::ProofOf(LinkRole prover) const {
  const bool dialler = options_.role == LinkRole::kDialler;
  return MakeProof(options_.secret, prover, dialler ? options_.own : *peer_,
                   dialler ? *peer_ : options_.own);
}

void HandshakeFsm::Refuse(const Refusal& refusal, std::vector<PeerMessage>& out) {
  state_ = State::kEnded;
  code_ = refusal.code;
  reason_ = std::string("refused (") + NameOf(refusal.code) + "): " + refusal.text;
  out.push_back(refusal);
}

void HandshakeFsm::OnRefusal(const Refusal& refusal) {
  if (ended()) return;
  state_ = State::kEnded;
  code_ = refusal.code;
  reason_ = std::string("refused by the peer (") + NameOf(refusal.code) + "): " + refusal.text;
}

void HandshakeFsm::OnTick(Instant now, std::vector<PeerMessage>& out) {
  if (ended() || established()) return;
  if (now >= started_ + limits::kHandshakeTime) {
    state_ = State::kEnded;
    reason_ = peer_ ? "the peer showed no proof in time" : "the peer sent no hello in time";
    return;
  }
  if (now < resend_at_) return;
  resend_at_ = now + limits::kHandshakeResend;
  out.push_back(options_.own);
  if (peer_) out.push_back(Proof{ProofOf(options_.role)});
}

Instant HandshakeFsm::NextTimer() const {
  if (ended() || established()) return Instant::max();
  return std::min<Instant>(resend_at_, started_ + limits::kHandshakeTime);
}

}  // namespace starling
