#include "replication/forwarding.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "replication/limits.h"
#include "tests/replication/forwarding_world.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

using World = ForwardingWorld;
using Node = ForwardingNode;

/// What is wrong with how an order ended; empty: nothing.
std::string WrongWith(const World::Fate& fate) {
  if (!fate.result) return "has not ended";
  if (fate.repeatable) return {};
  if (fate.runs > 1) return "was run " + std::to_string(fate.runs) + " times";
  const bool done = *fate.result == OrderResult::kDone || *fate.result == OrderResult::kUnordered;
  if (done && fate.runs != 1) return "was answered and not run";
  if (*fate.result == OrderResult::kNotRun && fate.runs != 0) return "was run, and given back";
  return {};
}

/// A minute of orders from all nodes under faults; what went wrong, by order.
std::map<uint64_t, std::string> Chaos(uint64_t seed, ForwardingRules rules) {
  World world(seed, rules);
  world.loss = 5;
  world.doubled = 10;
  world.max_delay = 200'000'000;
  world.Lead(0);
  world.Run(1s);
  for (int step = 0; step < 300; ++step) {
    const size_t i = world.random() % 3;
    const size_t j = (i + 1 + world.random() % 2) % 3;
    switch (world.random() % 12) {
      case 0:
        world.Lead(world.Chance(20) ? std::nullopt : std::optional(i));
        break;
      case 1:
        world.Cut(i, j);
        break;
      case 2:
      case 3:
        world.Heal(i, j);
        break;
      case 4: {
        // The process of a node that runs others' orders: its own clients go with it.
        if (!world.Chance(30)) break;
        bool asks = false;
        for (auto& [number, fate] : world.fates) asks = asks || (!fate.result && number % 3 == i);
        if (asks) break;
        world.at(i).leads = false;
        world.at(i).Restart();
        for (const size_t other : {(i + 1) % 3, (i + 2) % 3}) {
          if (!world.Linked(i, other)) continue;
          world.Link(other, i);
          world.Link(i, other);
        }
        break;
      }
      default:
        break;
    }
    for (int order = 0; order < 3; ++order) {
      const size_t node = (world.fates.size() + 1) % 3;
      world.Chance(20) ? world.SubmitWait(node, 3s) : world.Submit(node, world.Chance(20));
    }
    world.Run(Instant(world.random() % 200'000'000));
  }
  world.Run(15s);
  std::map<uint64_t, std::string> wrong;
  for (const auto& [number, fate] : world.fates) {
    if (const std::string what = WrongWith(fate); !what.empty()) wrong[number] = what;
  }
  return wrong;
}

TEST(Forwarding, RunsAnOrderAtTheLeaseholderAndGivesTheAnswerOut) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t order = world.Submit(0, false);
  EXPECT_EQ(world.at(0).sender.sent.back().lane, Lane::kOrders) << "gives way to all control";
  world.Run(100ms);
  EXPECT_EQ(world.fates[order].result, OrderResult::kDone);
  EXPECT_EQ(world.fates[order].text, "did " + std::to_string(order));
}

TEST(Forwarding, GivesTheRequestBackWhereNobodyLeads) {
  World world(1);
  const uint64_t order = world.Submit(0, false);
  EXPECT_EQ(world.fates[order].result, OrderResult::kNotRun);
  EXPECT_EQ(world.fates[order].text, std::to_string(order));
}

TEST(Forwarding, WaitsForTheNextLeaseholder) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  world.Lead(std::nullopt);
  world.Run(100ms);
  const uint64_t order = world.Submit(0, false);
  world.Run(1s);
  EXPECT_FALSE(world.fates[order].result);
  world.Lead(2);
  world.Run(200ms);
  EXPECT_EQ(world.fates[order].result, OrderResult::kDone);
}

TEST(Forwarding, StopsWaitingForALeaseholderAfterAWhile) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  world.Lead(std::nullopt);
  world.Run(100ms);
  EXPECT_FALSE(world.at(0).asking->OutOfReach(world.now));
  world.Run(limits::kHolderWait);
  EXPECT_TRUE(world.at(0).asking->OutOfReach(world.now));
}

TEST(Forwarding, AsksByIdWhenTheAnswerWasLost) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t order = world.Submit(0, false);
  world.Carry();
  world.loss = 100;  // the order is on its way, its answer is lost
  world.Run(100ms);
  EXPECT_EQ(world.fates[order].runs, 1);
  EXPECT_FALSE(world.fates[order].result);
  world.loss = 0;
  world.Run(1s);
  EXPECT_EQ(world.fates[order].result, OrderResult::kDone);
  EXPECT_EQ(world.fates[order].runs, 1);
}

