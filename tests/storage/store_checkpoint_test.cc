// What a checkpoint writes is what was, and what is gone stays gone.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "storage/state_records.h"
#include "tests/storage/one_store.h"
#include "tests/storage/watched_engine.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// Checkpoints, kills and opens again; nothing may differ.
void ExpectSameAfterReopening(OneStore& node) {
  ASSERT_TRUE(node.store->journal().Commit());
  const auto held = node.Walk();
  const std::string vector = node.store->vector().ToString();
  ASSERT_TRUE(node.store->Checkpoint());
  ASSERT_TRUE(node.Open());
  EXPECT_EQ(node.Walk(), held);
  EXPECT_EQ(node.store->vector().ToString(), vector);
}

TEST(Checkpoint, HoldsEveryKindOfState) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  for (const size_t size : {0, 1, 1024, 1025, 3000, 100'000}) {
    node.Set("string" + std::to_string(size), std::string(size, 'v'));
    node.Add("set", std::string(size, 'm'));
    node.Add("set of " + std::to_string(size), "m");
  }
  node.Increment("counter", -7);
  node.Set("number", "42");
  node.Set("with deadline", "v");
  node.Lock("with deadline").SetDeadline(node.Ref("with deadline"), node.time.WallMillis() + 100);
  node.Lock("with deadline").ClearDeadline(node.Ref("with deadline"));
  node.Set("expires", "v");
  node.Lock("expires").SetDeadline(node.Ref("expires"), node.time.WallMillis() + 5000);
  node.Set(std::string(70'000, 'k'), "long name");
  node.Set("", "no name");
  node.Set("deleted", "v");
  node.Delete("deleted");
  node.Remove("set", "m");
  node.store->keyspace().FlushDatabase(5);
  OneNode peer(7);
  peer.Increment("counter", 3).value();
  ASSERT_TRUE(node.Apply(peer.Flush()));
  for (int life = 0; life < 3; ++life) ExpectSameAfterReopening(node);
  EXPECT_EQ(node.Get("counter"), "-4");
  node.time.Advance(6s);
  EXPECT_FALSE(node.Get("expires"));
  node.store->Maintain({});
  EXPECT_EQ(node.store->keyspace().SizeWithDeadline(0), 0u);
}

TEST(Checkpoint, ErasedKeysAndMembersDoNotComeBack) {  // I8
  OneStore node;
  ASSERT_TRUE(node.Open());
  for (int i = 0; i < 100; ++i) {
    node.Set("k" + std::to_string(i), std::string(i * 50, 'v'));
    node.Add("s", "m" + std::to_string(i));
    node.Add("whole", "m" + std::to_string(i));
  }
  ExpectSameAfterReopening(node);
  for (int i = 0; i < 100; i += 2) {
    node.Delete("k" + std::to_string(i));
    node.Remove("s", "m" + std::to_string(i));
  }
  node.Delete("whole");
  ExpectSameAfterReopening(node);
  EXPECT_EQ(node.FreeAll(), 101u);
  ExpectSameAfterReopening(node);
  EXPECT_EQ(node.disk->state_entries(), 50u + 1 + 50 + 2);  // keys, set, members, its own two
  node.Add("whole", "new");
  ExpectSameAfterReopening(node);
  EXPECT_EQ(node.Members("whole"), (std::set<std::string>{"new"}));
}

TEST(Checkpoint, AFlushedDatabaseIsGoneFromDisk) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  for (int i = 0; i < 300; ++i) node.Add("s" + std::to_string(i % 10), "m" + std::to_string(i));
  ExpectSameAfterReopening(node);
  node.store->keyspace().FlushDatabase(0);
  node.Set("after", "v");
  ExpectSameAfterReopening(node);
  EXPECT_EQ(node.disk->state_entries(), 4u);  // the cut, the key, vector and floor
  EXPECT_EQ(node.store->keyspace().Size(0), 1u);
}

TEST(Checkpoint, WhatACutTookFromAnElementStaysTaken) {  // I8
  OneStore node;
  ASSERT_TRUE(node.Open());
  Item base;
  base.part = Part::kElement;
  base.element_type = ElementType::kHash;
  base.key = "h";
  base.element = "f";
  base.origin = OriginOf(7);
  base.stamp = Stamp::FirstOf(3000);
  base.value = Value::FromText("10");
  Item slot = base;
  slot.part = Part::kElementSlot;
  slot.origin = OriginOf(8);
  slot.stamp = slot.at = Stamp::FirstOf(4000);
  slot.value = Value::OfNumber(Number::FromInt(5));
  Item late = slot;
  late.origin = OriginOf(9);
  late.stamp = late.at = Stamp::FirstOf(6000);
  const Item items[] = {base, slot, late};
  node.store->keyspace().Merge(items);
  ASSERT_TRUE(node.store->Checkpoint());
  Item cut;
  cut.part = Part::kCut;
  cut.key = "h";
  cut.origin = OriginOf(7);
  cut.stamp = cut.at = Stamp::FirstOf(5000);
  node.store->keyspace().Merge(std::span(&cut, 1));
  const auto value = [&] {
    return node.Lock("h").GetElement(node.Ref("h"), ElementType::kHash, "f")->number.ToString();
  };
  EXPECT_EQ(value(), "5");  // of the late slot
  Keyspace::Stability all;
  all.passed = Stamp{UINT64_MAX};
  all.covered.Set(OriginOf(7), all.passed);
  EXPECT_EQ(node.store->keyspace().FreeStable(all, 10), 1u);
  ASSERT_TRUE(node.store->Checkpoint());
  ASSERT_TRUE(node.Open());
  EXPECT_EQ(value(), "5");
}

TEST(Checkpoint, ALargeCollectionIsWrittenMemberByMemberAndDroppedWhole) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  for (int i = 0; i < 10'000; ++i) node.Add("s", "m" + std::to_string(i));
  ExpectSameAfterReopening(node);
  node.Delete("s");
  node.Add("s", "one");
  ExpectSameAfterReopening(node);
  node.FreeAll();
  ExpectSameAfterReopening(node);
  EXPECT_EQ(node.Members("s"), (std::set<std::string>{"one"}));
  EXPECT_EQ(node.disk->state_entries(), 4u);
}

TEST(Checkpoint, ThatFailsIsMadeUpByTheNext) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  for (uint64_t writes = 0; writes < 12; ++writes) {
    for (int i = 0; i < 30; ++i) {
      node.Set("k" + std::to_string(i), std::to_string(writes));
      node.Add("s", std::to_string(writes * 100 + i));
      node.Remove("s", std::to_string(writes * 100 + i / 2));
    }
    node.Delete("k" + std::to_string(writes));
    ASSERT_TRUE(node.store->journal().Commit());
    node.FreeAll();
    node.disk->RunFull(writes);
    (void)node.store->Checkpoint();
    node.disk->HasSpace();
    ExpectSameAfterReopening(node);
  }
}

