/// The replication engine of one node: every protocol of DESIGN.md section 5 behind one door.
///
/// A state machine without threads, sockets, clocks or randomness of its own (section 8). The host
/// (node/'s runtime; in tests the simulator) feeds inputs with `now` and carries out the effects in
/// order. It reads and writes the store synchronously; what it sends is already in the store's log,
/// so effects can be released as soon as a call returns (I7). Not thread-safe: one thread owns it.
///
/// It is put together from machines that each live in a file of their own: handshake, streams,
/// walks, stability, member list, cluster creation, swim.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <spdlog/logger.h>

#include "replication/lease_rules.h"
#include "replication/order.h"
#include "replication/own_batch.h"
#include "replication/voter_change.h"
#include "starling/result.h"
#include "storage/batch_codec.h"
#include "storage/keyspace.h"
#include "storage/store.h"

namespace starling {

/// Monotonic time of the host.
using Instant = std::chrono::nanoseconds;

/// One transport connection; drawn by the host, never reused.
using LinkId = uint64_t;

/// A member's gossip endpoint, `host:port`.
using Address = std::string;

/// A created cluster (DESIGN.md section 5, "One cluster is created once").
struct ClusterRecord {
  uint64_t id = 0;                         ///< Random, never 0.
  std::vector<std::string> first_members;  ///< Names, sorted.
  std::vector<std::string> voters;  ///< The 1, 3 or 5 smallest names; empty: the shared folder.
};

struct ReplicatorOptions {
  std::string cluster_name = "starling";
  Address advertise;           ///< Where other members reach this node.
  std::vector<Address> seeds;  ///< From `--join`, DNS names already resolved by the host.
  int expect = 0;              ///< Members that must meet before a seed-listed cluster is created.
  /// Who votes in a seed-listed cluster that is created; sorted, 1, 3 or 5. Empty: the smallest
  /// names.
  std::vector<std::string> voters;
  std::string secret;  ///< Empty: members need none (and one with a secret refuses us).
  std::chrono::milliseconds max_clock_skew{500};
  std::chrono::milliseconds forget_after{std::chrono::hours(24)};
  /// What others on this host see of it: the running kernel, and a line by which they can tell
  /// whether this process still runs. Empty: nothing is said.
  std::string boot_id;
  std::string process;
  uint64_t random_seed = 0;  ///< For probes, jitter, nonces: from the OS in production.
  LeaseRules lease_rules;    ///< For tests only: one may be left out.
};

/// Effects, carried out in order by the host.
struct SendEffect {
  /// Control overtakes clients' orders, which may be large; both overtake bulk.
  enum class Lane : uint8_t { kControl, kBulk, kOrders };
  LinkId link;
  Lane lane;
  SharedBytes frame;
};
struct DialEffect {
  Address address;
};
struct CloseEffect {
  LinkId link;
  std::string reason;  ///< For the log line; already sent to the peer as a refusal where it is one.
};
/// Something an operator or a service may want to hear of; the host logs it and tells subscribers.
struct EventEffect {
  enum class Kind : uint8_t {
    kClusterJoined,
    kMemberUp,
    kMemberSuspected,
    kMemberDown,
    kMemberLeft,
    kMemberForgotten,
    kPeerRefused,
    kClockSkew,
    kWalkTaken,
    kIncarnationRaised
  };
  Kind kind;
  std::string member;  ///< Name, or address where no name is known.
  std::string detail;
};
/// The lease as this node knows it (DESIGN.md section 6).
struct LeaseView {
  uint64_t epoch = 0;     ///< The latest known one; 0: none yet.
  bool leading = false;   ///< This node may order commands in `epoch`...
  Instant valid_until{};  ///< ...until then, by the clock that `now` is read from.
  std::string holder;     ///< Who says that it holds the lease and can be reached; empty: nobody.
  /// Leading, and a majority has acknowledged the epoch's beginning: what it acknowledges from then
  /// on counts for `majority`.
  bool majority_begun = false;

