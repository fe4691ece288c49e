#include "replication/dialer.h"

#include <gtest/gtest.h>

#include <set>

#include "replication/limits.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using Addresses = std::vector<Address>;

struct DialerTest : ::testing::Test {
  std::mt19937_64 random{1};
  Dialer dialer{"own:1", random};
  std::set<NodeId> linked;
  Dialer::Connected connected = [this](NodeId id) { return linked.contains(id); };
  const NodeId b = NodeId::FromName("b");
};

TEST_F(DialerTest, DialsEachAddressOnceButNeverItsOwn) {
  dialer.Set(Dialer::kSeed, {"own:1", "b:1", "c:1", "b:1"}, true, 1s);
  EXPECT_EQ(dialer.Due(1s, connected), (Addresses{"b:1", "c:1"}));
  EXPECT_EQ(dialer.Due(1s, connected), Addresses{}) << "on their way";
}

TEST_F(DialerTest, PausesGrowToTheirLimit) {
  dialer.Set(Dialer::kSeed, {"b:1"}, true, 0s);
  Instant now = 0s;
  Instant last_pause{};
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(dialer.Due(now, connected).size(), 1u);
    dialer.OnFailed("b:1", now);
    const Instant next = dialer.NextTimer(connected);
    last_pause = next - now;
    EXPECT_LE(last_pause, Instant(limits::kDialBackoffLast));
    now = next;
  }
  EXPECT_GT(last_pause, Instant(2s));
}

TEST_F(DialerTest, ANodeThatIsLinkedIsNotDialledUnderAnyOfItsAddresses) {
  dialer.Set(Dialer::kSeed, {"127.0.0.1:1", "localhost:1"}, true, 0s);
  dialer.Due(0s, connected);
  dialer.OnFound("127.0.0.1:1", b, false);
  dialer.OnFound("localhost:1", b, false);
  dialer.OnLinked(b, 1s);
  linked.insert(b);
  EXPECT_EQ(dialer.Due(10s, connected), Addresses{});
  linked.clear();
  dialer.OnLost(b, 11s);
  EXPECT_EQ(dialer.Due(11s, connected).size(), 2u);
}

TEST_F(DialerTest, APeerThatEndsEachLinkAtOnceIsCalledWithGrowingPauses) {
  dialer.Set(Dialer::kSeed, {"b:1"}, true, 0s);
  Instant now = 0s;
  int calls = 0;
  for (; now < Instant(60s); now = std::max(now + 10ms, dialer.NextTimer(connected))) {
    if (dialer.Due(now, connected).empty()) continue;
    ++calls;
    dialer.OnFound("b:1", b, false);
    dialer.OnLinked(b, now);
    dialer.OnLost(b, now + 1ms);
  }
  EXPECT_LT(calls, 60s / (limits::kDialBackoffLast / 2));
  // A link that stands makes up for them.
  ASSERT_EQ(dialer.Due(now, connected).size(), 1u);
  dialer.OnLinked(b, now);
  dialer.OnLost(b, now + limits::kLinkSettled);
  EXPECT_EQ(dialer.Due(now + limits::kLinkSettled, connected).size(), 1u);
}

TEST_F(DialerTest, AnAddressThatIsTheNodeItselfIsLeftAlone) {
  dialer.Set(Dialer::kSeed, {"alias:1"}, true, 0s);
  dialer.Due(0s, connected);
  dialer.OnFound("alias:1", NodeId::FromName("own"), /*self=*/true);
  EXPECT_EQ(dialer.Due(60s, connected), Addresses{});
}

TEST_F(DialerTest, AMemberThatMovedIsDialledAtItsNewAddressOnly) {
  dialer.SetMember(b, "b:1", 0s);
  dialer.SetMember(b, "b:2", 0s);
  EXPECT_EQ(dialer.Due(0s, connected), (Addresses{"b:2"}));
  dialer.RemoveMember(b);
  dialer.OnFailed("b:2", 0s);
  EXPECT_EQ(dialer.Due(60s, connected), Addresses{});
}

TEST_F(DialerTest, FolderAddressesGoWhenTheFolderNoLongerShowsThem) {
  dialer.Set(Dialer::kFolder, {"x:1", "y:1"}, true, 0s);
  dialer.Set(Dialer::kFolder, {"y:1"}, true, 0s);
  EXPECT_EQ(dialer.Due(0s, connected), (Addresses{"y:1"}));
}

TEST_F(DialerTest, KnowsNoMoreAddressesThanItsLimit) {
  Addresses many;
  for (size_t i = 0; i < limits::kKnownAddresses + 50; ++i)
    many.push_back(std::to_string(i) + ":1");
  dialer.Set(Dialer::kSeed, many, false, 0s);
  EXPECT_EQ(dialer.Due(0s, connected).size(), limits::kKnownAddresses);
}

}  // namespace
}  // namespace starling
