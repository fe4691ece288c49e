/// Watches what `leased` requests tell their clients (I5): key by key, by linearizability.h.
///
/// What is checked, where DESIGN.md section 6 promises it:
/// - Within one epoch, what clients were answered is linearizable. What is unknown to its client
///   counts if it has been run, at any moment from its call on.
/// - Over take-overs too, as long as each new leaseholder holds all that was written to the key
///   when it runs its first request: that is then one history, of several epochs.
/// - Nothing is answered as ordered once another epoch's leaseholder has run a request without it
///   (`lease-before-reply`): to the one who asked, no crash would explain why it is not there.
/// - What was refused has not been run, and nothing that writes is run twice (I13).
/// - After all agree, a counter is the number of its increments: each that was answered counts,
///   unless a loss of disks took it from all who held it, and none counts twice. So an epoch that
///   ended by a resignation or a leave loses nothing.
///
/// What is not, because a crash hides the last `leased` writes and local writes merge in:
/// - Where a new leaseholder lacks something (it died with the one before, or lies with somebody
///   cut off), the history is cut. The next one begins with what the new leaseholder shows,
///   whatever that is; and what it lacks may come back at any moment, or never: a later stamp may
///   have replaced it. Until then a write of that kind can make a read go back once; no other can.
/// - Requests under way at such a cut: of those run before it the answers are not looked at.
/// - What a transaction does to two keys is checked for each of them, not for both together.
/// - Nothing where clocks run further apart than leases allow for.
///
/// Who has run what, when, is told by the leaseholders' queues (LeasedWatch); which answers were
/// possible is found without it. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/network.h"
#include "tests/sim/orders.h"
#include "tests/support/linearizability.h"

namespace starling::sim {

class SimNode;
class World;

class LeasedChecker final : public LeasedWatch {
 public:
  explicit LeasedChecker(World& world) : world_(world) {}

  struct Part {
    std::string key;
    KeyOperation::Kind kind;
    std::string argument;
    std::string expected;
  };
  /// A client at `node` asks now for what does this to keys; the number for it.
  uint64_t Asked(const SimNode& node, const std::vector<Part>& parts);
  /// It has ended. `reply`: a word for each part.
  void Ended(uint64_t number, Outcome outcome, const std::string& reply);
  /// Whether the key has been asked for so much, or so much of it is unknown, that a search takes
  /// too long: no more is to be asked of it.
  bool IsFull(const std::string& key);
  /// Checks the key's history and ends it; only a counter's sum is looked at later.
  void Retire(const std::string& key);
  /// After all agree: what the node shows must come next in each history, and be the sums.
  void CheckNode(SimNode& node);
  /// What every disk and process has left, after a loss.
  void OnLost(const std::vector<VersionVector>& held);

  // --- LeasedWatch ---
  void OnTurn(Store& store, uint64_t epoch) override;
  void OnRan(uint64_t number, uint64_t epoch, bool wrote) override;
  void OnReply(uint64_t number, const Origin& origin, Stamp upto, bool ordered) override;

 private:
  struct Run;
  struct History;
  /// What a request does to one key.
  struct Step {
    KeyOperation operation;
    std::shared_ptr<Run> run;
    uint64_t segment = 0;  // of the history, in which it was run; 0: it was not
    bool answered = false;
  };
  /// One request.
  struct Run {
    uint64_t number = 0;
    uint64_t epoch = 0;  // it was last run in; 0: it was not
    bool wrote = false;
    bool ended = false;
    bool answered = false;
    bool refused = false;
    bool logged = false;
    bool lost = false;
    Origin origin;  // once logged
    Stamp upto;
    std::vector<std::pair<std::shared_ptr<History>, std::shared_ptr<Step>>> steps;
  };
  struct History {
    std::string key;
    uint64_t segment = 1;
    int64_t since = 0;                          // the segment's beginning
    std::optional<std::string> initial;         // what it began with
    std::vector<std::shared_ptr<Step>> steps;   // run in this segment, or not yet
    std::vector<std::shared_ptr<Step>> hidden;  // run before it, and not held when it began
    bool retired = false;
  };
  struct Sum {
    uint64_t answered = 0;  // and not lost
    uint64_t run = 0;
  };

  static bool Holds(const VersionVector& held, const Run& run);
  static bool Writes(const Step& step);
  History& Of(const std::string& key);
  /// The node of `store` goes on with the history: cuts it where it lacks something.
  void GoOn(History& history, Store& store);
  void Check(const History& history, const std::vector<KeyOperation>& also);
  Sum SumOf(const std::string& counter) const;

  World& world_;
  uint64_t epoch_ = 0;  // the latest that has run something
  VersionVector held_;  // by its leaseholder when it began
  Origin by_;           // that leaseholder
  std::map<std::string, std::shared_ptr<History>> histories_;
  std::map<uint64_t, std::shared_ptr<Run>> runs_;
};

}  // namespace starling::sim