/// A write and a read that have reached a leaseholder, from which their node is cut off since.
struct CutOff {
  CutOff() {
    world.Lead(1);
    world.Run(100ms);
    writes = world.Submit(0, false);
    reads = world.Submit(0, true);
    world.Carry();
    world.Cut(0, 1);
  }
  World world{1};
  uint64_t writes = 0;
  uint64_t reads = 0;
};

TEST(Forwarding, SaysThatTheOutcomeIsUnknownWhereTheLeaseholderIsLost) {
  CutOff orders;
  auto& [world, writes, reads] = orders;
  world.Lead(2);
  world.Run(limits::kOrderGrace + 200ms);
  EXPECT_EQ(world.fates[writes].result, OrderResult::kUnknown);
  EXPECT_EQ(world.fates[reads].result, OrderResult::kDone);  // by the next one
}

/// One that waits has reached a leaseholder, from which its node is cut off since.
struct LostWait {
  LostWait() {
    world.Lead(1);
    world.Run(100ms);
    number = world.SubmitWait(0);
    world.Carry();
    world.loss = 100;  // it is run, its answer is lost
    world.Run(100ms);
    EXPECT_EQ(world.fates[number].runs, 1);
    world.Cut(0, 1);
    world.loss = 0;
  }
  const World::Fate& fate() { return world.fates[number]; }
  World world{1};
  uint64_t number = 0;
};

TEST(Forwarding, AsksTheNextLeaseholderForWhatWaitsAndWasLost) {
  LostWait wait;
  wait.world.Lead(2);
  wait.world.Run(200ms);
  EXPECT_EQ(wait.fate().result, OrderResult::kDone);
  EXPECT_EQ(wait.fate().runs, 1);
}

TEST(Forwarding, SaysThatTheOutcomeIsUnknownWhereNobodyCanBeAskedForWhatWaited) {
  LostWait wait;
  wait.world.at(0).asking->OnProcessEnded(wait.world.at(1).session, wait.world.now);
  wait.world.Lead(std::nullopt);
  wait.world.Run(limits::kHolderWait + 200ms);
  EXPECT_EQ(wait.fate().result, OrderResult::kUnknown);
}

TEST(Forwarding, AsksAgainForWhatWaitsAndIsForgottenButNotForEver) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t number = world.SubmitWait(0);
  (void)world.at(0).sender.Take();
  const auto forget = [&](uint64_t id) {
    const Answers answers{world.at(1).store->origin(), {}, {{id, OrderOutcome::kForgotten, ""}}};
    world.at(0).asking->OnAnswers(world.at(1).id(), answers, world.now);
  };
  forget(1);
  EXPECT_FALSE(world.fates[number].result);
  world.at(0).asking->OnTick(world.now + 1s);
  EXPECT_EQ(world.at(0).sender.Take().size(), 1u) << "it is asked for again";
  forget(2);
  EXPECT_EQ(world.fates[number].result, OrderResult::kUnknown);
}

TEST(Forwarding, LeavesALeaseholderBeforeItsTimeToSayWhatOnlyWaitedThere) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t number = world.SubmitWait(0);
  world.Carry();
  world.loss = 100;  // it stands still: nothing comes, but the link stands
  world.at(0).asking->SetHolder(world.at(2).id(), world.now);
  world.Run(limits::kOrderGrace - 200ms);
  world.loss = 0;
  EXPECT_FALSE(world.fates[number].result) << "it may still give it back";
  world.at(1).leads = false;
  world.at(2).leads = true;
  world.Run(400ms);
  EXPECT_EQ(world.fates[number].result, OrderResult::kDone);
}

TEST(Forwarding, TakesWhatWaitsAtAStoppedLeaseholderToTheNextAtOnce) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t number = world.SubmitWait(0);
  world.Carry();
  world.loss = 100;  // it stands still
  world.at(0).asking->OnHeard(world.at(1).id(), world.now);
  world.Run(limits::kOrderSilent + 100ms);
  world.loss = 0;
  world.at(1).leads = false;
  world.at(2).leads = true;
  world.at(0).asking->SetHolder(world.at(2).id(), world.now);
  world.Run(50ms);
  EXPECT_EQ(world.fates[number].result, OrderResult::kDone);
}

/// A script that has reached a leaseholder, which does not answer.
struct LongScript {
  LongScript() {
    world.Lead(1);
    world.Run(100ms);
    number = world.fates.size() + 1;
    world.fates[number] = {};
    std::vector<std::pair<uint64_t, Order>> orders;
    orders.emplace_back(number, Order{1, std::to_string(number), /*repeatable=*/false, {}});
    world.at(0).asking->Submit(std::move(orders), world.now);
    world.Carry();
    world.loss = 100;  // its answer is lost, but the links stand
  }
  /// So many seconds pass, with a word of the leaseholder's in each.
  void Hear(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      world.Run(1s);
      world.at(0).asking->OnHeard(world.at(1).id(), world.now);
    }
  }
  std::optional<OrderResult> result() { return world.fates[number].result; }
  World world{1};
  uint64_t number = 0;
};

