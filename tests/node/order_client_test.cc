/// Requests of the library's at a leaseholder that does not answer, and what another node's WAIT
/// reads there.
#include "node/ordering/order_client.h"

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "node/ordering/order_codec.h"
#include "storage/keyspace.h"
#include "storage/record_note.h"
#include "tests/node/leader_and_asker.h"
#include "tests/support/shard_names.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Takes orders and never answers.
class Silence final : public OrderRunner {
 public:
  std::atomic<size_t> taken = 0;

 private:
  void Run(const PeerProcess&, std::vector<RemoteOrder> orders) override { taken += orders.size(); }
  void DropClients(const PeerProcess&, const std::vector<uint64_t>&) override {}
  void DropProcess(const PeerProcess&) override {}
};

using OrderClientTest = LeaderAndAskerTest;

TEST_F(OrderClientTest, WhatIsNotAnsweredInTimeHasAnUnknownOutcomeWhereItWrites) {
  Silence silence;
  leader_->SetOrderRunner(&silence);
  OrderClient client(*asks_, *orders_, 0, /*alone=*/false);
  // One that the machine kept from being sent in time has not taken effect: another is asked, then.
  for (size_t before = 0; silence.taken == before;) {
    const auto written = client.Ask({.words = {"SET", "k", "v"}}, milliseconds(50));
    ASSERT_FALSE(written.ok());
    if (silence.taken != before) {
      EXPECT_EQ(written.error().code, Code::kUnknownOutcome);
    }
  }
  const auto read = client.Ask({.words = {"GET", "k"}, .reads = true}, milliseconds(50));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::kUnavailable) << "a read leaves nothing behind";
  const auto here = client.Ask({.words = {"SET", "k", "v"}, .level = Level::kLocal}, seconds(60));
  ASSERT_TRUE(here.ok()) << here.error().message;
  EXPECT_EQ(*here, "+OK\r\n");
  leader_->SetOrderRunner(nullptr);
  client.Close();
}

TEST_F(OrderClientTest, WhatIsRefusedIsAskedForAgainUntilItIsRun) {
  OrderClient client(*asks_, *orders_, 0, /*alone=*/false);
  auto later = std::async(std::launch::async, [&] {
    return client.Ask({.words = {"SET", "k", "v"}}, seconds(60));
  });
  const OrderExecutor runs(*leader_, commands_, scripting_, log_);
  const Result<std::string> reply = later.get();
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(*reply, "+OK\r\n");
  client.Close();
}

TEST_F(OrderClientTest, AnotherNodesWaitDoesNotWaitHere) {
  const OrderExecutor runs(*leader_, commands_, scripting_, log_);
  OrderClient client(*asks_, *orders_, 0, /*alone=*/false);
  const auto reply = client.Ask({.words = {"WAIT", "5", "0"}, .blocks = true}, seconds(60));
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(*reply, ":0\r\n") << "nothing is known here of what its client wrote";
  client.Close();
}

// As the next leaseholder is asked where the answer was lost with the one before.
TEST_F(OrderClientTest, WhoAsksAgainForWhatCountsIsToldTheSameAndServedOnce) {
  OrderExecutor runs(*leader_, commands_, scripting_, log_);
  OrderClient client(*leader_, runs, 0, /*alone=*/false);
  ASSERT_EQ(client.Ask({.words = {"RPUSH", "list", "a", "b"}}, seconds(60)).value(), ":2\r\n");
  std::mutex mutex;
  std::map<uint64_t, std::string> replies;
  const auto sink = [&](std::vector<OrderEffect> ended) {
    const std::lock_guard lock(mutex);
    for (OrderEffect& one : ended) {
      std::string_view reply = one.text;
      EXPECT_EQ(one.result, OrderResult::kDone);
      EXPECT_TRUE(TakeReplyHead(reply));
      replies[one.number] = reply;
    }
  };
  const uint64_t base = leader_->AddOrderSink(sink);
  runs.SetSink(base, sink);
  const auto ask = [&](uint64_t number, std::string_view name,
                       std::vector<std::string_view> words) {
    OrderWriter writer;
    writer.Begin({.again_by = name});
    writer.AddCommand(words, /*silent=*/false, /*majority=*/true);
    Order order;
    order.client = number;
    order.request = writer.Take();
    runs.RunOwn({.number = base + number, .order = std::move(order), .epoch = Epoch()});
    EXPECT_TRUE(Eventually([&] {
      const std::lock_guard lock(mutex);
      return replies.contains(base + number);
    }));
    const std::lock_guard lock(mutex);
    return replies[base + number];
  };
  const std::string first = "*2\r\n$4\r\nlist\r\n$1\r\na\r\n";
  EXPECT_EQ(ask(1, "one", {"BLPOP", "list", "0"}), first);
  EXPECT_EQ(ask(2, "one", {"BLPOP", "list", "0"}), first);
  EXPECT_EQ(client.Ask({.words = {"LLEN", "list"}}, seconds(60)).value(), ":1\r\n");
  // Its own token must not keep it waiting.
  const std::string granted = ask(3, "two", {"STARLING", "ACQUIRE", "token", "60000", "0", "lock"});
  EXPECT_EQ(ask(4, "two", {"STARLING", "ACQUIRE", "token", "60000", "0", "lock"}), granted);
  // What is too long to be kept is not served twice either.
  const std::string large(RecordNote::kMaxAnswer + 1, 'x');
  ASSERT_TRUE(client.Ask({.words = {"RPUSH", "longs", large, "next"}}, seconds(60)).ok());
  EXPECT_GT(ask(5, "three", {"BLPOP", "longs", "0"}).size(), large.size());
  EXPECT_TRUE(ask(6, "three", {"BLPOP", "longs", "0"}).starts_with("-UNKNOWN "));
  EXPECT_EQ(client.Ask({.words = {"LLEN", "longs"}}, seconds(60)).value(), ":1\r\n");
  client.Close();
}

