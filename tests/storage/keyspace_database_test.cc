// Whole databases: counts, scans, random keys, flushing; generations of writes.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/storage/one_node.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

std::string Key(int i) { return "key" + std::to_string(i); }

TEST(KeyspaceDatabases, AreSixteenKeyspacesOfTheirOwn) {
  OneNode node;
  for (uint8_t database = 0; database < kDatabases; ++database) {
    node.database = database;
    node.Set("k", std::to_string(database));
    for (int i = 0; i < database; ++i) node.Add("s" + std::to_string(i), "m");
  }
  for (uint8_t database = 0; database < kDatabases; ++database) {
    node.database = database;
    EXPECT_EQ(node.Get("k"), std::to_string(database));
    EXPECT_EQ(node.Size(), database + 1u);
    EXPECT_EQ(node.Keys().size(), database + 1u);
  }
  node.keyspace.FlushDatabase(3);
  for (uint8_t database = 0; database < kDatabases; ++database) {
    node.database = database;
    EXPECT_EQ(node.Size(), database == 3 ? 0 : database + 1u);
  }
}

TEST(KeyspaceDatabases, FlushDeletesOnEveryNodeWhatCameBefore) {
  OneNode a(1), b(2);
  for (int i = 0; i < 500; ++i) a.Set(Key(i), "v");
  for (int i = 0; i < 50; ++i) a.Add("set", Key(i));
  b.Take(a.Flush());
  b.Set("mine", "v");
  const SharedBytes late = b.Flush();
  a.time.Advance(10ms);
  a.keyspace.FlushDatabase(0);
  EXPECT_EQ(a.Size(), 0u);
  EXPECT_TRUE(a.Keys().empty());
  a.Set("after", "v");
  a.Take(late);
  b.Take(a.Flush());
  EXPECT_EQ(a.Keys(), (std::set<std::string>{"after"}));
  EXPECT_EQ(b.Keys(), (std::set<std::string>{"after"}));
  EXPECT_EQ(a.Size(), 1u);
  EXPECT_EQ(b.Size(), 1u);
  EXPECT_EQ(WalkText(a.keyspace), WalkText(b.keyspace));
}

TEST(KeyspaceDatabases, KeysWrittenAgainAfterAFlushCount) {
  OneNode a(1), b(2);
  for (int i = 0; i < 100; ++i) {
    a.Set(Key(i), "v");
    a.Expire(Key(i), 1h);
  }
  b.Take(a.Flush());
  a.keyspace.FlushDatabase(0);
  // b meets the cut and the new values before it has come to free the old ones.
  for (int i = 0; i < 100; ++i) a.Set(Key(i), "w");
  b.Take(a.Flush());
  for (OneNode* node : {&a, &b}) {
    EXPECT_EQ(node->Size(), 100u);
    EXPECT_EQ(node->keyspace.SizeWithDeadline(0), 0u);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(node->Delete(Key(i)));
    EXPECT_EQ(node->Size(), 0u);
  }
}

TEST(KeyspaceDatabases, FlushLeavesNoTombstoneOfAKey) {  // I9
  OneNode a(1), b(2);
  a.Set("k", "v");
  a.Delete("k");
  a.Add("s", "m");
  a.Add("s", "n");
  a.Remove("s", "m");
  const SharedBytes old = a.Flush();
  a.keyspace.FlushDatabase(0);
  b.Take(a.Flush());
  b.Take(old);
  EXPECT_EQ(WalkText(a.keyspace).size(), 1u);  // the database's cut
  EXPECT_EQ(WalkText(a.keyspace), WalkText(b.keyspace));
}

TEST(KeyspaceDatabases, ScanMeetsEveryKeyThatStaysWhileTheTableGrowsAndShrinks) {
  OneNode node(1, 2);
  for (int i = 0; i < 2000; ++i) node.Set(Key(i), "v");
  int others = 0;
  for (const bool growing : {true, false}) {
    std::set<std::string> seen;
    uint64_t cursor = 0;
    do {
      cursor = node.keyspace.Scan(0, cursor, 10,
                                  [&](std::string_view key, const KeyView&) { seen.emplace(key); });
      for (int i = 0; i < 50; ++i) {
        if (growing) {
          node.Set("other" + std::to_string(others++), "v");
        } else if (others > 0) {
          node.Delete("other" + std::to_string(--others));
          node.FreeAll();
        }
      }
    } while (cursor != 0);
    for (int i = 0; i < 2000; ++i) EXPECT_TRUE(seen.contains(Key(i))) << i;
  }
}

TEST(KeyspaceDatabases, ScanTakesAnyCursorAndCount) {
  OneNode node;
  for (int i = 0; i < 100; ++i) node.Set(Key(i), "v");
  const auto nothing = [](std::string_view, const KeyView&) {};
  for (const uint64_t cursor : {uint64_t{1}, uint64_t{12345}, uint64_t{3} << 32, UINT64_MAX}) {
    node.keyspace.Scan(0, cursor, 1, nothing);
  }
  EXPECT_NE(node.keyspace.Scan(0, 0, 0, nothing), 0u);  // a count of nothing still goes on
}