TEST(Forwarding, WaitsForAScriptAsLongAsItsLeaseholderIsHeardOf) {
  LongScript script;
  script.Hear(60);
  EXPECT_FALSE(script.result());
  script.world.Run(6s);
  EXPECT_EQ(script.result(), OrderResult::kTimedOut) << "its outcome is unknown";
}

TEST(Forwarding, WaitsForAScriptNoLongerWhereAnotherHasLedForAWhile) {
  LongScript script;
  script.Hear(20);
  script.world.Lead(2);
  script.Hear(4);
  EXPECT_FALSE(script.result());
  script.Hear(2);
  EXPECT_EQ(script.result(), OrderResult::kTimedOut);
}

/// A write that a leaseholder has been given, which was stopped: it says nothing, the links stand.
struct Stopped {
  Stopped() {
    world.Lead(1);
    world.Run(100ms);
    number = world.Submit(0, false);
    world.Carry();
    world.loss = 100;
    world.at(0).asking->OnHeard(world.at(1).id(), world.now);
  }
  std::optional<OrderResult> result() { return world.fates[number].result; }
  World world{1};
  uint64_t number = 0;
};

TEST(Forwarding, WaitsForAStoppedLeaseholderUntilAnotherLeads) {
  Stopped stopped;
  stopped.world.Run(limits::kOrderSilent + 200ms);
  EXPECT_FALSE(stopped.result()) << "it may be heard of again";
  stopped.world.Lead(2);
  stopped.world.Run(200ms);
  EXPECT_EQ(stopped.result(), OrderResult::kUnknown);
}

TEST(Forwarding, WaitsForWhoLedAsLongAsItIsHeardOf) {
  Stopped stopped;
  stopped.world.Lead(2);
  for (int i = 0; i < 3; ++i) {
    stopped.world.Run(1s);
    EXPECT_FALSE(stopped.result());
    stopped.world.at(0).asking->OnHeard(stopped.world.at(1).id(), stopped.world.now);
  }
}

TEST(Forwarding, WaitsNoLongerForAProcessThatHasEnded) {
  CutOff orders;
  auto& [world, writes, reads] = orders;
  EXPECT_FALSE(world.fates[writes].result);
  world.at(0).asking->OnProcessEnded(world.at(1).session, world.now);
  EXPECT_EQ(world.fates[writes].result, OrderResult::kUnknown);
  EXPECT_FALSE(world.fates[reads].result);
  world.Lead(2);
  world.Run(100ms);
  EXPECT_EQ(world.fates[reads].result, OrderResult::kDone);  // by the next one
}

TEST(Forwarding, DropsWhatAProcessWaitsForThatHasEnded) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  world.Submit(0, false);
  world.Run(100ms);
  world.Cut(0, 1);
  Node& leader = world.at(1);
  leader.running->OnProcessEnded(world.at(0).session + 1);
  EXPECT_TRUE(leader.dropped.empty());
  const PeerProcess gone{world.at(0).id(), world.at(0).session};
  leader.running->OnProcessEnded(gone.session);
  EXPECT_EQ(leader.dropped, std::vector{gone});
  leader.running->OnTick(world.now + limits::kAskerKept);
  EXPECT_EQ(leader.dropped.size(), 1u) << "once";
}

TEST(Forwarding, DropsWhatAProcessWaitsForThatIsAwayForAMinute) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  world.Submit(0, false);
  world.Run(100ms);
  Node& leader = world.at(1);
  const PeerProcess away{world.at(0).id(), world.at(0).session};
  world.Cut(0, 1);
  leader.running->OnTick(world.now + 59s);
  world.Heal(0, 1);
  leader.running->OnTick(world.now + 60s);
  EXPECT_TRUE(leader.dropped.empty()) << "it was back in time";
  world.Cut(0, 1);
  leader.running->OnTick(world.now + 60s - 1ns);
  EXPECT_TRUE(leader.dropped.empty());
  leader.running->OnTick(world.now + 60s);
  EXPECT_EQ(leader.dropped, std::vector{away});
}