// Of the node that led no less than of the others.
TEST_F(OrderClientTest, WhoWaitsAtALeaseholderIsServedOnceByTheNext) {
  OrderExecutor runs(*leader_, commands_, scripting_, log_);
  OrderClient client(*leader_, runs, 0, /*alone=*/false);
  ASSERT_EQ(client.Ask({.words = {"RPUSH", "list", "a", "b"}}, seconds(20)).value(), ":2\r\n");
  std::future<Result<std::string>> popped;
  {
    // It is run, and held up until the lease has ended.
    Keyspace& keyspace = leader_->store().keyspace();
    const KeyRef list = keyspace.Ref(0, "list");
    const Access hold = keyspace.Lock(list);
    popped = std::async(std::launch::async, [&] {
      return client.Ask(
          {.words = {"BLPOP", "list", "20"}, .blocks = true, .level = Level::kMajority},
          seconds(40));
    });
    EndLease();
  }
  const Result<std::string> reply = popped.get();
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(*reply, "*2\r\n$4\r\nlist\r\n$1\r\na\r\n");
  EXPECT_EQ(client.Ask({.words = {"LLEN", "list"}}, seconds(20)).value(), ":1\r\n");
  client.Close();
}

// Else who was told to have been taken back would wait on.
TEST_F(OrderClientTest, AWaitThatIsAskedForAgainIsTakenBackAgain) {
  OrderExecutor runs(*leader_, commands_, scripting_, log_);
  std::mutex mutex;
  std::map<uint64_t, OrderResult> ends;
  const auto sink = [&](std::vector<OrderEffect> ended) {
    const std::lock_guard lock(mutex);
    for (const OrderEffect& one : ended) ends[one.number] = one.result;
  };
  const uint64_t base = leader_->AddOrderSink(sink);
  runs.SetSink(base, sink);
  const auto run = [&](uint64_t client, std::string_view name, uint64_t epoch,
                       std::vector<std::string_view> words) {
    OrderWriter writer;
    writer.Begin({.again_by = name});
    writer.AddCommand(words, /*silent=*/false, /*majority=*/epoch != 0);
    Order order;
    order.client = client;
    order.request = writer.Take();
    runs.RunOwn({.number = base + client, .order = std::move(order), .epoch = epoch});
  };
  Keyspace& keyspace = leader_->store().keyspace();
  run(1, "one", Epoch(), {"BLPOP", NameInLaterShard(keyspace, "list"), "0"});
  EXPECT_TRUE(Eventually([&] { return runs.waiting() == 1; }));
  {
    // The end of both waits for the log, and that for the shard of what was written.
    const std::string name = NameInFirstShard(keyspace, "k");
    const KeyRef key = keyspace.Ref(0, name);
    Access hold = keyspace.Lock(key);
    hold.SetString(key, "v");
    run(2, "", 0, {"CLIENT", "UNBLOCK", "1", "TIMEOUT"});
    EXPECT_TRUE(Eventually([&] { return runs.waiting() == 0; }));
    EndLease();
  }
  EXPECT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return ends.size() == 2;
  }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(ends[base + 1], OrderResult::kAskHere);
  EXPECT_EQ(ends[base + 2], OrderResult::kNotRun) << "it is sent behind it again";
}

// DESIGN.md section 6: many claims share one round of the majority.
TEST_F(OrderClientTest, ClaimsThatComeTogetherShareARound) {
  OrderExecutor runs(*leader_, commands_, scripting_, log_);
  OrderClient client(*leader_, runs, 0, /*alone=*/false);
  const auto first = client.Ask({.words = {"SET", "first", "x", "NX"}}, seconds(60));
  ASSERT_TRUE(first.ok()) << first.error().message;
  std::atomic<int> rounds = 0;
  const uint64_t asked = runs.majority_rounds();
  EXPECT_GE(asked, 1u);
  const auto subscription = leader_->lease().SubscribeMajority([&](uint64_t, Stamp) { ++rounds; });
  constexpr int kClaims = 50;
  std::atomic<int> granted = 0, answered = 0;
  {
    // They gather behind a script that is held up at a key.
    Keyspace& keyspace = leader_->store().keyspace();
    const KeyRef key = keyspace.Ref(0, "held");
    const Access held = keyspace.Lock(key);
    client.Start({.words = {"EVAL", "return redis.call('GET', KEYS[1])", "1", "held"}}, seconds(60),
                 [](const Result<std::string>& reply) { EXPECT_TRUE(reply.ok()); });
    for (int i = 0; i < kClaims; ++i) {
      client.Start({.words = {"SET", "k" + std::to_string(i), "x", "NX"}}, seconds(60),
                   [&](const Result<std::string>& reply) {
                     if (reply.ok() && *reply == "+OK\r\n") ++granted;
                     ++answered;
                   });
    }
  }
  EXPECT_TRUE(Eventually([&] { return answered == kClaims; }));
  EXPECT_EQ(granted, kClaims);
  leader_->lease().Unsubscribe(subscription);
  EXPECT_GE(rounds, 1);
  EXPECT_LE(rounds, kClaims / 10);
  EXPECT_GT(runs.majority_rounds(), asked);
  EXPECT_LE(runs.majority_rounds(), asked + kClaims / 10);
  client.Close();
}

}  // namespace
}  // namespace starling
