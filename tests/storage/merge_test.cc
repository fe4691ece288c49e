// The merge rules as properties: whatever order batches arrive in, and how often, all end alike
// (I1), and counters are the sums of what was acknowledged (I2).
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/item_list.h"
#include "tests/storage/merge_history.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

constexpr int kNodes = MergeHistory::kNodes;

class MergeProperties : public testing::TestWithParam<uint64_t> {};

TEST_P(MergeProperties, AnyOrderAndAnyRepetitionEndAlike) {  // I1
  MergeHistory history(GetParam());
  history.Run(600);
  history.DeliverAll();
  history.ExpectAlike();
}

TEST_P(MergeProperties, MergingInGroupsIsMergingOneByOne) {
  MergeHistory history(GetParam());
  history.Run(300);
  history.DeliverAll();
  // All items at once, as a walk brings them, in batch order and backwards.
  for (const bool backwards : {false, true}) {
    OneNode fresh(8);
    fresh.clock.Observe(history.nodes()[0]->clock.last());
    std::vector<DecodedBatch> decoded;
    std::vector<std::vector<Item>> lists;
    for (const SharedBytes& batch : history.batches()) {
      decoded.push_back(*DecodedBatch::Decode(*batch));
      lists.push_back(decoded.back().items());
    }
    if (backwards) std::reverse(lists.begin(), lists.end());
    fresh.keyspace.MergeAll(lists);
    EXPECT_EQ(WalkText(fresh.keyspace), WalkText(history.nodes()[0]->keyspace));
  }
}

TEST_P(MergeProperties, AWalkOfTheWholeStateIsTheState) {
  MergeHistory history(GetParam());
  history.Run(400);
  history.DeliverAll();
  OneNode& from = *history.nodes()[0];
  OneNode to(8);
  to.clock.Observe(from.clock.last());
  to.Set("lost", "v");  // covered by the sender's vector and absent there
  to.Add("k1", "kept");
  VersionVector covered;
  covered.Set(OriginOf(8), to.clock.last());
  to.Add("k2", "kept");
  std::vector<DecodedBatch> chunks;
  WalkPosition position;
  while (!position.done) {
    ItemList items;
    from.keyspace.Walk(position, {}, 2000, [&](const Item& item) { items.Add(item); });
    chunks.push_back(*DecodedBatch::Decode(EncodeChunk(items.items(), {})));
  }
  std::vector<std::vector<Item>> lists;
  for (const DecodedBatch& chunk : chunks) lists.push_back(chunk.items());
  to.keyspace.ReplaceState(lists, covered);
  EXPECT_FALSE(to.Get("lost"));
  std::multiset<std::string> expected = WalkText(from.keyspace);
  std::multiset<std::string> reached = WalkText(to.keyspace);
  EXPECT_EQ(
      std::erase_if(reached,
                    [](const std::string& line) { return line.find(" k2 1:kept") != line.npos; }),
      1u);
  EXPECT_EQ(reached, expected);
}

TEST_P(MergeProperties, FreeingWhatIsStableChangesNothingThatIsSeen) {  // I8
  MergeHistory history(GetParam());
  history.Run(400);
  history.DeliverAll();
  const auto seen = VisibleText(*history.nodes()[0]);
  for (auto& node : history.nodes()) node->FreeAll();
  EXPECT_EQ(VisibleText(*history.nodes()[0]), seen);
  history.ExpectAlike();
  for (auto& node : history.nodes()) EXPECT_EQ(node->keyspace.tombstones(), 0u);
}

