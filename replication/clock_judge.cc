#include "replication/clock_judge.h"

#include <algorithm>

namespace starling {

void ClockJudge::Note(NodeId peer, Millis ahead) {
  constexpr size_t kKept = 5;
  if (awaited_.contains(peer)) return;
  std::deque<Millis>& noted = noted_[peer];
  noted.push_back(ahead);
  if (noted.size() > kKept) noted.pop_front();
  ahead_[peer] = *std::max_element(noted.begin(), noted.end());
}

void ClockJudge::OnPause() {
  allowed_before_ = Allowed();
  for (const auto& [peer, by] : ahead_) awaited_.insert(peer);
  ahead_.clear();
  noted_.clear();
}

ClockJudge::Millis ClockJudge::Allowed() const {
  if (const auto median = Median(ahead_)) return *median;
  Millis allowed = Awaits() ? allowed_before_ : Millis{0};
  for (const auto& [peer, by] : ahead_) allowed = std::max(allowed, by);
  return allowed;
}

std::optional<ClockJudge::Millis> ClockJudge::Median(const std::map<NodeId, Millis>& ahead) const {
  if (ahead.size() + 1 < 3) return std::nullopt;
  std::vector<Millis> clocks{Millis{0}};
  for (const auto& [peer, by] : ahead) clocks.push_back(by);
  std::sort(clocks.begin(), clocks.end());
  return clocks[(clocks.size() - 1) / 2];  // of two middle ones the earlier
}

std::optional<std::string> ClockJudge::JudgePeer(NodeId peer, Millis ahead, size_t members) const {
  const auto text = [this](Millis by, const char* than) {
    return "the peer's clock is " + std::to_string(std::abs(by.count())) + " ms " +
           (by.count() < 0 ? "behind " : "ahead of ") + than + ", more than max_clock_skew (" +
           std::to_string(max_skew_.count()) + " ms); set the clocks, e.g. by NTP";
  };
  if (std::max(members_, members) <= 2) {
    if (std::chrono::abs(ahead) > max_skew_) return text(ahead, "this node's");
    return std::nullopt;
  }
  std::map<NodeId, Millis> all = ahead_;
  all[peer] = ahead;
  const std::optional<Millis> median = Median(all);
  if (median && ahead - *median > max_skew_) return text(ahead - *median, "the members' median");
  return std::nullopt;
}

std::optional<std::string> ClockJudge::JudgeStamp(Stamp stamp, int64_t own_millis) const {
  const Millis allowed = members_ > 2 ? Allowed() : Millis{0};
  const Millis ahead{stamp.millis() - own_millis};
  if (ahead <= allowed + max_skew_) return std::nullopt;
  return "a batch stamped " + std::to_string((ahead - allowed).count()) +
         " ms ahead of the members' clocks, more than max_clock_skew (" +
         std::to_string(max_skew_.count()) + " ms)";
}

std::optional<ClockJudge::Millis> ClockJudge::OwnAhead() const {
  if (members_ <= 2) return std::nullopt;
  const std::optional<Millis> median = Median(ahead_);
  if (!median || -*median <= max_skew_) return std::nullopt;
  return -*median;
}

}  // namespace starling