// What a client's pipeline or many clients give at once costs one message, up to a bound.
TEST(Forwarding, SendsWhatConcernsAnOrderBehindIt) {
  World world(1);
  world.Lead(0);
  world.Run(100ms);
  Node& node = world.at(1);
  const uint64_t waits = world.SubmitWait(1);
  ASSERT_EQ(node.sender.Take().size(), 1u);
  node.asking->OnAnswers(world.at(0).id(), Answers{{}, {}, {{1, OrderOutcome::kNotRun, {}}}},
                         world.now);
  world.Submit(1, Order{.repeatable = true, .timeout = {}, .behind = waits});
  EXPECT_TRUE(node.sender.Take().empty()) << "the other waits for its next try";
  world.now += limits::kOrderRetry;
  node.asking->OnTick(world.now);
  const auto sent = node.sender.Take();
  ASSERT_EQ(sent.size(), 1u);
  const auto& orders = std::get<Orders>(std::get<ForwardingMessage>(sent[0].held.message)).orders;
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(orders[0].request, std::to_string(waits));
}

TEST(Forwarding, SendsOrdersInBatches) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  Node& asks = world.at(0);
  const auto submit = [&](size_t count) {
    std::vector<std::pair<uint64_t, Order>> orders;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t number = world.fates.size() + 1;
      world.fates[number];
      orders.emplace_back(number, Order{1, std::to_string(number), false, 3s});
    }
    (void)asks.sender.Take();
    asks.asking->Submit(std::move(orders), world.now);
    std::vector<size_t> sent;  // orders of each message
    for (const auto& message : asks.sender.Take()) {
      EXPECT_EQ(message.to, world.at(1).id());
      const auto& forwarded = std::get<ForwardingMessage>(message.held.message);
      sent.push_back(std::get<Orders>(forwarded).orders.size());
    }
    return sent;
  };
  EXPECT_EQ(submit(100), std::vector<size_t>{100});
  EXPECT_EQ(submit(limits::kOrdersPerMessage + 1),
            (std::vector<size_t>{limits::kOrdersPerMessage, 1}));
}

/// An answer that has come before the batch it tells of.
struct EarlyAnswer {
  EarlyAnswer() {
    world.Lead(1);
    world.Run(100ms);
    Node& leader = world.at(1);
    const KeyRef key = leader.store->keyspace().Ref(0, "k");
    leader.store->keyspace().Lock(key).SetString(key, "v");
    leader.store->journal().SetSink([&](const BatchHeader&, SharedBytes bytes) { batch = *bytes; });
    EXPECT_TRUE(leader.store->journal().Commit().ok());
    order = world.Submit(0, false);
    world.Run(5ms);
    world.at(0).asking->OnAnswers(leader.id(),
                                  {leader.store->origin(),
                                   leader.store->journal().upto(),
                                   {{1, OrderOutcome::kDone, "reply"}}},
                                  world.now);
  }
  const World::Fate& fate() { return world.fates[order]; }
  World world{1};
  std::string batch;
  uint64_t order = 0;
};

TEST(Forwarding, KeepsAnAnswerUntilWhatItTellsOfIsHeld) {
  EarlyAnswer answer;
  EXPECT_FALSE(answer.fate().result);
  Node& asker = answer.world.at(0);
  const DecodedBatch decoded = DecodedBatch::Decode(answer.batch).value();
  ASSERT_TRUE(asker.store->ApplyBatch(decoded, answer.batch).value());
  asker.asking->OnProgress(answer.world.now);
  EXPECT_EQ(answer.fate().result, OrderResult::kDone);
  EXPECT_EQ(answer.fate().text, "reply");
}

TEST(Forwarding, GivesAnAnswerOutAfterAWhileAlsoWhereWhatItTellsOfIsNotHeld) {
  EarlyAnswer answer;
  answer.world.Run(limits::kAnswerWait - 200ms);
  EXPECT_FALSE(answer.fate().result);
  answer.world.Run(400ms);
  EXPECT_EQ(answer.fate().result, OrderResult::kDone);
  EXPECT_EQ(answer.fate().text, "reply");
}

TEST(Forwarding, RunsNothingTwiceAndLosesNoAnswerUnderFaults) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    for (const auto& [number, what] : Chaos(seed, {})) {
      ADD_FAILURE() << "seed " << seed << ": order " << number << " " << what;
    }
  }
}

TEST(Forwarding, IsSeenToFailWithoutEachOfItsRules) {
  const auto found = [](ForwardingRules rules) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
      if (!Chaos(seed, rules).empty()) return true;
    }
    return false;
  };
  EXPECT_TRUE(found({.lost_orders_are_unknown = false}));
  EXPECT_TRUE(found({.doubles_are_recognised = false}));
  EXPECT_TRUE(found({.refusals_are_remembered = false}));
  EXPECT_TRUE(found({.processes_are_told_apart = false}));
  EXPECT_TRUE(found({.lost_waits_are_unknown = false}));
}

}  // namespace
}  // namespace starling
