/// Voters on a seeded network, with clocks that run apart, crashes, disks that forget and a small
/// replicated log: what the lease promises is checked at every step.
///
/// Each node has a stream; the leaseholder writes to its own, the others copy it and acknowledge
/// with the epoch that they have promised. The voters travel with the copies. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "replication/lease.h"

namespace starling {

class LeaseWorld {
 public:
  struct Options {
    uint64_t seed = 1;
    int voters = 3;
    int members = 0;  ///< Beyond the voters, nodes that may become some.
    LeaseRules rules = {};
    double loss = 0.02;  ///< Of each message.
  };
  enum class CrashKind {
    kKill,       ///< The disk has all that was written.
    kPowerLoss,  ///< What was not synced is gone.
    kNewDisk,
  };

  explicit LeaseWorld(const Options& options);
  ~LeaseWorld();

  /// Steps of one millisecond until `time` from now, or until something was violated.
  void Run(Instant time);
  /// The same until `done`; false: not in that time.
  template <typename Done>
  bool RunUntil(const Done& done, Instant time) {
    for (const Instant end = now_ + time; now_ < end && violation_.empty();) {
      if (done()) return true;
      Run(std::chrono::milliseconds(1));
    }
    return done();
  }

  void Crash(int node, CrashKind kind);
  void Start(int node);
  /// Killed, and the kernel tells the others, who are on the same host.
  void EndProcess(int node);
  /// It does nothing and hears nothing; its messages wait.
  void Pause(int node, Instant time);
  void Cut(int from, int to, bool cut = true);
  /// All hear each other again, and nobody stands still.
  void Heal();
  void Sync(int node);
  void ReplaceVoters(int node, const VoterSet& voters);
  /// The operator asks the holder for one voter more, or one less: nothing where nobody leads, or
  /// where the holder may not change them now.
  void ChangeVoters(int member);
  /// As an operator does who takes all but these members for lost.
  void ForceVoters(const std::set<int>& members);

  int size() const { return static_cast<int>(nodes_.size()); }
  const std::string& name(int node) const { return nodes_[node].name; }
  /// Voters that a majority of them held when they had been changed.
  uint64_t changes() const { return changes_; }
  bool Up(int node) const { return nodes_[node].lease != nullptr; }
  Lease& lease(int node) { return *nodes_[node].lease; }
  /// Who has the right to order commands now; -1: nobody.
  int Holder() const;
  bool AnyRecovers() const;
  /// Whether all, those that are down too, know the same voters: no change is on its way.
  bool VotersSettled() const;
  /// What each node knows, for a report.
  std::string Describe() const;
  /// Whether all voters that are up have promised the holder's epoch.
  bool AllFollow() const;
  Instant LocalTime(int node) const;
  /// Items that a majority acknowledged to their writer.
  size_t acknowledged() const { return acknowledged_.Newest().value; }
  /// What went wrong first; empty: nothing.
  const std::string& violation() const { return violation_; }
  uint64_t Draw(uint64_t below) { return random_() % below; }

 private:
  struct Copy {
    VersionVector vector;  // what the sender holds
    uint64_t promised = 0;
    VoterSet voters;
  };
  struct PullRequest {};
  using Message = std::variant<LeaseMessage, Copy, PullRequest>;
  struct Parcel {
    int from = 0;
    int to = 0;
    uint64_t session = 0;
    Message message;
  };
  class Host;
  struct Disk {
    std::optional<LeaseRecord> record;
    VersionVector vector;
    VoterSet voters;
  };
  struct Node {
    std::string name;
    double rate = 1.0;
    std::unique_ptr<Host> host;
    std::unique_ptr<Lease> lease;
    uint64_t session = 0;
    Disk disk;    // as the process sees it
    Disk synced;  // as it would be after a power loss
    Origin origin;
    Instant paused_until{};
    Instant next_write{};
    Instant next_copy{};
    std::map<int, Copy> heard;  // the newest that each peer said to this process
    Stamp begun_at;             // in the own stream, the epoch's beginning
    int added = -1;             // last voter, which has to acknowledge before the next change
    Stamp changed_at;           // in the own stream, the last change of the voters; none: held
  };

  int IndexOf(const std::string& name) const;
  void Send(int from, int to, Message message);
  void Deliver(const Parcel& parcel);
  void Step(int node);
  void DeliverDue();
  void Write(int node);
  void CountAcknowledgements(int node);
  /// A new item of the own stream.
  Stamp Append(int node);
  /// Up to where a majority of the voters holds the own stream, acknowledged in this epoch.
  Stamp HeldByMajority(int node);
  void Check();
  void OnEpochWritten(int node, uint64_t epoch, const VoterSet& voters);
  void Violated(const std::string& what);

  Options options_;
  std::mt19937_64 random_;
  std::shared_ptr<spdlog::logger> log_;
  VoterSet voters_;
  std::vector<Node> nodes_;
  std::multimap<Instant, Parcel> network_;
  std::set<std::pair<int, int>> cut_;
  Instant now_{};
  VersionVector acknowledged_;
  std::map<uint64_t, uint64_t> epochs_;  // which session had each
  uint64_t highest_epoch_ = 0;
  uint64_t changes_ = 0;
  std::string violation_;
};

}  // namespace starling
