// Claims as the leaseholder writes them, by the calls that write any key.
#include <gtest/gtest.h>

#include "storage/held_shards.h"
#include "storage/speculation.h"
#include "tests/storage/one_node.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// Runs `write(access, key)` as a speculation over the key, and keeps it.
template <typename WriteKey>
auto Write(OneNode& node, std::string_view name, WriteKey&& write) {
  const KeyRef key = node.Ref(name);
  const HeldShards held(node.keyspace, {&key, 1});
  Speculation speculation(node.keyspace);
  Access access = node.keyspace.Lock(key);
  const auto result = [&] {
    if constexpr (std::is_void_v<decltype(write(access, key))>) {
      write(access, key);
      return true;
    } else {
      return write(access, key);
    }
  }();
  EXPECT_TRUE(speculation.touched_claim());
  speculation.Keep();
  return result;
}

std::optional<Stamp> Claim(OneNode& node, std::string_view name, std::string_view text,
                           int64_t ttl = 0) {
  return Write(node, name,
               [&](Access& access, const KeyRef& key) { return access.Claim(key, text, ttl); });
}

std::optional<Stamp> Token(OneNode& node, std::string_view name) {
  return node.Lock(name).ClaimToken(node.Ref(name));
}

TEST(ClaimWrites, GrantAKeyThatIsNotSeenOnce) {
  OneNode node;
  const std::optional<Stamp> token = Claim(node, "k", "holder", 1000);
  ASSERT_TRUE(token);
  EXPECT_EQ(Token(node, "k"), token);
  EXPECT_EQ(Claim(node, "k", "other"), std::nullopt);
  EXPECT_EQ(node.Get("k"), "holder");
  node.Set("plain", "v");
  const KeyRef key = node.Ref("plain");
  {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    EXPECT_EQ(node.Lock("plain").Claim(key, "x", 0), std::nullopt);
    EXPECT_FALSE(speculation.wrote());
  }
  // Once more after it is released: the token has risen.
  Write(node, "k", [](Access& access, const KeyRef& k) { return access.Delete(k); });
  EXPECT_EQ(node.Get("k"), std::nullopt);
  EXPECT_EQ(Token(node, "k"), std::nullopt);
  EXPECT_GT(*Claim(node, "k", "again"), *token);
}

