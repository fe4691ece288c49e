// The merge rules as properties: whatever order batches arrive in, and how often, all end alike
// (I1), and counters are the sums of what was acknowledged (I2).
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/collection.h"
#include "storage/item_list.h"
#include "storage/score.h"
#include "tests/storage/merge_history.h"
#include "tests/support/seeds.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

constexpr int kNodes = MergeHistory::kNodes;

/// A seed, and whether there are large collections (indexed, not packed).
class MergeProperties : public testing::TestWithParam<std::tuple<uint64_t, bool>> {
 protected:
  uint64_t seed() const { return std::get<0>(GetParam()); }
  bool large() const { return std::get<1>(GetParam()); }
};

/// All that a node holds, as the chunks of a walk.
std::vector<DecodedBatch> WalkWhole(OneNode& from) {
  std::vector<DecodedBatch> chunks;
  WalkPosition position;
  while (!position.done) {
    ItemList items;
    from.keyspace.Walk(position, {}, 2000, [&](const Item& item) { items.Add(item); });
    chunks.push_back(*DecodedBatch::Decode(EncodeChunk(items.items(), {})));
  }
  return chunks;
}

std::vector<std::vector<Item>> ListsOf(const std::vector<DecodedBatch>& chunks) {
  std::vector<std::vector<Item>> lists;
  for (const DecodedBatch& chunk : chunks) lists.push_back(chunk.items());
  return lists;
}

void MergeState(OneNode& from, OneNode& into) {
  const std::vector<DecodedBatch> chunks = WalkWhole(from);
  into.clock.Observe(from.clock.last());
  into.keyspace.MergeAll(ListsOf(chunks));
}

std::unique_ptr<OneNode> Holding(uint64_t number, const std::vector<SharedBytes>& batches) {
  auto node = std::make_unique<OneNode>(number);
  for (const SharedBytes& batch : batches) node->Take(batch);
  return node;
}

TEST_P(MergeProperties, AnyOrderAndAnyRepetitionEndAlike) {  // I1
  MergeHistory history(seed(), large());
  history.Run(600);
  history.DeliverAll();
  history.ExpectAlike();
}

TEST_P(MergeProperties, EveryOrderThatKeepsTheStreamsEndsAlike) {  // I1
  MergeHistory history(seed(), large());
  history.Run(400);
  history.DeliverAll();
  for (uint64_t number : {8, 9}) {
    const auto fresh = Holding(number, history.InStreamOrder());
    EXPECT_EQ(WalkText(fresh->keyspace), WalkText(history.nodes()[0]->keyspace));
  }
}

TEST_P(MergeProperties, StatesMergeInAnyOrderAnyGroupingAndAnyNumberOfTimes) {  // I1
  MergeHistory history(seed(), large());
  history.Run(400);
  history.DeliverAll();
  std::vector<SharedBytes> parts[3];
  for (const SharedBytes& batch : history.batches()) {
    parts[history.random()() % 3].push_back(batch);
    if (history.random()() % 4 == 0) parts[history.random()() % 3].push_back(batch);
  }
  const auto holding = [&](uint64_t number, int part) { return Holding(number, parts[part]); };
  const auto text = WalkText(history.nodes()[0]->keyspace);
  // (x y) z
  const auto left = holding(1, 0), left_y = holding(2, 1), left_z = holding(3, 2);
  MergeState(*left_y, *left);
  MergeState(*left_z, *left);
  EXPECT_EQ(WalkText(left->keyspace), text) << "all parts make the whole";
  // x (y z)
  const auto right = holding(4, 0), right_yz = holding(5, 1);
  MergeState(*left_z, *right_yz);
  MergeState(*right_yz, *right);
  EXPECT_EQ(WalkText(right->keyspace), text) << "merging is associative";
  // (z y) x
  const auto swapped = holding(6, 2);
  MergeState(*left_y, *swapped);
  MergeState(*holding(7, 0), *swapped);
  EXPECT_EQ(WalkText(swapped->keyspace), text) << "merging is commutative";
  MergeState(*left, *left_y);
  MergeState(*left_y, *left);
  MergeState(*left_z, *left);
  EXPECT_EQ(WalkText(left->keyspace), text) << "merging is idempotent";
  EXPECT_EQ(WalkText(left_y->keyspace), text);
}