TEST(Checkpoint, DropsTheLogBelowTheOneBefore) {  // I9
  OneStore node;
  ASSERT_TRUE(node.Open());
  uint64_t most = 0;
  for (int i = 0; i < 20; ++i) {
    for (int n = 0; n < 50; ++n) {
      node.Set("k" + std::to_string(n), std::string(100, 'v'));
      ASSERT_TRUE(node.store->journal().Commit());
    }
    ASSERT_TRUE(node.store->Checkpoint());
    if (i == 3) most = node.disk->log_bytes();
  }
  EXPECT_LE(node.disk->log_bytes(), most + 1000);
  EXPECT_GT(node.store->last_checkpoint_millis(), 0);
}

TEST(Checkpoint, StartsByItselfWhenTheLogHasGrown) {
  OneStore node;
  node.options.checkpoint_log_bytes = 10'000;
  ASSERT_TRUE(node.Open());
  node.store->Maintain({});
  EXPECT_EQ(node.store->last_checkpoint_millis(), 0);
  node.Set("k", std::string(20'000, 'v'));
  ASSERT_TRUE(node.store->journal().Commit());
  node.store->Maintain({});
  EXPECT_GT(node.store->last_checkpoint_millis(), 0);
}

TEST(Checkpoint, WritesLargeValuesOneAfterAnother) {  // I9; meanwhile RocksDB appends no log
  OneStore node;
  auto owned = std::make_unique<WatchedEngine>(*node.disk->Open());
  WatchedEngine& engine = *owned;
  ASSERT_TRUE(node.Open(std::move(owned)));
  constexpr size_t kLarge = 900'000;
  constexpr int kValues = 60;
  size_t most = 0;
  size_t gathered = 0;  // between two syncs of the log
  size_t most_gathered = 0;
  engine.in_write = [&](const std::vector<Engine::StateWrite>& writes) {
    size_t bytes = 0;
    for (const Engine::StateWrite& write : writes) bytes += StateBytes(write);
    most = std::max(most, bytes);
    gathered += bytes;
    most_gathered = std::max(most_gathered, gathered);
  };
  engine.in_sync = [&] { gathered = 0; };
  for (int i = 0; i < kValues; ++i) {
    node.Set("k" + std::to_string(i), std::string(kLarge, 'v'));
    node.Add("s", std::to_string(i) + std::string(kLarge, 'm'));
  }
  ASSERT_TRUE(node.store->Checkpoint());
  EXPECT_GE(most, kLarge);
  EXPECT_LT(most, 2 * kLarge);
  EXPECT_LT(most_gathered, kValues * kLarge / 2);
  const auto held = node.Walk();
  ASSERT_TRUE(node.Open());
  EXPECT_EQ(node.Walk(), held);
}

TEST(Checkpoint, WhatChangesWhileItWritesIsNeitherLostNorBroughtBack) {  // I8, I10
  OneStore node;
  auto owned = std::make_unique<WatchedEngine>(*node.disk->Open());
  WatchedEngine& engine = *owned;
  ASSERT_TRUE(node.Open(std::move(owned)));
  const auto key = [](int i) { return "k" + std::to_string(i); };
  for (int i = 0; i < 200; ++i) {
    node.Set(key(i), std::string(2000, 'v'));
    node.Add("s", key(i));
    node.Add("dropped", key(i));
  }
  ASSERT_TRUE(node.store->Checkpoint());
  for (int i = 0; i < 100; ++i) {
    node.Delete(key(i));
    node.Remove("s", key(i));
  }
  int interruptions = 0;
  engine.in_write = [&](const auto&) {
    std::thread([&] {
      node.store->Maintain(node.AllStable());  // would free what the checkpoint has still to write
      const int n = 100 + interruptions++ * 10;
      node.Delete("dropped");
      for (int i = n; i < n + 5; ++i) {
        node.Delete(key(i));
        node.Remove("s", key(i));
        node.Add("s", "new" + std::to_string(i));
        node.Add("dropped", "new" + std::to_string(i));
      }
      ASSERT_TRUE(node.store->journal().Commit());
    }).join();
  };
  ASSERT_TRUE(node.store->Checkpoint());
  ASSERT_GT(interruptions, 1);
  const auto held = node.Walk();
  for (int life = 0; life < 2; ++life) {
    ASSERT_TRUE(node.Open());
    EXPECT_EQ(node.Walk(), held);
    ASSERT_TRUE(node.store->Checkpoint());
  }
}

TEST(Checkpoint, GoesOnBesideWritersAndFreeing) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      Keyspace& keyspace = node.store->keyspace();
      for (int i = 0; !stop; ++i) {
        const std::string name = "k" + std::to_string((i + t) % 200);
        const KeyRef key = keyspace.Ref(0, name);
        {
          Access access = keyspace.Lock(key);
          if (i % 3 == 0) access.SetString(key, std::string(i % 2000, 'v'));
          if (i % 3 == 1) access.Delete(key);
          if (i % 3 == 2) access.AddElement(key, ElementType::kSet, std::to_string(i % 40));
        }
        ASSERT_TRUE(node.store->journal().Commit());
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) node.store->Maintain(node.AllStable());
  });
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(node.store->Checkpoint());
  stop = true;
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(node.store->journal().Commit());
  const auto held = node.Walk();
  ASSERT_TRUE(node.Open());
  // Freed tombstones may be there again: the checkpoint that drops them has not been written.
  std::multiset<std::string> live;
  for (const std::string& line : node.Walk()) {
    if (held.contains(line)) live.insert(line);
  }
  EXPECT_EQ(live, held);
}

