/// The lease: one node at a time has the right to order commands (DESIGN.md section 6).
///
/// Each voter promises epochs, ever higher ones, and a candidate that a majority has promised its
/// epoch first takes what these voters hold, writes the epoch down, and then serves, as long as a
/// majority prolongs the lease. Sources: Gray and Cheriton, "Leases" (1989); Lamport, "Paxos Made
/// Simple" (2001) for promises; Ongaro, "Consensus: Bridging Theory and Practice" (2014),
/// section 9.6, for asking whether an election could be won before disturbing anybody.
///
/// A state machine without I/O: the host sends, persists and tells the time. `now` must go on while
/// the host is suspended (CLOCK_BOOTTIME); clocks of different nodes may run 5 percent apart. Not
/// thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include <spdlog/logger.h>

#include "replication/lease_message.h"
#include "replication/lease_recovery.h"
#include "replication/lease_rules.h"
#include "replication/lease_voter.h"
#include "replication/limits.h"
#include "replication/replicator.h"
#include "starling/result.h"

namespace starling {

class LeaseHost {
 public:
  virtual ~LeaseHost() = default;

  /// What this node holds and may tell of.
  virtual VersionVector Held() const = 0;
  /// Whether it holds all that `vector` names and that counts in the cluster.
  virtual bool Holds(const VersionVector& vector) const = 0;
  /// On disk when it returns, as `appendfsync` means it. Failed: nothing has changed.
  virtual Status Persist(const LeaseRecord& record) = 0;
  /// Writes and logs that this node holds `epoch`, with its vector (older claims outside it are
  /// void) and the voters as it states them.
  virtual Status WriteEpoch(uint64_t epoch, const VoterSet& voters) = 0;
  virtual void Send(const std::string& voter, const LeaseMessage& message) = 0;
  /// Asks `voter` for what it holds and this node lacks.
  virtual void Pull(const std::string& voter) = 0;
};

class Lease {
 public:
  struct Options {
    std::string name;      ///< This node's.
    uint64_t session = 0;  ///< This process's, never used twice.
    std::chrono::nanoseconds length = limits::kLease;
    LeaseRules rules = {};
  };
  /// Who sent a message: a process of a member.
  struct Sender {
    std::string name;
    uint64_t session = 0;
  };

  Lease(Options options, LeaseHost& host, std::mt19937_64& random,
        std::shared_ptr<spdlog::logger> log);

  /// `record`: as last persisted. `incarnation`: the one that began with this node's last loss
  /// (Store::last_loss). Without a record, or with one of an earlier loss, the disk may lack some
  /// of what this voter said: it recovers before it votes. Who creates a cluster persists a record
  /// that promises nothing.
  void Start(const std::optional<LeaseRecord>& record, uint64_t incarnation, const VoterSet& voters,
             Instant now);
  /// Only now it shows that this node has lost something, and goes on as `incarnation`.
  void OnIncarnation(uint64_t incarnation, Instant now);
  /// A newer voter set was found, written by another: an election under the old one begins anew,
  /// and a lease that is held is over. An older one changes nothing.
  void SetVoters(const VoterSet& voters, Instant now);
  /// The holder itself has written a newer set, one voter more or one less: it takes effect at
  /// once. Who is no voter any more goes on until it resigns.
  void ChangeVoters(const VoterSet& voters, Instant now);
  /// This node, to which the shared folder has handed its vote for good, is the only voter, and
  /// stands for the next epoch at once.
  void TakeVote(const VoterSet& voters, uint64_t folder_epoch, Instant now);

  /// Whether this node may try to get the lease: it cannot begin an epoch now. What it holds it
  /// keeps, and it votes.
  void SetMayStand(bool may, Instant now);

  void OnMessage(const Sender& from, const LeaseMessage& message, Instant now);
  /// This node holds more than before.
  void OnProgress(Instant now);
  /// The kernel says that a process on this host has ended.
  void OnProcessEnded(uint64_t session, Instant now);
  void OnTick(Instant now);
  Instant NextTimer() const;
  /// Gives the lease back, so that another voter gets it at once.
  void Resign(Instant now);