TEST_P(MergeProperties, MergingInGroupsIsMergingOneByOne) {
  MergeHistory history(seed(), large());
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
  MergeHistory history(seed(), large());
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
  const std::vector<DecodedBatch> chunks = WalkWhole(from);
  to.keyspace.ReplaceState(ListsOf(chunks), covered);
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
  MergeHistory history(seed(), large());
  history.Run(400);
  history.DeliverAll();
  const auto seen = VisibleText(*history.nodes()[0]);
  for (auto& node : history.nodes()) node->FreeAll();
  EXPECT_EQ(VisibleText(*history.nodes()[0]), seen);
  history.ExpectAlike();
  for (auto& node : history.nodes()) EXPECT_EQ(node->keyspace.tombstones(), 0u);
}

TEST_P(MergeProperties, CountersAreTheSumOfWhatWasAcknowledged) {  // I2
  std::mt19937_64 random(seed());
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

/// One way to end what a field or score was, then what it is counted from.
void Reset(OneNode& node, ElementType type, int way) {
  const KeyRef key = node.Ref("c");
  Access access = node.Lock("c");
  ScoreText text;
  switch (way) {
    case 0:
      access.RemoveElement(key, type, "m");
      break;
    case 1:
      access.Delete(key);
      break;
    case 2:
      access.AddElement(key, type, "m", ScoreValue(7, text));
      break;
    default:
      access.AddElement(key, type, "m", ScoreValue(9, text));
      access.SetDeadline(key, node.keyspace.NowMillis() + 20);
  }
}

/// Another element of the same collection.
void Fill(OneNode& node, ElementType type, int number) {
  node.Lock("c").AddElement(node.Ref("c"), type, "other-" + std::to_string(number),
                            Value::OfNumber(Number::FromInt(number)));
}

bool AddHalves(OneNode& node, ElementType type, int64_t halves) {
  const KeyRef key = node.Ref("c");
  Access access = node.Lock("c");
  return type == ElementType::kSortedSet
             ? access.IncrementScore(key, "m", static_cast<double>(halves) / 2).ok()
             : access.IncrementElementDecimal(key, type, "m", Number{halves * 5, 1}).ok();
}

TEST_P(MergeProperties, FieldsAndScoresAreTheSumOfWhatWasAcknowledged) {  // I2
  std::mt19937_64 random(seed());
  for (const ElementType type : {ElementType::kHash, ElementType::kSortedSet}) {
    std::vector<std::unique_ptr<OneNode>> nodes;
    for (uint64_t i = 1; i <= kNodes; ++i) nodes.push_back(std::make_unique<OneNode>(i));
    for (int round = 0; round < 8; ++round) {
      OneNode& resets = *nodes[random() % kNodes];
      Reset(resets, type, round % 4);
      int64_t halves = round % 4 == 2 ? 14 : 0;
      const SharedBytes reset = resets.Flush();
      for (auto& node : nodes) {
        node->Take(reset);
        node->time.Advance(100ms);
      }
      std::vector<SharedBytes> batches;
      for (int i = 0; i < 200; ++i) {
        OneNode& node = *nodes[random() % kNodes];
        const auto by = static_cast<int64_t>(random() % 100) - 50;
        if (large()) Fill(node, type, i);
        ASSERT_TRUE(AddHalves(node, type, by));
        halves += by;
        if (random() % 10 != 0) continue;
        batches.push_back(node.Flush());
        nodes[random() % kNodes]->Take(batches[random() % batches.size()]);
      }
      for (auto& node : nodes) batches.push_back(node->Flush());
      for (auto& node : nodes) {
        std::shuffle(batches.begin(), batches.end(), random);
        for (const SharedBytes& batch : batches) node->Take(batch);
        const auto value = node->Lock("c").GetElement(node->Ref("c"), type, "m");
        ASSERT_TRUE(value) << "round " << round;
        EXPECT_EQ(value->number.Normalized(), (Number{halves * 5, 1}.Normalized())) << round;
      }
    }
  }
}

TEST(Merge, LargeHistoriesEndWithLargeCollections) {
  int histories = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    MergeHistory history(seed, true);
    history.Run(600);
    history.DeliverAll();
    OneNode& node = *history.nodes()[0];
    node.database = 0;
    for (const char* key : {"h0", "s0", "z0", "l0"}) {
      const auto view = node.Lock(key).Find(node.Ref(key));
      if (!view || view->size <= 2 * Collection::kMaxPacked) continue;
      ++histories;
      break;
    }
  }
  EXPECT_GE(histories, 15);  // the others were flushed
}

INSTANTIATE_TEST_SUITE_P(Seeds, MergeProperties, testing::Combine(test::Seeds(25), testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<1>(tested.param) ? "Large" : "Small") +
                                  std::to_string(std::get<0>(tested.param));
                         });

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
