// Who was first in the whole cluster: the library's claims.
#include "starling/claims.h"

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/node/node_fixture.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClaimsTest : public NodeFixture {
 protected:
  static Claimed First(const Node& node, const std::string& key, milliseconds ttl = seconds(60),
                       const std::string& by = {}) {
    const Result<Claimed> claimed = node.claims().First(key, ttl, by);
    EXPECT_TRUE(claimed.ok()) << claimed.error().message;
    return claimed ? *claimed : Claimed{};
  }
};

TEST_F(ClaimsTest, OneIsFirstAndAllHearWhoItWas) {
  Node node = Open(Ephemeral("a"));
  const Claimed mine = First(node, "event:1", seconds(60), "worker 1");
  EXPECT_TRUE(mine.first);
  EXPECT_EQ(mine.by, "worker 1");
  EXPECT_GT(mine.fencing_token, 0u);
  const Claimed other = First(node, "event:1", seconds(60), "worker 2");
  EXPECT_FALSE(other.first);
  EXPECT_EQ(other.by, "worker 1");
  EXPECT_EQ(other.fencing_token, mine.fencing_token);
  EXPECT_TRUE(First(node, "event:2").first);
}

TEST_F(ClaimsTest, TheSameMakerIsNotFirstTwiceButFindsItself) {
  Node node = Open(Ephemeral("a"));
  EXPECT_TRUE(First(node, "k", seconds(60), "attempt 7").first);
  const Claimed again = First(node, "k", seconds(60), "attempt 7");
  EXPECT_FALSE(again.first) << "a webhook may be delivered to one worker twice";
  EXPECT_EQ(again.by, "attempt 7");
}

TEST_F(ClaimsTest, AMakerThatGivesNoNameIsCalledAfterItsNodeAndNeverTheSame) {
  Node node = Open(Ephemeral("a"));
  const std::string one = First(node, "k1").by;
  const std::string two = First(node, "k2").by;
  EXPECT_TRUE(one.starts_with("a:")) << one;
  EXPECT_NE(one, two);
}

TEST_F(ClaimsTest, LapseByThemselvesAndLaterTokensAreGreater) {
  Node node = Open(Ephemeral("a"));
  const Claimed early = First(node, "k", milliseconds(50));
  Claimed later;
  EXPECT_TRUE(Eventually([&] { return (later = First(node, "k")).first; }));
  EXPECT_GT(later.fencing_token, early.fencing_token);
}

TEST_F(ClaimsTest, WhoWithdrawsLetsTheNextCallerBeFirst) {
  Node node = Open(Ephemeral("a"));
  const Claimed failed = First(node, "k");
  EXPECT_EQ(node.claims().Withdraw("k", "another").error().code, Code::kNotFound);
  EXPECT_FALSE(First(node, "k").first);
  EXPECT_TRUE(node.claims().Withdraw("k", failed.by).ok());
  EXPECT_TRUE(First(node, "k").first);
  EXPECT_EQ(node.claims().Withdraw("k", failed.by).error().code, Code::kNotFound)
      << "it is another's by now";
  EXPECT_FALSE(First(node, "k").first);
}

TEST_F(ClaimsTest, WhatIsNoClaimIsThereTooAndHasNoToken) {
  Node node = Open(Ephemeral("a"));
  ASSERT_TRUE(node.kv({.level = Level::kLeased}).Set("k", "plain").ok());
  const Claimed refused = First(node, "k");
  EXPECT_FALSE(refused.first);
  EXPECT_EQ(refused.by, "plain");
  EXPECT_EQ(refused.fencing_token, 0u);
}

TEST_F(ClaimsTest, OneOfAllNodesIsFirst) {  // I3
  std::vector<Node> nodes;
  for (const char* name : {"a", "b", "c"}) nodes.push_back(Open(Ephemeral(name)));
  for (const Node& node : nodes) {
    ASSERT_TRUE(Eventually([&] { return node.Statistics().members_alive == 3; }));
  }
  constexpr int kKeys = 50;
  std::vector<std::atomic<int>> winners(kKeys);
  std::vector<std::set<std::string>> heard(nodes.size());
  std::vector<std::thread> callers;
  for (size_t n = 0; n < nodes.size(); ++n) {
    callers.emplace_back([&, n] {
      for (int i = 0; i < kKeys; ++i) {
        const std::string key = "job:" + std::to_string(i);
        const Claimed claimed = First(nodes[n], key, seconds(60));
        winners[i] += claimed.first ? 1 : 0;
        heard[n].insert(key + " " + claimed.by + " " + std::to_string(claimed.fencing_token));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (int i = 0; i < kKeys; ++i) EXPECT_EQ(winners[i], 1) << i;
  EXPECT_EQ(heard[0], heard[1]);
  EXPECT_EQ(heard[0], heard[2]);
}

TEST_F(ClaimsTest, BadInputIsNamed) {
  Node node = Open(Ephemeral("a"));
  EXPECT_EQ(node.claims().First("k", milliseconds(0)).error().message,
            "a time to live is 1 millisecond to 1000 years");
  const std::string long_name(size_t{5} << 20, 'x');
  EXPECT_EQ(node.claims().First("k", seconds(1), long_name).error().code, Code::kInvalidArgument);
  EXPECT_EQ(node.claims().First(long_name, seconds(1)).error().code, Code::kInvalidArgument);
}

TEST_F(ClaimsTest, AnswerClosedAfterTheirNode) {
  Node node = Open(Ephemeral("a"));
  const Claims claims = node.claims();
  EXPECT_TRUE(node.Close().ok());
  EXPECT_EQ(claims.First("k", seconds(1)).error().code, Code::kClosed);
  EXPECT_EQ(claims.Withdraw("k", "me").error().code, Code::kClosed);
}

// --- NodeOptions::claims ---

/// What `SET NX` comes to at this node, by whether Kv may write the key: a claim it may not.
bool IsClaim(Node& node, const std::string& key) { return !node.kv().Set(key, "plain").ok(); }

TEST_F(ClaimsTest, PatternsThatAreNoneAreRefusedByName) {
  NodeOptions options = Ephemeral("a");
  options.claims = {"rl:*=perhaps"};
  const Result<Node> refused = Node::Open(options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(refused.error().message.starts_with("claims: 'rl:*=perhaps' is not pattern=yes"))
      << refused.error().message;
}

TEST_F(ClaimsTest, TheLibrarysAreClaimsWhateverThePatternsSay) {
  NodeOptions options = Ephemeral("a");
  options.claims = {"rl:*=no"};
  Node node = Open(options);
  EXPECT_TRUE(First(node, "rl:job").first);
  EXPECT_TRUE(IsClaim(node, "rl:job"));
}

}  // namespace
}  // namespace starling
