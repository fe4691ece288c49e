// Collections: sets as the first of them.
#include <gtest/gtest.h>

#include "tests/storage/one_node.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

std::string Member(int i) { return "member" + std::to_string(i); }

TEST(KeyspaceSets, AddAndRemoveSayWhetherTheyChangedAnything) {
  OneNode node;
  EXPECT_TRUE(node.Add("s", "a"));
  EXPECT_FALSE(node.Add("s", "a"));
  EXPECT_TRUE(node.Add("s", "b"));
  EXPECT_EQ(node.Type("s"), KeyType::kSet);
  EXPECT_EQ(node.Lock("s").Find(node.Ref("s"))->size, 2u);
  EXPECT_TRUE(node.Lock("s").HasElement(node.Ref("s"), ElementType::kSet, "a"));
  EXPECT_FALSE(node.Lock("s").HasElement(node.Ref("s"), ElementType::kHash, "a"));
  EXPECT_TRUE(node.Remove("s", "a"));
  EXPECT_FALSE(node.Remove("s", "a"));
  EXPECT_FALSE(node.Remove("missing", "a"));
  EXPECT_EQ(node.Members("s"), (std::set<std::string>{"b"}));
  EXPECT_TRUE(node.Add("s", "a"));
  EXPECT_EQ(node.Members("s"), (std::set<std::string>{"a", "b"}));
}

TEST(KeyspaceSets, RemovingTheLastEndsKeyAndDeadline) {
  OneNode node;
  node.Add("s", "a");
  node.Expire("s", 1h);
  EXPECT_TRUE(node.Remove("s", "a"));
  EXPECT_EQ(node.Type("s"), KeyType::kNone);
  EXPECT_EQ(node.Size(), 0u);
  EXPECT_EQ(node.keyspace.SizeWithDeadline(0), 0u);
  node.Add("s", "b");
  EXPECT_FALSE(node.Deadline("s"));
  EXPECT_EQ(node.Size(), 1u);
}

