/// What the schedules of leases and claims stand on: three named voters, and which rules they keep.
///
/// Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace starling::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A schedule is run with all of them, and without the one that stops it.
struct Rules {
  LeaseRules lease;
  ClaimRules claims;
};
inline Rules Without(bool LeaseRules::*rule) {
  Rules rules;
  rules.lease.*rule = false;
  return rules;
}
inline Rules Without(bool ClaimRules::*rule) {
  Rules rules;
  rules.claims.*rule = false;
  return rules;
}

/// Three named voters that have formed a cluster: one leads, two follow.
class Three {
 public:
  explicit Three(const Rules& rules, WorldOptions options = {}) {
    options.seed = 7;
    options.lease_rules = rules.lease;
    options.claim_rules = rules.claims;
    world_ = std::make_unique<World>(options);
    world_->StartAll();
    EXPECT_TRUE(
        world_->RunUntil([&] { return world_->Formed() && LeaderIndex() >= 0; }, seconds(30)));
    Run(seconds(3));  // all follow
    leader_ = LeaderIndex();
    EXPECT_GE(leader_, 0);
  }

  World& world() { return *world_; }
  void Run(Duration time) { world_->RunFor(time); }
  /// Who led in the beginning, and the two others.
  SimNode& leader() { return world_->node(leader_); }
  SimNode& other(int which) { return world_->node((leader_ + which) % 3); }

  void Cut(SimNode& one) { world_->Partition(uint64_t{1} << one.index()); }
  bool Leads(SimNode& node) {
    return node.up() && !node.paused() && node.replicator().LeadsEpoch(node.now()) != 0;
  }
  /// Until one of the two others leads, who is returned.
  SimNode& AwaitSuccessor() {
    const auto led = [&] { return Leads(other(1)) || Leads(other(2)); };
    EXPECT_TRUE(world_->RunUntil(led, seconds(15)) || world_->failed());
    return Leads(other(1)) ? other(1) : other(2);
  }

  using Reply = std::shared_ptr<std::string>;
  /// Asks; the reply is there later: "?" where the outcome is unknown, "refused" where nothing was
  /// done, empty as long as there is none.
  Reply Ask(SimNode& at, const std::string& request) {
    const Reply reply = std::make_shared<std::string>();
    at.Ask(request, [reply](Outcome outcome, const std::string& text) {
      *reply = outcome == Outcome::kAnswered  ? text
               : outcome == Outcome::kRefused ? "refused"
                                              : "?";
    });
    return reply;
  }
  /// The reply to what is asked again until it is answered, for ten seconds.
  std::string Answer(SimNode& at, const std::string& request) {
    for (const Instant end = world_->now() + seconds(10);
         world_->now() < end && !world_->failed();) {
      const Reply reply = Ask(at, request);
      world_->RunUntil([&] { return !reply->empty(); }, seconds(5), milliseconds(1));
      if (*reply != "?" && *reply != "refused" && !reply->empty()) return *reply;
      Run(milliseconds(50));
    }
    return "none";
  }
  static bool Granted(const std::string& reply) { return reply.starts_with("OK"); }
  /// What the checkers of the world have seen.
  std::string Violation() const {
    return world_->violation() ? world_->violation()->text : std::string();
  }

 private:
  int LeaderIndex() {
    for (int i = 0; i < 3; ++i) {
      if (Leads(world_->node(i))) return i;
    }
    return -1;
  }

  std::unique_ptr<World> world_;
  int leader_ = 0;
};

}  // namespace starling::sim