  friend bool operator==(const LeaseView&, const LeaseView&) = default;
};
/// The view has changed, or `valid_until` has moved.
struct LeaseEffect {
  LeaseView view;
};
/// A majority holds the own stream up to `upto`, acknowledged in `epoch`. Comes only while
/// AwaitMajority waits for something, whenever it advances.
struct MajorityEffect {
  uint64_t epoch = 0;
  Stamp upto;
};
/// Orders of a peer's clients that are to be run here; their outcome comes back by OnExecuted.
struct RunOrdersEffect {
  PeerProcess peer;
  std::vector<RemoteOrder> orders;
};
/// Clients of a peer's process have gone: what the layer above remembers of them goes too.
struct DropClientsEffect {
  PeerProcess peer;
  std::optional<std::vector<uint64_t>> clients;  ///< None: all of them.
};
/// The end of an order given by Submit.
struct OrderEffect {
  uint64_t number = 0;
  OrderResult result = OrderResult::kDone;
  std::string text;  ///< The reply; where it was not run, the request.
  OrderPosition position{};
};
/// The link to a process of this host has dropped: where that process has ended, or does so in the
/// next moments, the host says so by OnProcessEnded.
struct ProcessEffect {
  uint64_t session = 0;
  std::string process;
};
using Effect =
    std::variant<SendEffect, DialEffect, CloseEffect, EventEffect, LeaseEffect, MajorityEffect,
                 RunOrdersEffect, DropClientsEffect, OrderEffect, ProcessEffect>;
using Effects = std::vector<Effect>;

enum class MemberState : uint8_t { kAlive, kSuspect, kDead, kLeft, kForgotten };

struct MemberInfo {
  std::string name;
  NodeId id;
  Address address;
  MemberState state = MemberState::kAlive;
  bool self = false;
  bool connected = false;
  Stamp held;          ///< Up to where we hold its present stream.
  Stamp acknowledged;  ///< Up to where it holds our stream.
  std::chrono::milliseconds rtt{0};
};

/// Who counts for majorities.
enum class LeaseMode : uint8_t { kNone, kFolder, kNamed };
/// "none", "folder", "named".
const char* NameOf(LeaseMode mode);

/// What this node knows of the lease (DESIGN.md section 6).
struct LeaseInfo {
  LeaseMode mode = LeaseMode::kNone;
  LeaseView view;
  std::chrono::milliseconds valid_for{0};  ///< Of this node's lease; 0: it has none.
  std::vector<std::string> voters;         ///< Empty: no named voters.
  uint64_t voters_version = 0;             ///< See VoterSet; 0: none.
  /// Here, at the holder: a majority holds these voters; elsewhere true.
  bool voters_held = true;
  std::vector<std::string> voters_wanted;  ///< What a change that is under way here leads to.
  uint64_t epoch = 0;                      ///< Held or last stood for by this node; 0: none.
  bool holding = false;                    ///< It may order commands now.
  uint64_t promised = 0;                   ///< By this voter; 0: nothing that counts.
  bool recovering = false;                 ///< It may have lost what it promised.
};

class EpochFolder;  // epoch_folder.h

class Replicator {
 public:
  /// `store` outlives the replicator. `record`: the cluster this node is in, if it is in one
  /// already (the host persists it through Store::PutRecord; the replicator does so when it learns
  /// one).
  Replicator(const ReplicatorOptions& options, Store& store, std::shared_ptr<spdlog::logger> log);
  ~Replicator();

