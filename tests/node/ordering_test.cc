#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "node/ordering/claim_patterns.h"
#include "node/ordering/level.h"
#include "node/ordering/order_codec.h"
#include "node/ordering/route.h"
#include "tests/support/manual_time.h"

namespace starling {
namespace {

using Words = std::vector<std::string_view>;

// --- levels ---

TEST(Level, IsThatOfTheFirstPatternThatFits) {
  const LevelRules rules =
      LevelRules::Parse({"lock:*=majority", "*:hits=local", "a=b=leased", "lock:x=local"}).value();
  EXPECT_EQ(rules.Of("lock:x", Level::kLeased), Level::kMajority);
  EXPECT_EQ(rules.Of("page:hits", Level::kLeased), Level::kLocal);
  EXPECT_EQ(rules.Of("a=b", Level::kLocal), Level::kLeased);  // a pattern may hold '='
  EXPECT_EQ(rules.Of("other", Level::kLeased), Level::kLeased);
}

TEST(Level, RefusesWhatIsNoRuleAndSaysWhatWouldBeRight) {
  for (const char* wrong : {"", "lock:*", "lock:*=", "=local", "lock:*=strong", "lock:*=local "}) {
    const Result<LevelRules> rules = LevelRules::Parse({wrong});
    ASSERT_FALSE(rules) << wrong;
    EXPECT_NE(rules.error().message.find("pattern=level"), std::string::npos) << wrong;
  }
  EXPECT_FALSE(LevelRules::Parse({std::string(513, 'a') + "=local"}));
  EXPECT_TRUE(LevelRules::Parse({std::string(512, 'a') + "=LOCAL"}));
}

// --- claims ---

TEST(ClaimPatterns, TheFirstThatFitsDecidesAndOthersAreClaims) {
  const ClaimPatterns patterns = ClaimPatterns::Parse({"rl:keep=yes", "rl:*=no", "a=b=NO"}).value();
  EXPECT_TRUE(patterns.Claims("rl:keep"));
  EXPECT_FALSE(patterns.Claims("rl:1"));
  EXPECT_FALSE(patterns.Claims("a=b"));  // a pattern may hold '='
  EXPECT_TRUE(patterns.Claims("lock:1"));
  EXPECT_TRUE(ClaimPatterns().Claims("any"));
}

TEST(ClaimPatterns, RefuseWhatIsNoRuleAndSayWhatWouldBeRight) {
  for (const std::string& wrong : {std::string("rl:*"), std::string("rl:*="), std::string("=no"),
                                   std::string("rl:*=maybe"), std::string(513, 'a') + "=no"}) {
    const Result<ClaimPatterns> patterns = ClaimPatterns::Parse({wrong});
    ASSERT_FALSE(patterns) << wrong;
    EXPECT_NE(patterns.error().message.find("pattern=no"), std::string::npos) << wrong;
  }
}

// --- routes ---

class RouteTest : public testing::Test {
 protected:
  Route Of(const Words& words, const Levels& levels = {}) {
    return RouteOf(table.Resolve(words), words, transaction, levels);
  }
  void Queue(const Words& words) {
    const CommandTable::Resolved resolved = table.Resolve(words);
    transaction.Queue(*resolved.row, *resolved.runner, words);
  }