TEST_P(MergeProperties, CountersAreTheSumOfWhatWasAcknowledged) {  // I2
  std::mt19937_64 random(GetParam());
  std::vector<std::unique_ptr<OneNode>> nodes;
  std::vector<SharedBytes> batches;
  for (uint64_t i = 1; i <= kNodes; ++i) nodes.push_back(std::make_unique<OneNode>(i));
  // Resets that everybody has seen, then concurrent increments.
  for (int round = 0; round < 5; ++round) {
    OneNode& resets = *nodes[random() % kNodes];
    if (round % 3 == 0) resets.Delete("c");
    if (round % 3 == 1) resets.Set("c", "0");
    if (round % 3 == 2) {
      resets.Set("c", "9");
      resets.Expire("c", 20ms);
    }
    const SharedBytes reset = resets.Flush();
    for (auto& node : nodes) {
      node->Take(reset);
      node->time.Advance(100ms);
    }
    int64_t sum = 0;
    batches.clear();
    for (int i = 0; i < 200; ++i) {
      OneNode& node = *nodes[random() % kNodes];
      const auto by = static_cast<int64_t>(random() % 100) - 50;
      ASSERT_TRUE(node.Increment("c", by));
      sum += by;
      if (random() % 10 == 0) batches.push_back(node.Flush());
      if (random() % 10 == 0 && !batches.empty()) {
        nodes[random() % kNodes]->Take(batches[random() % batches.size()]);
      }
    }
    for (auto& node : nodes) batches.push_back(node->Flush());
    for (auto& node : nodes) {
      std::shuffle(batches.begin(), batches.end(), random);
      for (const SharedBytes& batch : batches) node->Take(batch);
      EXPECT_EQ(node->Get("c"), std::to_string(sum)) << "round " << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MergeProperties, testing::Range<uint64_t>(1, 41));

TEST(Merge, CutsOfOneStampAreOneAndTheLaterItemStandsForThem) {  // counterexample 4
  for (const bool other_first : {false, true}) {
    OneNode node(9);
    std::vector<Item> cuts;
    for (uint64_t origin : {1, 2}) {
      Item cut;
      cut.part = Part::kCut;
      cut.key = "k";
      cut.origin = OriginOf(origin);
      cut.at = Stamp::LastOf(1000);
      cut.stamp = Stamp::FirstOf(2000 + static_cast<int64_t>(origin));
      cuts.push_back(cut);
    }
    if (other_first) std::swap(cuts[0], cuts[1]);
    node.keyspace.Merge(cuts);
    const auto lines = WalkText(node.keyspace);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines.begin()->find("0000000000000002.1@"), std::string::npos);
  }
}

TEST(Merge, DatabaseCutsOfOneStampEndAlike) {
  std::multiset<std::string> reached;
  for (const bool other_first : {false, true}) {
    OneNode node(9);
    std::vector<Item> cuts;
    for (uint64_t origin : {1, 2}) {
      Item cut;
      cut.part = Part::kDatabaseCut;
      cut.origin = OriginOf(origin);
      cut.at = cut.stamp = Stamp::FirstOf(2000);
      cuts.push_back(cut);
    }
    if (other_first) std::swap(cuts[0], cuts[1]);
    node.keyspace.Merge(cuts);
    if (other_first) {
      EXPECT_EQ(WalkText(node.keyspace), reached);
    } else {
      reached = WalkText(node.keyspace);
    }
  }
}

TEST(Merge, AnUnflushedWriteOfAMemberKeepsItsTombstoneFromBeingFreed) {  // counterexample 14
  OneNode a(1), b(2);
  a.Add("h", "f");  // not flushed
  b.clock.Observe(a.clock.last());
  b.Add("h", "g");
  b.Delete("h");
  a.Take(b.Flush());  // a has acknowledged b's stream, but its own has not passed the cut
  Keyspace::Stability stability;
  stability.covered.Set(OriginOf(2), b.flushed);
  stability.passed = Stamp{a.clock.last().value - 10};
  EXPECT_EQ(b.keyspace.FreeStable(stability, 100), 0u);
  b.Take(a.Flush());
  EXPECT_EQ(WalkText(a.keyspace), WalkText(b.keyspace));
  EXPECT_EQ(a.Type("h"), KeyType::kNone);
  stability.passed = a.flushed;
  EXPECT_GT(b.keyspace.FreeStable(stability, 100), 0u);
  EXPECT_TRUE(b.keyspace.floor().Covers(OriginOf(2), Stamp{1}));
}

TEST(Merge, TombstonesThatWereReplacedDoNotPileUp) {  // I9
  OneNode node;
  for (int i = 0; i < 50'000; ++i) {
    node.Set("queue", "job");
    node.Delete("queue");
    node.Add("set", "m");
    node.Remove("set", "m");
  }
  EXPECT_LT(node.keyspace.tombstones(), 40'000u);  // four shards of a few thousand
  node.FreeAll();
  EXPECT_EQ(node.keyspace.tombstones(), 0u);
  EXPECT_TRUE(WalkText(node.keyspace).empty());
}

TEST(Merge, AnOriginThatLagsHoldsUpNoOthersTombstones) {
  OneNode node;
  std::vector<Item> removals;
  for (uint64_t origin : {2, 3}) {
    Item item;
    item.part = Part::kCut;
    item.key = origin == 2 ? "k2" : "k3";
    item.origin = OriginOf(origin);
    item.at = item.stamp = Stamp::FirstOf(1000);
    removals.push_back(item);
  }
  node.keyspace.Merge(removals);
  Keyspace::Stability stability;
  stability.passed = Stamp{UINT64_MAX};
  stability.covered.Set(OriginOf(3), Stamp{UINT64_MAX});
  EXPECT_EQ(node.keyspace.FreeStable(stability, 100), 1u);
  EXPECT_EQ(node.keyspace.tombstones(), 1u);
}

// Simulated seed 14: nobody else knew of it any more, so no stream moved to make it stable.
TEST(Merge, ATombstoneThatWasReplacedWaitsForNobody) {
  OneNode node;
  node.Add("set", "m");
  node.Remove("set", "m");
  node.Add("set", "m");
  EXPECT_EQ(node.keyspace.tombstones(), 1u);
  EXPECT_EQ(node.keyspace.FreeStable({}, 100), 0u);
  EXPECT_EQ(node.keyspace.tombstones(), 0u);
  EXPECT_TRUE(node.keyspace.floor().empty());
}

TEST(Merge, TheFloorIsWhatWasFreed) {
  OneNode node;
  node.Set("k", "v");
  node.Delete("k");
  const Stamp cut = node.clock.last();
  EXPECT_TRUE(node.keyspace.floor().empty());
  node.FreeAll();
  EXPECT_EQ(node.keyspace.floor().Get(OriginOf(1)), cut);
}

TEST(Merge, AWalkLeavesOutWhatTheOtherHolds) {
  OneNode node;
  node.Set("old", "v");
  VersionVector covered;
  covered.Set(OriginOf(1), node.clock.last());
  node.Set("new", "v");
  const auto lines = WalkText(node.keyspace, covered);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines.begin()->find(" new "), std::string::npos);
}

}  // namespace
}  // namespace starling
