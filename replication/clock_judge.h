/// Whose clock is wrong: compares the members' hybrid clocks.
///
/// The median decides (DESIGN.md section 5): a node ahead of it by more than `max_skew` is refused,
/// and draws no stamps itself; a slow one harms nobody. With two members nobody can decide, so each
/// refuses the other. While fewer than three clocks of a larger cluster are known, nobody is
/// refused. What came while this process stood still shows clocks as they were: of each peer the
/// next that counts is what it sends after it has answered something asked since. A plain
/// computation without clocks of its own; not thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling {

class ClockJudge {
 public:
  using Millis = std::chrono::milliseconds;

  explicit ClockJudge(Millis max_skew) : max_skew_(max_skew) {}

  /// How many members there are, or are expected, this node included.
  void SetMembers(size_t members) { members_ = members; }
  /// `ahead`: the peer's hybrid clock less the own one, now.
  /// Messages that waited on their way make the peer look late, so the largest of the last few
  /// counts.
  void Note(NodeId peer, Millis ahead);
  void Remove(NodeId peer) {
    ahead_.erase(peer);
    noted_.erase(peer);
    awaited_.erase(peer);
  }
  /// This process has stood still: nothing is known of the peers' clocks.
  void OnPause();
  /// The peer has answered what it was asked since; what it sends from here on is new.
  void OnAnswered(NodeId peer) { awaited_.erase(peer); }
  /// Whether somebody has not: what was said of the own clock before stands.
  bool Awaits() const { return !awaited_.empty(); }

  /// What is wrong with a peer whose clock is `ahead` of the own one; nullopt admits it. `members`:
  /// how many it knows of.
  std::optional<std::string> JudgePeer(NodeId peer, Millis ahead, size_t members) const;
  /// The same for a stamp in a batch; `own_millis` is the own hybrid clock.
  std::optional<std::string> JudgeStamp(Stamp stamp, int64_t own_millis) const;
  /// How far the own clock is ahead of the median, where that is more than allowed: draw no stamps.
  std::optional<Millis> OwnAhead() const;

 private:
  /// The median clock less the own one, `extra` counted in; nullopt while too few are known.
  std::optional<Millis> Median(const std::map<NodeId, Millis>& ahead) const;
  /// How far ahead of the own clock the members' clocks are taken to be, with more than two.
  Millis Allowed() const;

  Millis max_skew_;
  size_t members_ = 1;
  std::map<NodeId, Millis> ahead_;
  std::map<NodeId, std::deque<Millis>> noted_;
  std::set<NodeId> awaited_;  // peers known before the last pause that have not answered since
  Millis allowed_before_{0};  // the pause
};

}  // namespace starling
