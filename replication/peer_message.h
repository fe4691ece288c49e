/// What members say to each other: one plain struct per message.
///
/// Value types. `std::string_view` members borrow: from the frame that was decoded (valid during
/// OnFrame), or from whoever builds the message (read during the encoding only). peer_codec.h turns
/// them into frames and back. Machines rely on no order between messages: each may be lost, doubled
/// or late.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "replication/forwarding_message.h"
#include "replication/lease_message.h"
#include "replication/replicator.h"
#include "storage/origin.h"
#include "storage/stamp.h"
#include "storage/version_vector.h"

namespace starling {

/// The protocol spoken, and the oldest still understood: version N and N-1 interoperate.
struct ProtocolRange {
  uint16_t current = 1;
  uint16_t minimum = 1;
};
inline constexpr ProtocolRange kProtocolRange{};

// --- handshake ---
struct Hello {
  ProtocolRange protocol;
  std::string cluster_name;
  uint64_t cluster_id = 0;  ///< 0: in no cluster.
  std::string node_name;
  uint64_t incarnation = 0;
  uint64_t session = 0;  ///< Random per process: tells a restart or a copy from a second dial.
  std::string nonce;     ///< kNonceBytes, never used twice.
  int64_t wall_millis = 0;
  Stamp clock;           ///< The hybrid clock.
  Address address;       ///< Where others reach the sender.
  uint32_t members = 0;  ///< Members it knows of, or expects.
  std::string boot_id;   ///< Of the sender's host; empty: not said.
  std::string process;   ///< By which others on that host can tell whether it still runs.
};

/// HMAC over both hellos: proves the secret without showing it.
struct Proof {
  std::string mac;
};

/// The numbers are the wire format.
enum class RefusalCode : uint8_t {
  kVersion = 1,
  kClusterName = 2,
  kClusterId = 3,
  kSecret = 4,
  kClockSkew = 5,
  kNodeConnected = 6,
  kName = 7,
  kProtocol = 8,  ///< Bytes or messages that make no sense.
  kFull = 9,
};

struct Refusal {
  RefusalCode code = RefusalCode::kProtocol;
  std::string text;
};

/// A piece of a message too large for one frame.
struct Fragment {
  uint64_t message = 0;  ///< Rises per link.
  uint32_t index = 0;
  uint32_t count = 0;
  std::string_view data;
};

// --- streams ---
struct Batches {
  std::vector<std::string_view> batches;  ///< As batch_codec.h encodes them.
};

/// Asks for the rest of a stream.
struct Want {
  Origin origin;
  Stamp after;
};

/// What the sender holds: acknowledgement, anti-entropy and stability in one.
struct Report {
  uint64_t sequence = 0;  ///< Rises per process; a late one does not replace a newer list digest.
  bool round = false;     ///< Once a second: send me what I lack.
  bool full = false;      ///< `vector` is whole; else only what changed.
  Origin origin;          ///< The sender's present origin.
  VersionVector vector;
  VersionVector floor;  ///< With `full`: up to where the sender has freed.
  uint64_t list_digest = 0;
  Stamp clock;
  uint64_t promised = 0;  ///< The epoch this voter has promised; of one moment with `vector`.
  uint64_t leads = 0;     ///< The epoch that the sender holds; 0: none.
  bool asks = false;      ///< What the receiver holds is wanted now, whole.
};

// --- walks ---
/// "My log does not reach back to what you lack: ask for a walk."
struct WalkHint {};

struct WalkRequest {
  uint64_t walk = 0;   ///< The receiver's number for it.
  bool whole = false;  ///< The whole state is wanted, whatever `covered` says.
  VersionVector covered;
};

struct WalkPart {
  uint64_t walk = 0;
  uint32_t index = 0;
  bool whole = false;
  bool last = false;
  std::vector<std::string_view> pieces;  ///< Chunks and stream batches.
};

struct WalkCredit {
  uint64_t walk = 0;
  uint32_t received = 0;  ///< All parts below it have arrived.
};

struct WalkAbort {
  uint64_t walk = 0;
  std::string reason;
};

// --- membership ---
struct MemberUpdate {
  std::string name;
  Address address;
  uint64_t incarnation = 0;  ///< SWIM's own: raised to refute.
  MemberState state = MemberState::kAlive;
  std::string by;  ///< kSuspect: who suspects.
};

struct SwimMessage {
  enum class Kind : uint8_t { kPing = 1, kAck = 2, kPingRequest = 3, kNack = 4, kGossip = 5 };
  Kind kind = Kind::kGossip;
  uint64_t sequence = 0;
  std::string target;  ///< kPingRequest: whom to ping.
  std::vector<MemberUpdate> updates;
};

// --- cluster ---
/// "I am in this cluster", and what its member list says of the receiver.
struct ClusterAnnounce {
  ClusterRecord record;
  bool forgotten = false;  ///< The receiver's membership has ended...
  uint64_t ended = 0;      ///< ...up to this incarnation...
  VersionVector ends;      ///< ...and its streams end here.
};

/// "I am in no cluster and expect so many members."
struct CreationOffer {
  uint32_t expect = 0;
};
struct CreationProposal {
  ClusterRecord record;
};
/// "I have persisted the proposal."
struct CreationAccept {
  uint64_t id = 0;
};

/// "I have taken the whole state: write that I begin."
struct BeginRequest {
  std::string name;
  uint64_t incarnation = 0;
};

/// "Stop accepting the streams of these members and report."
struct ForgetRequest {
  std::vector<std::string> names;
  std::vector<uint64_t> begun;  ///< The incarnation that each began with, as the sender knows it.
};
struct ForgetReport {
  std::vector<std::string> names;
  VersionVector held;           ///< Of these members' origins.
  std::vector<uint64_t> begun;  ///< As in the request.
};

using PeerMessage =
    std::variant<Hello, Proof, Refusal, Fragment, Batches, Want, Report, WalkHint, WalkRequest,
                 WalkPart, WalkCredit, WalkAbort, SwimMessage, ClusterAnnounce, CreationOffer,
                 CreationProposal, CreationAccept, BeginRequest, ForgetRequest, ForgetReport,
                 LeaseMessage, ForwardingMessage>;

/// One readable line, for logs and golden transcripts; nonces, proofs and payloads as sizes only.
std::string ToString(const PeerMessage& message);
/// The field's name: "hello", "batches", ...
const char* NameOf(const PeerMessage& message);
const char* NameOf(RefusalCode code);
const char* NameOf(MemberState state);

}  // namespace starling
