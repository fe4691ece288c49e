/// Handles of the library above level `local`: what one node was answered, every other sees.
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "node/ordering/order_reply.h"
#include "tests/node/node_fixture.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr LevelOptions kLeased{.level = Level::kLeased, .timeout = seconds(60)};
constexpr LevelOptions kMajority{.level = Level::kMajority, .timeout = seconds(60)};

class LevelsTest : public NodeFixture {
 protected:
  /// Three nodes of one cluster, one of which leads.
  std::vector<Node> Three() {
    std::vector<Node> nodes;
    for (const char* name : {"a", "b", "c"}) nodes.push_back(Open(Ephemeral(name)));
    EXPECT_TRUE(Eventually([&] { return nodes[0].Statistics().members_alive == 3; }));
    for (Node& node : nodes) {
      EXPECT_TRUE(node.kv(kLeased).Get("somebody leads").ok());
    }
    return nodes;
  }
  /// A node that waits for two others that never come: nobody leads.
  Node Lonely() {
    NodeOptions options = Ephemeral("lonely");
    options.join = {"127.0.0.1:1", "127.0.0.1:2"};
    options.expect = 3;
    return Open(options);
  }
};

TEST_F(LevelsTest, WhatOneNodeWasAnsweredEveryOtherSees) {
  std::vector<Node> nodes = Three();
  for (const LevelOptions& options : {kLeased, kMajority}) {
    for (int i = 0; i < 30; ++i) {
      Kv writes = nodes[static_cast<size_t>(i) % 3].kv(options);
      const std::string value = std::to_string(i);
      const Status set = writes.Set("k", value);
      ASSERT_TRUE(set.ok()) << set.error().message;
      for (Node& node : nodes) ASSERT_EQ(*node.kv(options).Get("k"), value) << node.name();
      ASSERT_TRUE(*writes.Delete("k"));
      for (Node& node : nodes) ASSERT_FALSE(node.kv(options).Get("k")->has_value());
    }
  }
}

