/// Who is alive: SWIM with Lifeguard, over the members' links.
///
/// Random round-robin probes; a silent member is probed through others before it is suspected; a
/// suspect can refute by raising its incarnation, and is dead when it does not; news ride on other
/// messages. A node in bad health (missed answers, own pauses, having been suspected) gives others
/// more time. A killed process shows by its closed link and a refused redial. Sources: Das, Gupta,
/// Motivala, "SWIM", 2002; Dadgar, Phillips, Currey, "Lifeguard", 2018.
///
/// A state machine without I/O; not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "replication/limits.h"
#include "replication/peer_sender.h"
#include "replication/swim_gossip.h"

namespace starling {

class Swim {
 public:
  struct Options {
    std::string name;
    Address address;
    uint64_t incarnation = 1;  ///< Above those of earlier processes: the wall clock.
  };

  struct Member {
    Address address;
    uint64_t incarnation = 0;
    MemberState state = MemberState::kAlive;
    bool linked = false;
    std::chrono::milliseconds rtt{0};
    Instant heard{};    // any message
    Instant changed{};  // the state
    std::set<std::string> suspected_by;
    Instant dead_at{};  // kSuspect: unless refuted
  };

  Swim(Options options, PeerSender& sender, std::mt19937_64& random);

  // --- inputs ---
  /// A link to `name` stands; it is alive, and hears what we know.
  void OnLinked(const std::string& name, const Address& address, Instant now);
  void OnUnlinked(const std::string& name, Instant now);
  /// Its host answered that nobody listens there: the process is gone.
  void OnRefused(const std::string& name, Instant now);
  /// Any message from it.
  void OnHeard(const std::string& name, Instant now);
  void OnMessage(const std::string& from, const SwimMessage& message, Instant now);
  /// `asked`: when this tick was due; a much later `now` is an own pause.
  void OnTick(Instant now);
  Instant NextTimer() const { return next_tick_; }
  /// Says goodbye to all that are linked.
  void Leave();
  /// Drops a member that was forgotten.
  void Remove(const std::string& name);

  // --- state ---
  const std::map<std::string, Member>& members() const { return members_; }
  /// Lifeguard's local health: 0 is good.
  int health() const { return health_; }
  /// The number of the last ping; whoever answers a later one has been asked since.
  uint64_t asked() const { return sequence_; }
  /// A tick that was due so long ago is late: this process has stood still.
  bool StoodStill(Instant now) const {
    return next_tick_ != Instant{} && now > next_tick_ + limits::kOwnPause;
  }
  /// What happened since the last call.
  std::vector<EventEffect> TakeEvents();

 private:
  struct Probe {
    std::string target;
    Instant ping_until;  // then others are asked
    Instant deadline;
    Instant sent;
    bool indirect = false;
    int nacks_missing = 0;
  };
  struct Relayed {
    std::string requester;
    uint64_t sequence;
    Instant nack_at;
  };

  void Send(const std::string& to, SwimMessage message);
  void Spread(const MemberUpdate& update);
  void StartProbe(const std::string& target, Instant now);
  void AskOthers(uint64_t sequence, Probe& probe, Instant now);
  void FailProbe(const Probe& probe, Instant now);
  void CheckProbes(Instant now);
  void CheckSuspects(Instant now);
  void NextProbes(Instant now);
  void NoticeOwnPause(Instant late);
  std::vector<std::string> Draw(size_t count, const std::string& except);
  void OnAck(const std::string& from, const SwimMessage& message, Instant now);

  void Merge(const MemberUpdate& update, Instant now);
  void MergeAlive(const MemberUpdate& update, Instant now);
  void MergeSuspect(const MemberUpdate& update, Instant now);
  void MergeGone(const MemberUpdate& update, Instant now);
  void Refute(const MemberUpdate& update);
  void Suspect(const std::string& name, Member& member, const std::string& by, Instant now);
  void Settle(const std::string& name, Member& member, MemberState state, const std::string& detail,
              Instant now);
  MemberUpdate UpdateOf(const std::string& name, const Member& member) const;
  std::chrono::nanoseconds SuspicionTime(const Member& member) const;
  size_t living() const;
  void Health(int change);

  Options options_;
  PeerSender& sender_;
  std::mt19937_64& random_;
  std::map<std::string, Member> members_;  // without this node
  SwimGossip gossip_;
  std::map<uint64_t, Probe> probes_;
  std::map<uint64_t, Relayed> relayed_;
  std::deque<std::string> turns_;  // round robin, shuffled anew each round
  std::set<std::string> urgent_;   // to be probed out of turn
  uint64_t sequence_ = 0;
  int health_ = 0;
  bool leaving_ = false;
  Instant next_tick_{};
  Instant next_probe_{};
  std::vector<EventEffect> events_;
};

}  // namespace starling