TEST(KeyspaceDatabases, RandomKeysAreThereAndSpread) {
  OneNode node;
  std::mt19937_64 random(3);
  EXPECT_FALSE(node.keyspace.RandomKey(0, random));
  for (int i = 0; i < 50; ++i) node.Set(Key(i), "v");
  for (int i = 0; i < 200; ++i) {
    node.Set("expired" + std::to_string(i), "v");
    node.Expire("expired" + std::to_string(i), 1ms);
  }
  node.time.Advance(10ms);
  std::set<std::string> drawn;
  for (int i = 0; i < 2000; ++i) {
    const std::optional<std::string> key = node.keyspace.RandomKey(0, random);
    ASSERT_TRUE(key);
    ASSERT_TRUE(key->starts_with("key"));
    drawn.insert(*key);
  }
  EXPECT_EQ(drawn.size(), 50u);
}

TEST(KeyspaceGenerations, KeepTheValuesOfTheMomentTheyWereClosed) {  // counterexample 9
  OneNode node;
  ASSERT_TRUE(node.Increment("c", 1));
  std::unique_ptr<Generation> first = node.keyspace.CloseGeneration();
  ASSERT_TRUE(node.Increment("c", 1));
  std::vector<Item> items;
  for (const PendingBuffer& buffer : first->buffers) buffer.AppendTo(items, first->origin);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_LE(items[0].stamp, first->upto);
  EXPECT_EQ(items[0].value.number.ClampedInt64(), 1);
  node.keyspace.Recycle(std::move(first));
  const Result<DecodedBatch> second = DecodedBatch::Decode(*node.Flush());
  ASSERT_EQ(second->items().size(), 1u);
  EXPECT_EQ(second->items()[0].value.number.ClampedInt64(), 2);
}

TEST(KeyspaceGenerations, HoldOneItemForACounterThatMovedOften) {
  OneNode node;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(node.Increment("c"));
  for (int i = 0; i < 100; ++i) node.Set(Key(i % 20), std::string(i, 'v'));
  const Result<DecodedBatch> batch = DecodedBatch::Decode(*node.Flush());
  EXPECT_EQ(batch->items().size(), 21u);
  OneNode other(2);
  other.keyspace.Merge(batch->items());
  EXPECT_EQ(VisibleText(other), VisibleText(node));
}

TEST(KeyspaceGenerations, HoldWhatWasWrittenHereThoughAPeersItemCameBetween) {  // 11
  OneNode a(1), b(2), c(3);
  b.time.Advance(1s);
  {
    const KeyRef keys[] = {a.Ref("p"), a.Ref("q")};
    Access access = a.keyspace.Lock(keys);
    access.SetString(keys[0], "a");
    access.SetString(keys[1], "a");
  }
  b.Set("q", "later");
  a.Take(b.Flush());
  EXPECT_EQ(a.Get("q"), "later");
  c.Take(a.Flush());
  EXPECT_EQ(c.Get("p"), "a");
  EXPECT_EQ(c.Get("q"), "a");  // c has not heard of b
}

TEST(KeyspaceGenerations, NeverSplitATransaction) {  // counterexample 10, I6
  OneNode node(1, 16);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 1; !stop; ++i) {
      const KeyRef keys[] = {node.Ref("p"), node.Ref("q"), node.Ref("r")};
      Access access = node.keyspace.Lock(keys);
      for (const KeyRef& key : keys) access.SetString(key, std::to_string(i));
    }
  });
  OneNode peer(2);
  for (int i = 0; i < 300; ++i) {
    peer.Take(node.Flush());
    EXPECT_EQ(peer.Get("p"), peer.Get("q"));
    EXPECT_EQ(peer.Get("q"), peer.Get("r"));
  }
  stop = true;
  writer.join();
}

TEST(KeyspaceThreads, ScansWalksFlushesAndWritesGoTogether) {
  OneNode node(1, 4);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::string key = Key(i % 500);
        const KeyRef ref = node.keyspace.Ref(0, key);
        Access access = node.keyspace.Lock(ref);
        switch ((i + t) % 5) {
          case 0:
            access.SetString(ref, std::string(i % 3000, 'v'));
            break;
          case 1:
            access.Delete(ref);
            break;
          case 2:
            access.AddElement(ref, ElementType::kSet, Key(i % 50));
            break;
          case 3:
            access.SetDeadline(ref, node.keyspace.NowMillis() + 1);
            break;
          default:
            (void)access.Increment(ref, 1);
        }
      }
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(1);
    while (!stop) {
      node.keyspace.Prefetch(node.keyspace.Ref(0, Key(1)));
      node.keyspace.RandomKey(0, random);
      WalkText(node.keyspace);
      node.Size();
      node.keyspace.memory_bytes();
    }
  });
  for (int i = 0; i < 60; ++i) {
    node.Flush();
    node.time.Advance(5ms);
    node.keyspace.DeleteExpired(100, 1ms);
    node.FreeAll();
    node.keyspace.FreeDropped(100);
    node.Keys();
    if (i % 20 == 0) node.keyspace.FlushDatabase(0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  node.keyspace.FlushDatabase(0);
  EXPECT_EQ(node.Size(), 0u);
}

}  // namespace
}  // namespace starling