  CommandTable table;
  ManualTime time;
  HybridClock clock{time};
  Keyspace keyspace{{.shards = 1}, clock};
  ClientTransaction transaction{keyspace};
};

TEST_F(RouteTest, LeadsToTheLeaseholderForWhatUsesKeys) {
  for (const Words& words :
       {Words{"get", "k"}, Words{"SET", "k", "v"}, Words{"dbsize"}, Words{"flushall"},
        Words{"eval", "return 1", "0"}, Words{"script", "load", "return 1"}, Words{"watch", "k"}}) {
    EXPECT_TRUE(Of(words).ordered) << words[0];
  }
}

TEST_F(RouteTest, StaysHereForTheConnectionTheNodeAndCursors) {
  for (const Words& words :
       {Words{"ping"}, Words{"multi"}, Words{"exec"}, Words{"client", "id"},
        Words{"config", "get", "*"}, Words{"scan", "0"}, Words{"hscan", "k", "0"},
        Words{"starling", "key", "k"}, Words{"info"}, Words{"select", "1"}, Words{"unwatch"}}) {
    EXPECT_FALSE(Of(words).ordered) << words[0];
  }
}

TEST_F(RouteTest, OfWaitStaysHereAndWaits) {
  const LevelRules rules = LevelRules::Parse({"*=majority"}).value();
  for (const Levels& levels : {Levels{}, Levels{&rules, Level::kLeased}}) {
    const Route route = Of({"wait", "1", "0"}, levels);
    EXPECT_FALSE(route.ordered) << "what its connection wrote is known where that is";
    EXPECT_TRUE(route.blocks);
    EXPECT_TRUE(route.repeatable);
  }
}

TEST_F(RouteTest, StaysHereForWhatWillBeRefused) {
  EXPECT_FALSE(Of({"get"}).ordered);
  EXPECT_FALSE(Of({"nosuch", "k"}).ordered);
  EXPECT_FALSE(Of({"object", "nosuch", "k"}).ordered);
}

TEST_F(RouteTest, KnowsWhatMayBeRunAgain) {
  EXPECT_TRUE(Of({"get", "k"}).repeatable);
  EXPECT_TRUE(Of({"eval_ro", "return 1", "0"}).repeatable);
  EXPECT_FALSE(Of({"incr", "k"}).repeatable);
  EXPECT_FALSE(Of({"eval", "return 1", "0"}).repeatable);
}

TEST_F(RouteTest, IsThatOfTheStrongestKey) {
  const LevelRules rules = LevelRules::Parse({"l:*=local", "m:*=majority"}).value();
  const Levels levels{&rules, Level::kLeased};
  EXPECT_FALSE(Of({"mget", "l:1", "l:2"}, levels).ordered);
  EXPECT_TRUE(Of({"mget", "l:1", "other"}, levels).ordered);
  EXPECT_TRUE(Of({"dbsize"}, levels).ordered);
  const Levels local{&rules, Level::kLocal};
  EXPECT_FALSE(Of({"dbsize"}, local).ordered);
  EXPECT_FALSE(Of({"get", "other"}, local).ordered);
  EXPECT_TRUE(Of({"get", "m:1"}, local).ordered);
}

TEST_F(RouteTest, OfATransactionIsKnownAtItsExec) {
  transaction.Begin();
  EXPECT_FALSE(Of({"set", "k", "v"}).ordered);  // queued
  Queue({"ping"});
  EXPECT_FALSE(Of({"exec"}).ordered);
  Queue({"get", "k"});
  EXPECT_TRUE(Of({"exec"}).ordered);
  EXPECT_TRUE(Of({"exec"}).repeatable);
  Queue({"incr", "k"});
  EXPECT_FALSE(Of({"exec"}).repeatable);
  EXPECT_FALSE(Of({"discard"}).ordered);
  transaction.Break();
  EXPECT_FALSE(Of({"exec"}).ordered);  // refused
}

// --- orders ---

TEST_F(RouteTest, OrdersComeBackAsTheyWereWritten) {
  OrderWriter writer;
  EXPECT_TRUE(writer.empty());
  writer.Begin({.database = 3, .protocol = 3, .watch_epoch = 7, .name = "worker-1"});
  const std::string binary("a\0b\r\n", 5);
  writer.AddCommand(Words{"set", binary, ""}, false);
  writer.AddCommand(Words{"get", binary}, true);
  transaction.Begin();
  Queue({"incr", "k"});
  Queue({"get", "k"});
  writer.AddTransaction(transaction, false, true);
  EXPECT_EQ(writer.replies(), 2u);
  const std::string request = writer.Take();
  EXPECT_TRUE(writer.empty());

  const DecodedOrder order = DecodeOrder(request).value();
  EXPECT_EQ(order.head.database, 3);
  EXPECT_EQ(order.head.protocol, 3);
  EXPECT_EQ(order.head.watch_epoch, 7u);
  EXPECT_EQ(order.head.name, "worker-1");
  ASSERT_EQ(order.steps.size(), 3u);
  EXPECT_EQ(order.steps[0].commands, (std::vector<Words>{{"set", binary, ""}}));
  EXPECT_TRUE(order.steps[1].silent);
  EXPECT_TRUE(order.steps[2].transaction);
  EXPECT_FALSE(order.steps[1].majority);
  EXPECT_TRUE(order.steps[2].majority);
  EXPECT_EQ(order.steps[2].commands, (std::vector<Words>{{"incr", "k"}, {"get", "k"}}));
}

TEST(OrderCodec, AnOrderThatMayBeAskedAgainSaysByWhichName) {
  const std::string name = NewOrderName();
  EXPECT_NE(name, NewOrderName());
  OrderWriter writer;
  writer.Begin({.name = "worker-1", .again_by = name});
  writer.AddCommand(Words{"blpop", "k", "0"}, false);
  const std::string request = writer.Take();
  const DecodedOrder order = DecodeOrder(request).value();
  EXPECT_EQ(order.head.name, "worker-1");
  EXPECT_EQ(order.head.again_by, name);
  ASSERT_EQ(order.steps.size(), 1u);
  EXPECT_EQ(order.steps[0].commands, (std::vector<Words>{{"blpop", "k", "0"}}));
  const std::string too_long(256, 'x');
  writer.Begin({.again_by = too_long});
  writer.AddCommand(Words{"blpop", "k", "0"}, false);
  EXPECT_FALSE(DecodeOrder(writer.Take()));
}

TEST(OrderCodec, RefusesEveryTruncationAndSurvivesEveryChange) {
  OrderWriter writer;
  writer.Begin({.again_by = "asker"});
  writer.AddCommand(Words{"set", "key", "value"}, false);
  writer.AddCommand(Words{"get", "key"}, false);
  const std::string request = writer.Take();
  ASSERT_TRUE(DecodeOrder(request));
  for (size_t size = 0; size < request.size(); ++size) {
    const Result<DecodedOrder> order = DecodeOrder(std::string_view(request).substr(0, size));
    EXPECT_TRUE(!order || order->steps.size() < 2) << size;
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = request;
    for (int j = 0; j < 3; ++j) changed[random() % changed.size()] = static_cast<char>(random());
    (void)DecodeOrder(changed);
  }
}

TEST(OrderCodec, RefusesStepsWithoutCommandsAndUnknownDatabases) {
  OrderWriter writer;
  writer.Begin({.database = 16});
  writer.AddCommand(Words{"get", "k"}, false);
  EXPECT_FALSE(DecodeOrder(writer.Take()));
  writer.Begin({});
  writer.AddCommand(Words{}, false);
  EXPECT_FALSE(DecodeOrder(writer.Take()));
  EXPECT_FALSE(DecodeOrder(""));
}

TEST(OrderCodec, ReplyHeadsComeBack) {
  std::string text;
  AppendReplyHead(text, {.database = 9, .epoch = 1'000'000'007});
  text += "+OK\r\n";
  std::string_view reply = text;
  const ReplyHead head = TakeReplyHead(reply).value();
  EXPECT_EQ(head.database, 9);
  EXPECT_EQ(head.epoch, 1'000'000'007u);
  EXPECT_EQ(reply, "+OK\r\n");
  std::string_view none = "+OK\r\n";
  EXPECT_FALSE(TakeReplyHead(none));
}

}  // namespace
}  // namespace starling