  // --- inputs ---
  void Start(Instant now, Effects& effects);
  /// A dialled (`dialled` = the address asked for) or accepted (empty) connection stands.
  void OnConnected(LinkId link, const Address& dialled, Instant now, Effects& effects);
  /// The dial failed; `refused`: the host is there but nobody listens.
  void OnDialFailed(const Address& address, bool refused, Instant now, Effects& effects);
  void OnDisconnected(LinkId link, Instant now, Effects& effects);
  /// One whole frame from the peer (length prefix removed). Hostile bytes close the link with an
  /// error.
  void OnFrame(LinkId link, std::string_view frame, Instant now, Effects& effects);
  /// Batches of the own stream, after their append, in stream order. The only function that may be
  /// called from within another (the replicator commits itself): they are then taken at that one's
  /// end. Given together they travel together, and cost less.
  void OnLocalBatches(std::vector<OwnBatch> batches, Instant now, Effects& effects);
  void OnLocalBatch(const BatchHeader& header, SharedBytes bytes, Instant now, Effects& effects) {
    OnLocalBatches({{header, std::move(bytes)}}, now, effects);
  }
  /// Before that, or not at all: AwaitMajority need not read the log for it. Idempotent.
  void RememberLocalBatch(const BatchHeader& header, SharedBytes bytes);
  /// Time has passed. Call at the instant that NextTimer gives, or earlier.
  void OnTick(Instant now, Effects& effects);
  Instant NextTimer() const;
  /// A script has the keyspace for itself, for as long as it likes: until it is given back the
  /// engine goes on without, and so keeps its membership, the lease that it holds, and the orders
  /// of peers. What it hears beside is lost, as on a link that loses much, and is asked for again
  /// afterwards.
  void SetSuspended(bool suspended, Instant now, Effects& effects);
  /// What the same-host folder shows: addresses of others, and the cluster where one was created
  /// there.
  void OnMeetingFolder(const std::vector<Address>& addresses,
                       const std::optional<ClusterRecord>& record, Instant now, Effects& effects);
  /// Further seeds: STARLING JOIN, or a DNS name that now resolves to these.
  void AddSeeds(const std::vector<Address>& seeds, Instant now, Effects& effects);
  /// Graceful end: hands over what peers lack, tells them, and is done when Left() is true.
  void Leave(Instant now, Effects& effects);
  bool Left() const;
  /// STARLING FORGET: begins to end members in the member list, by the operator's decision, at the
  /// leaseholder (forgetting.h); members() tells when it is done. Errors (nothing changed):
  /// kInvalidArgument, kNotFound, kRefused (alive, a voter, or self; in no cluster), kUnavailable
  /// (this node does not lead, or no majority holds its epoch's beginning yet), the store's.
  Status Forget(const std::vector<std::string>& names, Instant now, Effects& effects);
  /// STARLING VOTERS: begins to change who votes, by the operator's decision; lease() tells how far
  /// it is. Returns what the operator should read beyond "OK". Errors (nothing changed):
  /// VotersWanted's, kUnavailable (not now, or not here: who holds the lease is named), kRefused,
  /// kIo, kReadOnly; kUnknownOutcome.
  Result<std::string> ChangeVoters(const VoterRequest& request, Instant now, Effects& effects);
  /// The host wants to hear when a majority of the voters holds the own stream up to `upto`, which
  /// is in the own log, acknowledged in `epoch`: MajorityEffect says so, at once where it is known
  /// already. Nothing happens where this node does not lead `epoch`; if the epoch ends, waiting
  /// ends, and LeaseEffect says so.
  void AwaitMajority(uint64_t epoch, Stamp upto, Instant now, Effects& effects);

  /// Members tell what they hold of others' streams once a second: asks them to do so now.
  void AskHoldings(Instant now, Effects& effects);

  // --- forwarding (forwarding.h, order_book.h) ---
  /// Has orders run at the leaseholder, each under a number of the caller's that is never used
  /// twice; OrderEffect tells its end, perhaps at once.
  void Submit(std::vector<std::pair<uint64_t, Order>> orders, Instant now, Effects& effects);
  /// A client that gave orders has gone.
  void OnClientGone(uint64_t client, Instant now, Effects& effects);
  /// Whether no leaseholder has been in reach for so long that orders do not wait for one.
  bool OutOfReach(Instant now) const;
  /// What came of a peer's orders; all they did stands in the own stream up to `upto`.
  void OnExecuted(const PeerProcess& peer, std::vector<ExecutedOrder> executed, Stamp upto,
                  Instant now, Effects& effects);

  /// The kernel says that the process of this session has ended: its lease is free at once, and the
  /// outcome of what it had not answered unknown.
  void OnProcessEnded(uint64_t session, Instant now, Effects& effects);
  /// The shared folder that votes for `cluster` where its record names no voters; outlives the
  /// replicator. `boot_id`: of this host's running kernel.
  void UseEpochFolder(EpochFolder& folder, uint64_t cluster, const std::string& boot_id,
                      Instant now, Effects& effects);
  /// That folder has changed: looks at once who holds the lease.
  void OnEpochFolder(Instant now, Effects& effects);

  // --- state ---
  std::optional<ClusterRecord> cluster() const;
  std::vector<MemberInfo> members() const;
  LeaseInfo lease(Instant now) const;
  LeaseView lease_view(Instant now) const;
  /// The epoch in which this node may order commands at this moment; 0: it may not.
  uint64_t LeadsEpoch(Instant now) const;
  /// What every member holds; for Store::Maintain.
  Keyspace::Stability stability() const;
  /// Why this node must draw no stamps (its clock is ahead of the members'): refuse writes with it.
  std::optional<std::string> WriteRefusal() const;
  /// Members in reach (this one included) that are known to hold each of these streams up to there:
  /// WAIT. What this node wrote on its own and has issued again (reissue.h) counts as it stands
  /// now.
  int HoldersOf(const VersionVector& positions) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace starling