TEST(ClaimWrites, RewriteTheValueWithTheTimeThatRemains) {  // counterexample 39
  OneNode node;
  const std::optional<Stamp> token = Claim(node, "k", "0", 60'000);
  for (int i = 1; i <= 5; ++i) {
    node.time.Advance(10s);
    EXPECT_EQ(
        Write(node, "k",
              [](Access& access, const KeyRef& key) { return access.Increment(key, 1).value(); }),
        i);
    EXPECT_EQ(node.Deadline("k"), node.keyspace.NowMillis() + 60'000 - i * 10'000);
  }
  Write(node, "k",
        [](Access& access, const KeyRef& key) { access.SetString(key, "7", /*keep_ttl=*/true); });
  EXPECT_EQ(Write(node, "k",
                  [](Access& access, const KeyRef& key) {
                    return access.IncrementDecimal(key, Number{5, 1}).value().ToString();
                  }),
            "7.5");
  EXPECT_EQ(node.Get("k"), "7.5");
  EXPECT_EQ(Token(node, "k"), token);
  node.time.Advance(10001ms);
  ASSERT_EQ(node.keyspace.LapsedClaims(9).size(), 1u) << "the window ends";
  // A peer to whom only the last version comes counts from there.
  OneNode other(2);
  other.Take(node.Flush());
  EXPECT_EQ(other.keyspace.NextLapse(), 10'001ms);
  EXPECT_EQ(Token(other, "k"), token);
}

TEST(ClaimWrites, RefuseWhatIsNoNumberAndChangeNothing) {
  OneNode node;
  Claim(node, "k", "text", 1000);
  const auto before = WalkText(node.keyspace);
  Write(node, "k", [](Access& access, const KeyRef& key) {
    EXPECT_EQ(access.Increment(key, 1).error().code, Code::kInvalidArgument);
    EXPECT_EQ(access.IncrementDecimal(key, Number{5, 1}).error().code, Code::kInvalidArgument);
  });
  EXPECT_EQ(WalkText(node.keyspace), before);
}

TEST(ClaimWrites, ChangeTheTimeToLiveAndKeepTheToken) {
  OneNode node;
  const std::optional<Stamp> token = Claim(node, "k", "holder");
  EXPECT_EQ(node.Deadline("k"), std::nullopt);
  const int64_t now = node.keyspace.NowMillis();
  EXPECT_TRUE(Write(node, "k", [&](Access& access, const KeyRef& key) {
    return access.SetDeadline(key, now + 500);
  }));
  EXPECT_EQ(node.Deadline("k"), now + 500);
  Write(node, "k", [](Access& access, const KeyRef& key) {
    access.RewriteString(key, "holder 2", /*keep_ttl=*/true);
  });
  EXPECT_EQ(node.Deadline("k"), now + 500);
  EXPECT_TRUE(Write(node, "k",
                    [](Access& access, const KeyRef& key) { return access.ClearDeadline(key); }));
  EXPECT_FALSE(Write(node, "k",
                     [](Access& access, const KeyRef& key) { return access.ClearDeadline(key); }));
  EXPECT_EQ(node.Deadline("k"), std::nullopt);
  EXPECT_EQ(node.Get("k"), "holder 2");
  EXPECT_EQ(Token(node, "k"), token);
  EXPECT_TRUE(Write(node, "k", [&](Access& access, const KeyRef& key) {
    return access.SetDeadline(key, now - 1);
  }));
  EXPECT_EQ(node.Get("k"), std::nullopt) << "a deadline in the past ends it";
}

TEST(ClaimWrites, EndItWithAllThatLaysUnderIt) {  // counterexample 38
  for (int way = 0; way < 4; ++way) {
    OneNode node, isolated(2);
    const std::optional<Stamp> token = Claim(node, "k", "holder");
    ASSERT_TRUE(token);
    isolated.Set("k", "hidden");  // it has not heard of the claim
    node.Take(isolated.Flush());
    EXPECT_EQ(node.Get("k"), "holder");
    Write(node, "k", [&](Access& access, const KeyRef& key) {
      if (way == 0) access.Delete(key);
      if (way == 1) access.Clear(key);
      if (way == 2) access.SetString(key, "plain");
      if (way == 3) {
        EXPECT_FALSE(access.EndClaim(key, Stamp{1})) << "another's token";
        EXPECT_TRUE(access.EndClaim(key, *token));
      }
    });
    EXPECT_EQ(Token(node, "k"), std::nullopt);
    EXPECT_EQ(node.Get("k"), way == 2 ? std::optional<std::string>("plain") : std::nullopt);
    isolated.Take(node.Flush());
    EXPECT_EQ(WalkText(isolated.keyspace), WalkText(node.keyspace));
  }
}

TEST(ClaimWrites, OfAFlushedDatabaseEndAllItsClaims) {
  OneNode node;
  Claim(node, "a", "1");
  Claim(node, "b", "2", 1000);
  node.database = 1;
  Claim(node, "c", "3");
  node.database = 0;
  EXPECT_TRUE(node.keyspace.HasLiveClaims(0));
  {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    node.keyspace.FlushDatabase(0);
    EXPECT_TRUE(speculation.touched_claim());
    EXPECT_EQ(node.Size(), 0u);
    speculation.Keep();
  }
  EXPECT_EQ(node.Size(), 0u);
  EXPECT_FALSE(node.keyspace.HasLiveClaims(0));
  EXPECT_TRUE(node.keyspace.HasLiveClaims(1));
  EXPECT_EQ(node.keyspace.NextLapse(), std::nullopt);
}

TEST(ClaimWrites, AreBlockedWhileAClaimWhoseTimeIsUpHasNotEnded) {
  OneNode node;
  const std::optional<Stamp> token = Claim(node, "k", "holder", 10);
  node.time.Advance(11ms);
  const HeldShards held(node.keyspace);
  {
    Speculation speculation(node.keyspace);
    node.Get("other");
    EXPECT_FALSE(speculation.blocked());
    EXPECT_EQ(node.Get("k"), "holder");
    EXPECT_TRUE(speculation.blocked());
  }
  {
    Speculation speculation(node.keyspace);
    EXPECT_TRUE(node.Lock("k").EndClaim(node.Ref("k"), *token));
    EXPECT_FALSE(speculation.blocked());
    EXPECT_TRUE(speculation.touched_claim());
    speculation.Keep();
  }
  EXPECT_EQ(node.Get("k"), std::nullopt);
}

TEST(ClaimWrites, ThatAreRolledBackLeaveTheClaimAndItsTime) {
  OneNode node;
  const std::optional<Stamp> token = Claim(node, "k", "holder", 1000);
  const auto before = WalkText(node.keyspace);
  node.time.Advance(400ms);
  {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    node.Expire("k", 10s);
    node.Delete("k");
    node.Lock("k").Claim(node.Ref("k"), "other", 5000);
    node.Lock("new").Claim(node.Ref("new"), "x", 5);
    EXPECT_EQ(node.Get("k"), "other");
  }
  EXPECT_EQ(WalkText(node.keyspace), before);
  EXPECT_EQ(Token(node, "k"), token);
  EXPECT_EQ(node.keyspace.NextLapse(), 1001ms);
  EXPECT_EQ(node.Size(), 1u);
}

}  // namespace
}  // namespace starling
