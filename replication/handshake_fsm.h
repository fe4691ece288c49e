/// The handshake of one link: who are you, do we belong together, prove it.
///
/// Both sides greet at once, check the other's hello, show a proof of the secret, and check the
/// other's. A refusal is sent to the peer and says which check failed and what would be right. Lost
/// or doubled frames are tolerated: until the link stands, greeting and proof are sent again. A
/// state machine without I/O; not thread-safe; its host sends the messages and closes the link when
/// it has ended.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "replication/peer_message.h"
#include "replication/proof.h"

namespace starling {

class HandshakeFsm {
 public:
  struct Options {
    LinkRole role = LinkRole::kDialler;
    Hello own;  ///< With a fresh nonce.
    std::string secret;
    /// What only the host knows: clocks, other links. nullopt admits.
    std::function<std::optional<Refusal>(const Hello&)> admit;
  };

  enum class State : uint8_t { kGreeting, kProving, kEstablished, kEnded };

  HandshakeFsm(Options options, Instant now);

  /// Appends what is to be sent, on the control lane. The same for all functions here.
  void Start(std::vector<PeerMessage>& out);
  void OnHello(const Hello& hello, std::vector<PeerMessage>& out);
  void OnProof(const Proof& proof, std::vector<PeerMessage>& out);
  void OnRefusal(const Refusal& refusal);
  /// Resends and times out.
  void OnTick(Instant now, std::vector<PeerMessage>& out);
  Instant NextTimer() const;

  State state() const { return state_; }
  bool established() const { return state_ == State::kEstablished; }
  bool ended() const { return state_ == State::kEnded; }
  /// Why it ended, e.g. `refused (secret): ...`, `refused by the peer (version): ...`.
  const std::string& reason() const { return reason_; }
  std::optional<RefusalCode> code() const { return code_; }
  /// What the peer said of itself; none before its hello came.
  const std::optional<Hello>& peer() const { return peer_; }
  /// The protocol version both speak; valid from kProving on.
  uint16_t version() const { return version_; }

 private:
  std::optional<Refusal> Check(const Hello& hello);
  void Refuse(const Refusal& refusal, std::vector<PeerMessage>& out);
  std::string ProofOf(LinkRole prover) const;
  void Verify(const Proof& proof, std::vector<PeerMessage>& out);

  Options options_;
  State state_ = State::kGreeting;
  Instant started_;
  Instant resend_at_;
  std::optional<Hello> peer_;
  std::optional<Proof> early_proof_;  // overtook the hello
  uint16_t version_ = 0;
  std::string reason_;
  std::optional<RefusalCode> code_;
};

}  // namespace starling