  /// Whether this node has the right to order commands: ask again before each reply goes out.
  bool Holding(Instant now) const { return holding_ && now < valid_until_; }
  /// Until when it holds, unless it is prolonged.
  Instant valid_until() const { return valid_until_; }
  /// The epoch that it holds, as far as it has noticed; 0: none.
  uint64_t leads() const { return holding_ ? epoch_ : 0; }
  /// The epoch that this node holds or held last; 0: none.
  uint64_t epoch() const { return epoch_; }
  /// What acknowledgements say: the epoch promised; 0: they must not be counted.
  uint64_t promised() const { return recovery_ ? 0 : record_.promised_epoch; }
  bool recovering() const { return recovery_.has_value(); }
  /// Whether the lease was prolonged by a majority of the voters as they are now.
  bool ProlongedByVoters() const { return holding_ && prolonged_by_ == voters_.version; }
  const VoterSet& voters() const { return voters_; }

 private:
  struct Attempt {
    bool trial = true;
    uint64_t epoch = 0;
    uint64_t id = 0;
    Instant sent{};
    Instant resend{};
    Instant end{};           // without a majority by then it has failed
    std::string_view after;  // by what the lease before ended, as the own voter knows it
    std::map<std::string, VersionVector> granted;
    std::map<std::string, LeaseDenial::Reason> denied;
  };

  void On(const Sender& from, const LeaseRequest& message, Instant now);
  void On(const Sender& from, const LeaseGrant& message, Instant now);
  void On(const Sender& from, const LeaseDenial& message, Instant now);
  void On(const Sender& from, const LeaseRenewal& message, Instant now);
  void On(const Sender& from, const LeaseRenewed& message, Instant now);
  void On(const Sender& from, const LeaseResignation& message, Instant now);
  void On(const Sender& from, const RecoveryRequest& message, Instant now);
  void On(const Sender& from, const RecoveryReport& message, Instant now);

  bool MayStand() const { return may_stand_ && voters_.Has(options_.name) && !recovery_; }
  bool Standing() const { return attempt_ && !attempt_->trial; }
  void RestoreVoter(Instant now);
  void RecoverIfNeeded();
  /// Persists what `change` makes of the record; false: it could not be, and nothing has changed.
  template <typename Change>
  bool Remember(const Change& change);
  /// `won`: the candidate has the epoch already, from a majority.
  std::optional<LeaseDenial::Reason> Vote(const Sender& candidate, const LeaseRequest& request,
                                          Instant now, bool won = false);
  void BeginAttempt(bool trial, Instant now);
  void AskVoters(Instant now);
  void Advance(Instant now);
  void Fail(Instant now);
  void StandAgain(Instant now);
  void GiveBack(uint64_t epoch);
  void StepDown(const char* reason);
  void Renew(Instant now);
  void Confirm(const std::string& voter, Instant sent);
  bool HasMajority() const { return attempt_->granted.size() >= voters_.majority(); }
  void AdvanceRecovery(Instant now);
  void SendToOthers(const LeaseMessage& message);
  /// Some time below that.
  Instant Within(Instant spread);

  Options options_;
  LeaseHost& host_;
  std::mt19937_64& random_;
  std::shared_ptr<spdlog::logger> log_;
  VoterSet voters_;
  LeaseRecord record_;
  LeaseVoter voter_;
  uint64_t incarnation_ = 0;
  std::optional<LeaseRecovery> recovery_;
  Instant ask_recovery_{};

  std::optional<Attempt> attempt_;
  std::optional<Instant> stand_;          // when to stand for election
  Instant pause_ = limits::kDeathSpread;  // before the next attempt, if one fails
  uint64_t highest_ = 0;                  // epoch that anybody is known to have promised

  uint64_t epoch_ = 0;
  bool may_stand_ = true;
  bool holding_ = false;
  Instant valid_until_{};
  uint64_t prolonged_by_ = 0;  // the version of the voters that did so last
  Instant next_renewal_{};
  uint64_t sequence_ = 0;
  std::map<uint64_t, Instant> renewals_;      // on their way: when they were sent
  std::map<std::string, Instant> confirmed_;  // per voter, when what it granted last was asked for
};

}  // namespace starling