TEST_F(LevelsTest, CallsMeanWhatTheyMeanLocally) {
  std::vector<Node> nodes = Three();
  for (Node& node : nodes) {
    Kv kv = node.kv(kLeased);
    const std::string binary("\0\r\n\xFF$-1\r\n", 9);
    for (const std::string& value : {binary, std::string(), std::string(100'000, 'x')}) {
      ASSERT_TRUE(kv.Set("k", value).ok());
      EXPECT_EQ(*kv.Get("k"), value);
      std::string buffer = "old";
      EXPECT_TRUE(*kv.Get("k", buffer));
      EXPECT_EQ(buffer, value);
    }
    EXPECT_FALSE(kv.Ttl("k")->remaining.has_value());
    EXPECT_TRUE(*kv.Expire("k", milliseconds(600'000)));
    EXPECT_GT(*kv.Ttl("k")->remaining, milliseconds(500'000));
    EXPECT_TRUE(*kv.Persist("k"));
    EXPECT_FALSE(*kv.Persist("k"));
    ASSERT_TRUE(kv.Set("k", "v", milliseconds(600'000)).ok());
    EXPECT_LE(*kv.Ttl("k")->remaining, milliseconds(600'000));
    EXPECT_TRUE(*kv.Expire("k", milliseconds(0))) << "no time to live is a deletion";
    EXPECT_FALSE(kv.Ttl("k")->exists);
    EXPECT_FALSE(*kv.Delete("k"));
    std::string buffer = "old";
    EXPECT_FALSE(*kv.Get("k", buffer));
    EXPECT_EQ(buffer, "");
    EXPECT_EQ(kv.Set("k", "v", milliseconds(0)).error().code, Code::kInvalidArgument);
    EXPECT_EQ(kv.Expire("k", milliseconds::max()).error().code, Code::kInvalidArgument);
  }
}

TEST_F(LevelsTest, NoTwoAdditionsAreAnsweredAlike) {
  std::vector<Node> nodes = Three();
  constexpr int64_t kEach = 200;
  std::vector<std::vector<int64_t>> answers(3);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      OrderedCounter tickets = nodes[i].GetCounter("tickets", kLeased);
      for (int64_t n = 0; n < kEach; ++n) {
        const Result<int64_t> number = tickets.Add();
        ASSERT_TRUE(number.ok()) << number.error().message;
        answers[i].push_back(*number);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<int64_t> all;
  for (const std::vector<int64_t>& some : answers) all.insert(some.begin(), some.end());
  EXPECT_EQ(all.size(), size_t{3 * kEach});
  EXPECT_EQ(*all.begin(), 1);
  EXPECT_EQ(*all.rbegin(), 3 * kEach);
}

TEST_F(LevelsTest, AnOrderedCounterIsTheCounterOfItsName) {
  std::vector<Node> nodes = Three();
  Counter merges = nodes[1].GetCounter("n");
  merges.Add(5);
  ASSERT_TRUE(nodes[1].Sync().ok());
  OrderedCounter ordered = nodes[2].GetCounter("n", kLeased);
  ASSERT_TRUE(Eventually([&] { return *ordered.Value() == 5; }));
  EXPECT_EQ(*ordered.Add(-2), 3);
  EXPECT_TRUE(Eventually([&] { return *merges.Value() == 3; }));
  EXPECT_EQ(*ordered.Reset(), 3);
  EXPECT_EQ(*ordered.Value(), 0);
  EXPECT_EQ(*nodes[0].GetCounter("none", kLeased).Reset(), 0);

  EXPECT_EQ(*ordered.Add(INT64_MAX), INT64_MAX);
  EXPECT_EQ(ordered.Add().error().code, Code::kOutOfRange);
  ASSERT_TRUE(nodes[0].kv(kLeased).Set("n", "text").ok());
  EXPECT_EQ(ordered.Add().error().code, Code::kInvalidArgument);
  EXPECT_EQ(ordered.Value().error().code, Code::kInvalidArgument);
  EXPECT_EQ(ordered.Reset().error().code, Code::kInvalidArgument);
  EXPECT_EQ(*nodes[0].kv(kLeased).Get("n"), "text") << "a refused call has changed nothing";
}

TEST_F(LevelsTest, GoOnAtTheNextLeaseholder) {
  std::vector<Node> nodes = Three();
  ASSERT_TRUE(nodes[2].kv(kMajority).Set("k", "v").ok());
  OrderedCounter counter = nodes[2].GetCounter("n", kLeased);
  // Whichever leads: two of three end, so a take-over is among them or none is needed.
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(nodes[i].Close().ok());
    const Result<int64_t> sum = counter.Add();
    ASSERT_TRUE(sum.ok() || sum.error().code == Code::kUnknownOutcome) << sum.error().message;
    EXPECT_EQ(*nodes[2].kv(kMajority).Get("k"), "v");
  }
  EXPECT_TRUE(counter.Add().ok());
}

TEST_F(LevelsTest, SaySoWhereNobodyOrders) {
  Node node = Lonely();
  Kv kv = node.kv({.level = Level::kLeased, .timeout = milliseconds(50)});
  const Status set = kv.Set("k", "v");
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error().code, Code::kUnavailable) << set.error().message;
  EXPECT_EQ(kv.Get("k").error().code, Code::kUnavailable);
  OrderedCounter counter =
      node.GetCounter("n", {.level = Level::kMajority, .timeout = milliseconds(50)});
  EXPECT_EQ(counter.Add().error().code, Code::kUnavailable);
  EXPECT_FALSE(node.kv().Get("k")->has_value()) << "nothing was changed";
  EXPECT_TRUE(node.kv().Set("k", "v").ok()) << "level local waits for nobody";
  OrderedCounter local = node.GetCounter("n", {.level = Level::kLocal});
  EXPECT_EQ(*local.Add(2), 2);
}

TEST_F(LevelsTest, ANodeThatLooksForNobodyOrdersByItself) {
  NodeOptions options = Ephemeral("alone");
  options.meeting_folder = false;
  Node node = Open(options);
  EXPECT_TRUE(node.kv(kLeased).Set("k", "v").ok());
  EXPECT_EQ(*node.kv(kMajority).Get("k"), "v");
  EXPECT_EQ(*node.GetCounter("n", kMajority).Add(), 1);
}

TEST_F(LevelsTest, RefuseTimeoutsThatAreNone) {
  Node node = Open(Ephemeral("a"));
  for (const milliseconds timeout : {milliseconds(0), milliseconds(-1), milliseconds::max()}) {
    const Result<bool> deleted = node.kv({.level = Level::kLeased, .timeout = timeout}).Delete("k");
    ASSERT_FALSE(deleted.ok());
    EXPECT_EQ(deleted.error().code, Code::kInvalidArgument);
    EXPECT_NE(deleted.error().message.find("LevelOptions::timeout"), std::string::npos);
  }
}

TEST_F(LevelsTest, AnswerClosedAfterTheirNode) {
  Node node = Open(Ephemeral("a"));
  Kv kv = node.kv(kLeased);
  OrderedCounter counter = node.GetCounter("n", kLeased);
  ASSERT_TRUE(node.Close().ok());
  EXPECT_EQ(kv.Set("k", "v").error().code, Code::kClosed);
  EXPECT_EQ(kv.Get("k").error().code, Code::kClosed);
  EXPECT_EQ(counter.Add().error().code, Code::kClosed);
}

// --- replies ---

TEST(OrderReply, ReadsWhatCommandsAnswer) {
  EXPECT_EQ(*IntegerOfReply(":-12\r\n"), -12);
  EXPECT_EQ(*BulkOfReply("$3\r\na\r\n\r\n"), "a\r\n");
  EXPECT_EQ(*BulkOfReply("$0\r\n\r\n"), "");
  EXPECT_FALSE(BulkOfReply("$-1\r\n")->has_value());
  EXPECT_TRUE(OkOfReply("+OK\r\n").ok());
}

TEST(OrderReply, AnAnswerThatIsNoneLeavesTheOutcomeUnknown) {
  for (const char* reply : {"", "+", "$", "$5\r\nab\r\n", "$-2\r\n", "*1\r\n:1\r\n", ":x\r\n"}) {
    EXPECT_EQ(IntegerOfReply(reply).error().code, Code::kUnknownOutcome) << reply;
    EXPECT_EQ(BulkOfReply(reply).error().code, Code::kUnknownOutcome) << reply;
  }
  EXPECT_EQ(OkOfReply(":1\r\n").error().code, Code::kUnknownOutcome);
}

TEST(OrderReply, TellsErrorsApart) {
  const std::vector<std::pair<const char*, Code>> cases = {
      {"-NOQUORUM none\r\n", Code::kUnavailable},
      {"-BUSY script\r\n", Code::kUnavailable},
      {"-UNKNOWN lost\r\n", Code::kUnknownOutcome},
      {"-WRONGTYPE Operation\r\n", Code::kWrongType},
      {"-MISCONF the disk is full\r\n", Code::kReadOnly},
      {"-MISCONF The append to the log failed, so the outcome of this command is unknown: x\r\n",
       Code::kUnknownOutcome},
      {"-ERR increment or decrement would overflow\r\n", Code::kOutOfRange},
      {"-ERR syntax error\r\n", Code::kInvalidArgument}};
  for (const auto& [reply, code] : cases) {
    EXPECT_EQ(IntegerOfReply(reply).error().code, code) << reply;
    EXPECT_EQ(BulkOfReply(reply).error().code, code) << reply;
    EXPECT_EQ(OkOfReply(reply).error().code, code) << reply;
  }
}

}  // namespace
}  // namespace starling