TEST(Checkpoint, OnRocksDbToo) {
  TempFolder folder;
  OneStore node;
  const auto open = [&] {
    node.store.reset();
    Result<std::unique_ptr<Engine>> engine = OpenRocksEngine({folder / "data"});
    ASSERT_TRUE(engine) << engine.error().message;
    ASSERT_TRUE(node.Open(std::move(*engine)));
  };
  open();
  for (int i = 0; i < 500; ++i) {
    node.Set("k" + std::to_string(i), std::string(i * 7, 'v'));
    node.Add("s", "m" + std::to_string(i));
    if (i % 3 == 0) node.Delete("k" + std::to_string(i));
    if (i % 3 == 0) node.Remove("s", "m" + std::to_string(i));
    if (i % 50 == 0) {
      ASSERT_TRUE(node.store->journal().Commit());
    }
    if (i % 150 == 0) {
      ASSERT_TRUE(node.store->Checkpoint());
    }
    if (i % 200 == 0) node.FreeAll();
  }
  node.store->keyspace().FlushDatabase(3);
  ASSERT_TRUE(node.store->Close());
  const auto held = node.Walk();
  const Origin origin = node.store->origin();
  open();
  EXPECT_EQ(node.Walk(), held);
  EXPECT_EQ(node.store->origin(), origin);
  node.Delete("s");
  ASSERT_TRUE(node.store->journal().Commit());
  const auto without = node.Walk();
  open();
  EXPECT_EQ(node.Walk(), without);
  ASSERT_TRUE(node.store->Checkpoint());
  open();
  EXPECT_EQ(node.Walk(), without);
}

}  // namespace
}  // namespace starling
