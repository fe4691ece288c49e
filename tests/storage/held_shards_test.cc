#include "storage/held_shards.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/watch.h"
#include "tests/storage/one_node.h"

namespace starling {
namespace {

TEST(HeldShards, LetTheirThreadDoAllThatItCouldWithoutThem) {
  OneNode node;
  HeldShards held(node.keyspace);
  node.Set("a", "1");
  node.Set("b", "2");
  EXPECT_EQ(node.Keys(), (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(node.Size(), 2U);
  node.keyspace.FlushDatabase(0);
  EXPECT_EQ(node.Size(), 0U);
  const HeldShards again(node.keyspace);  // a script within a transaction
  node.Set("a", "3");
  EXPECT_EQ(node.Get("a"), "3");
}

TEST(HeldShards, KeepOtherThreadsOutUntilTheyAreLetGo) {
  OneNode node;
  std::atomic<bool> seen = false;
  const KeyRef keys[] = {node.Ref("a"), node.Ref("b")};
  std::thread other;
  {
    HeldShards held(node.keyspace, keys);
    node.Set("a", "1");
    other = std::thread([&] {
      // Whoever sees the first write sees the second.
      Access access = node.keyspace.Lock(keys);
      seen = access.Exists(keys[0]) && access.Exists(keys[1]);
    });
    node.Set("b", "1");
    held.Release();
    held.Release();
  }
  other.join();
  EXPECT_TRUE(seen);
}

TEST(HeldShards, MakeOneGenerationOfAllTheirWrites) {
  OneNode node;
  std::atomic<bool> whole = true;
  std::atomic<bool> stop = false;
  std::thread flusher([&] {
    while (!stop) {
      std::unique_ptr<Generation> generation = node.keyspace.CloseGeneration();
      std::vector<Item> items;
      for (const PendingBuffer& buffer : generation->buffers) {
        buffer.AppendTo(items, generation->origin);
      }
      if (items.size() % 3 != 0) whole = false;
      node.keyspace.Recycle(std::move(generation));
    }
  });
  const KeyRef keys[] = {node.Ref("a"), node.Ref("b"), node.Ref("c")};
  for (int i = 0; i < 2000; ++i) {
    const HeldShards held(node.keyspace, keys);
    for (const char* key : {"a", "b", "c"}) node.Set(key, std::to_string(i));
  }
  stop = true;
  flusher.join();
  EXPECT_TRUE(whole);
}

TEST(HeldShards, LetTimeStandStill) {
  OneNode node;
  node.Set("k", "5");
  node.Expire("k", std::chrono::milliseconds(10));
  {
    const HeldShards held(node.keyspace);
    node.time.Advance(std::chrono::milliseconds(50));
    EXPECT_EQ(node.Get("k"), "5");
    EXPECT_EQ(node.Keys(), std::set<std::string>{"k"});
    // Written after its deadline, it goes whole all the same: nothing without an expiry is left.
    EXPECT_EQ(*node.Increment("k"), 6);
    EXPECT_EQ(node.Get("k"), "6");
  }
  node.time.Advance(std::chrono::seconds(2));
  EXPECT_EQ(node.Get("k"), std::nullopt);
  EXPECT_EQ(node.keyspace.DeleteExpired(10, std::chrono::milliseconds(0)), 1U);
  EXPECT_EQ(node.Get("k"), std::nullopt);
  EXPECT_EQ(*node.Increment("k"), 1);
}

TEST(HeldShards, LeaveNoPartOfAKeyThatOutlivedItsDeadlineOnOtherNodes) {
  OneNode a(1);
  OneNode b(2);
  a.Set("k", "5");
  a.Expire("k", std::chrono::milliseconds(10));
  b.Take(a.Flush());
  {
    const HeldShards held(a.keyspace);
    a.time.Advance(std::chrono::milliseconds(50));
    a.Increment("k").value();
  }
  b.time.Advance(std::chrono::milliseconds(60));
  b.keyspace.DeleteExpired(10, std::chrono::milliseconds(0));
  a.time.Advance(std::chrono::milliseconds(10));
  a.keyspace.DeleteExpired(10, std::chrono::milliseconds(0));
  const SharedBytes from_a = a.Flush();
  const SharedBytes from_b = b.Flush();
  a.Take(from_b);
  b.Take(from_a);
  b.time.Advance(std::chrono::milliseconds(10));
  EXPECT_EQ(a.Get("k"), std::nullopt);
  EXPECT_EQ(b.Get("k"), std::nullopt);
}

TEST(Watches, AreForgottenWithTheirClient) {
  OneNode node;
  {
    Watches watches(node.keyspace);
    watches.Add(node.Ref("k"));
    watches.Add(node.Ref("k"));
    EXPECT_GT(watches.bytes(), 0U);
  }
  node.Set("k", "1");
  Watches watches(node.keyspace);
  watches.Add(node.Ref("k"));
  EXPECT_TRUE(watches.Unchanged());
  node.Set("k", "2");
  EXPECT_TRUE(watches.touched());
  EXPECT_FALSE(watches.Unchanged());
  watches.Clear();
  EXPECT_TRUE(watches.Unchanged());
  EXPECT_EQ(watches.bytes(), 0U);
}

TEST(Watches, NoticeThatTheWholeStateWasReplaced) {
  OneNode node;
  node.Set("k", "1");
  Watches watches(node.keyspace);
  watches.Add(node.Ref("k"));
  node.keyspace.ReplaceState({}, {});
  EXPECT_FALSE(watches.Unchanged());
}

TEST(Watches, OfOneClientDoNotTouchAnothers) {
  OneNode node;
  Watches one(node.keyspace);
  Watches other(node.keyspace);
  one.Add(node.Ref("k"));
  other.Add(node.Ref("l"));
  node.Set("k", "1");
  EXPECT_TRUE(one.touched());
  EXPECT_FALSE(other.touched());
}

}  // namespace
}  // namespace starling