TEST(KeyspaceSets, MembersOfAnyBytesAndLengths) {
  OneNode node;
  const std::string nul("a\0b", 3);
  std::set<std::string> all = {"", nul, std::string(1025, 'x'), std::string(3000, 'y'),
                               std::string(100'000, 'z')};
  for (const std::string& member : all) EXPECT_TRUE(node.Add("s", member));
  EXPECT_EQ(node.Members("s"), all);
  for (const std::string& member : all) EXPECT_TRUE(node.Remove("s", member));
  EXPECT_EQ(node.Size(), 0u);
}

TEST(KeyspaceSets, DeletingThemWholeGivesTheirMemoryBackInSlices) {
  OneNode node;
  const size_t empty = node.keyspace.memory_bytes();
  for (int i = 0; i < 20'000; ++i) node.Add("s", Member(i));
  const size_t full = node.keyspace.memory_bytes();
  EXPECT_GT(full, empty + 20'000 * 24);
  EXPECT_TRUE(node.Delete("s"));
  EXPECT_TRUE(node.Members("s").empty());
  node.Add("s", "new");
  int slices = 0;
  while (node.keyspace.FreeDropped(1000) > 0) ++slices;
  EXPECT_GT(slices, 10);
  EXPECT_LT(node.keyspace.memory_bytes(), empty + (full - empty) / 5);
  EXPECT_EQ(node.Members("s"), (std::set<std::string>{"new"}));
}

TEST(KeyspaceSets, CountTheMemoryOfTheirPayloadsAndIndexes) {
  OneNode node;
  const size_t empty = node.keyspace.memory_bytes();
  const std::string payload(5000, 'p');
  for (int i = 0; i < 200; ++i) {
    node.Lock("h").AddElement(node.Ref("h"), ElementType::kHash, Member(i), Value::Bytes(payload));
  }
  EXPECT_GT(node.keyspace.memory_bytes(), empty + 200 * 5000);
  EXPECT_GT(*node.Lock("h").MemoryUsage(node.Ref("h")), size_t{200 * 5000});
  node.Delete("h");
  while (node.keyspace.FreeDropped(1000) > 0) {
  }
  node.FreeAll();
  EXPECT_LT(node.keyspace.memory_bytes(), empty + 100'000);
}

TEST(KeyspaceSets, RemovedMembersAreFreedWhenStable) {  // I9
  OneNode node;
  for (int i = 0; i < 1000; ++i) node.Add("s", Member(i));
  for (int i = 0; i < 1000; ++i) node.Remove("s", Member(i));
  EXPECT_EQ(node.keyspace.tombstones(), 1000u);
  EXPECT_EQ(node.FreeAll(), 1000u);
  EXPECT_EQ(node.keyspace.tombstones(), 0u);
  EXPECT_TRUE(WalkText(node.keyspace).empty());
}

TEST(KeyspaceSets, FreeingTouchesOnlyTheTombstoneItself) {
  OneNode a(1), b(2);
  // Two origins, one stamp: the tombstone of one must not stand for the other's.
  std::vector<Item> items;
  for (uint64_t node : {1, 2}) {
    Item item;
    item.part = Part::kElement;
    item.element_type = ElementType::kSet;
    item.key = "s";
    item.element = node == 1 ? "first" : "second";
    item.origin = OriginOf(node);
    item.stamp = Stamp::FirstOf(1'600'000'000'000);
    item.removed = true;
    items.push_back(item);
  }
  a.keyspace.Merge(items);
  Keyspace::Stability stability;
  stability.passed = Stamp{UINT64_MAX};
  stability.covered.Set(OriginOf(2), Stamp{UINT64_MAX});
  a.keyspace.FreeStable(stability, 100);
  const std::multiset<std::string> left = WalkText(a.keyspace);
  for (const std::string& line : left) EXPECT_EQ(line.find("second"), std::string::npos) << line;
  stability.covered.Set(OriginOf(1), Stamp{UINT64_MAX});
  stability.covered.Set(OriginOf(2), Stamp{});
  b.keyspace.Merge(items);
  b.keyspace.FreeStable(stability, 100);
  ASSERT_EQ(WalkText(b.keyspace).size(), 1u);
  EXPECT_NE(WalkText(b.keyspace).begin()->find("second"), std::string::npos);
}

TEST(KeyspaceSets, ScanMeetsEveryMemberThatStays) {
  OneNode node;
  for (int i = 0; i < 1000; ++i) node.Add("s", Member(i));
  for (const bool growing : {true, false}) {
    std::set<std::string> seen;
    uint64_t cursor = 0;
    int step = 0;
    do {
      cursor =
          node.Lock("s").ScanElements(node.Ref("s"), ElementType::kSet, cursor, 10,
                                      [&](std::string_view id, const Value&) { seen.emplace(id); });
      for (int i = 0; i < 40; ++i, ++step) {
        if (growing) {
          node.Add("s", "other" + std::to_string(step));
        } else {
          node.Remove("s", "other" + std::to_string(step));
          node.FreeAll();
        }
      }
    } while (cursor != 0);
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.contains(Member(i))) << i;
  }
}

TEST(KeyspaceSets, RandomMembersAreDrawnFairly) {
  OneNode node;
  std::mt19937_64 random(7);
  for (const int members : {3, 100}) {
    for (int i = 0; i < members; ++i) node.Add("s", Member(i));
    std::map<std::string, int> drawn;
    for (int i = 0; i < members * 200; ++i) {
      Access access = node.Lock("s");
      ++drawn[std::string(access.RandomElement(node.Ref("s"), ElementType::kSet, random))];
    }
    EXPECT_EQ(drawn.size(), static_cast<size_t>(members));
    for (const auto& [member, count] : drawn) {
      EXPECT_GT(count, 100) << member;
      EXPECT_LT(count, 320) << member;
    }
  }
}

TEST(KeyspaceSets, RandomMembersAreDrawnFairlyFromAmongManyRemoved) {
  OneNode node;
  std::mt19937_64 random(7);
  for (int i = 0; i < 5000; ++i) node.Add("s", Member(i));
  int left = 5000;
  for (const int members : {50, 5}) {
    while (left > members) {
      node.Lock("s").RemoveElement(node.Ref("s"), ElementType::kSet, Member(--left));
    }
    std::map<std::string, int> drawn;
    for (int i = 0; i < members * 200; ++i) {
      Access access = node.Lock("s");
      ++drawn[std::string(access.RandomElement(node.Ref("s"), ElementType::kSet, random))];
    }
    EXPECT_EQ(drawn.size(), static_cast<size_t>(members));
    for (const auto& [member, count] : drawn) {
      EXPECT_GT(count, 100) << member;
      EXPECT_LT(count, 320) << member;
    }
  }
}

TEST(KeyspaceSets, TwoNodesCanCreateOneAtOnce) {
  OneNode a(1), b(2);
  a.Add("s", "from a");
  b.Add("s", "from b");
  const SharedBytes from_a = a.Flush();
  a.Take(b.Flush());
  b.Take(from_a);
  EXPECT_EQ(a.Members("s"), (std::set<std::string>{"from a", "from b"}));
  EXPECT_EQ(b.Members("s"), a.Members("s"));
}

TEST(KeyspaceSets, DeleteThenAddInOneTransactionCounts) {  // counterexample 12
  OneNode a(1), b(2);
  a.Add("h", "old");
  b.Take(a.Flush());
  {
    Access access = a.Lock("h");
    access.Delete(a.Ref("h"));
    access.AddElement(a.Ref("h"), ElementType::kSet, "new");
  }
  b.Take(a.Flush());
  EXPECT_EQ(b.Members("h"), (std::set<std::string>{"new"}));
}

TEST(KeyspaceSets, MembersAddedUnderOneLockHaveStampsOfTheirOwn) {  // counterexample 13
  OneNode node;
  {
    Access access = node.Lock("l");
    access.AddElement(node.Ref("l"), ElementType::kSet, "a");
    access.AddElement(node.Ref("l"), ElementType::kSet, "b");
  }
  const Result<DecodedBatch> batch = DecodedBatch::Decode(*node.Flush());
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->items().size(), 2u);
  EXPECT_NE(batch->items()[0].stamp, batch->items()[1].stamp);
}

TEST(KeyspaceElements, NumericPayloadsAddUpFromBothSides) {  // counterexample 26: HINCRBY
  OneNode a(1), b(2);
  a.Lock("h").AddElement(a.Ref("h"), ElementType::kHash, "f", Value::FromText("10"));
  b.Take(a.Flush());
  std::vector<Item> items;
  for (uint64_t node : {1, 2}) {
    Item item;
    item.part = Part::kElementSlot;
    item.element_type = ElementType::kHash;
    item.key = "h";
    item.element = "f";
    item.origin = OriginOf(node);
    item.at = item.stamp = node == 1 ? a.clock.Draw() : b.clock.Draw();
    item.value = Value::OfNumber(Number::FromInt(static_cast<int64_t>(node)));
    items.push_back(item);
  }
  a.keyspace.Merge(items);
  std::swap(items[0], items[1]);
  b.keyspace.Merge(items);
  for (OneNode* node : {&a, &b}) {
    const auto value = node->Lock("h").GetElement(node->Ref("h"), ElementType::kHash, "f");
    ASSERT_TRUE(value);
    EXPECT_EQ(value->number.ClampedInt64(), 13);
  }
}

TEST(KeyspaceElements, AnElementWithoutPayloadIsThereAllTheSame) {
  OneNode node;
  Item item;
  item.part = Part::kElement;
  item.element_type = ElementType::kSet;
  item.key = "s";
  item.element = "a";
  item.origin = OriginOf(2);
  item.stamp = Stamp::FirstOf(1'600'000'000'000);
  node.keyspace.Merge(std::span(&item, 1));
  EXPECT_EQ(node.Members("s"), (std::set<std::string>{"a"}));
}

TEST(KeyspaceElements, WhereTypesMeetTheLatestLiveItemShowsOnEveryNode) {
  OneNode a(1), b(2), late(3);
  a.Add("k", "old member");
  a.time.Advance(10ms);
  b.time.Advance(20ms);
  a.Add("k", "gone");
  b.Lock("k").AddElement(b.Ref("k"), ElementType::kHash, "field", Value::Bytes("v"));
  b.time.Advance(10ms);
  const SharedBytes from_a = a.Flush();
  a.Take(b.Flush());
  b.Take(from_a);
  EXPECT_EQ(a.Type("k"), KeyType::kHash);
  // Removing a member is the newest thing that happened, but a removed member is not live.
  a.time.Advance(50ms);
  {
    Access access = a.Lock("k");
    Item item;
    item.part = Part::kElement;
    item.element_type = ElementType::kSet;
    item.key = "k";
    item.element = "gone";
    item.removed = true;
    item.origin = OriginOf(4);
    item.stamp = a.clock.Draw();
  }
  Item removal;
  removal.part = Part::kElement;
  removal.element_type = ElementType::kSet;
  removal.key = "k";
  removal.element = "gone";
  removal.removed = true;
  removal.origin = OriginOf(4);
  removal.stamp = a.clock.Draw();
  a.keyspace.Merge(std::span(&removal, 1));
  b.keyspace.Merge(std::span(&removal, 1));
  EXPECT_EQ(a.Type("k"), KeyType::kHash);
  a.FreeAll();
  std::vector<std::string> chunks;
  WalkPosition position;
  a.keyspace.Walk(position, {}, SIZE_MAX,
                  [&](const Item& item) { late.keyspace.Merge(std::span(&item, 1)); });
  EXPECT_EQ(VisibleText(a), VisibleText(b));
  EXPECT_EQ(VisibleText(a), VisibleText(late));
}

TEST(KeyspaceElements, ASetUnderALaterStringIsGone) {
  OneNode a(1), b(2);
  a.Add("k", "m");
  const SharedBytes set = a.Flush();
  b.time.Advance(10ms);
  b.Set("k", "text");
  b.Take(set);
  a.Take(b.Flush());
  EXPECT_EQ(a.Get("k"), "text");
  EXPECT_EQ(b.Get("k"), "text");
  b.Delete("k");
  EXPECT_EQ(b.Type("k"), KeyType::kNone);
}

}  // namespace
}  // namespace starling
