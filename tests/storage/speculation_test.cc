// What is run on trial leaves nothing when it is rolled back, and all when it is kept.
#include "storage/speculation.h"

#include <gtest/gtest.h>

#include <map>

#include "storage/held_shards.h"
#include "storage/key_description.h"
#include "storage/watch.h"
#include "tests/storage/merge_history.h"
#include "tests/storage/one_store.h"
#include "tests/support/seeds.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// All that can be told of a node: what it holds, shows and counts, and what it would free.
struct Seen {
  std::multiset<std::string> items;
  std::map<std::string, std::string> visible[2];
  size_t sizes[2];
  size_t timed[2];
  size_t tombstones;
  std::multiset<std::string> described;
  std::optional<std::chrono::milliseconds> next_lapse;

  friend bool operator==(const Seen&, const Seen&) = default;
};

Seen See(OneNode& node) {
  Seen seen;
  seen.items = WalkText(node.keyspace);
  const uint8_t database = node.database;
  for (uint8_t i = 0; i < 2; ++i) {
    node.database = i;
    seen.visible[i] = VisibleText(node);
    seen.sizes[i] = node.Size();
    seen.timed[i] = node.keyspace.SizeWithDeadline(i);
    for (const std::string& key : node.Keys()) {
      const auto description = node.Lock(key).Describe(node.Ref(key));
      std::string line = key + " payload " + std::to_string(description->payload_bytes);
      for (const auto& elements : description->elements) {
        line += " " + std::to_string(elements.live) + "/" + std::to_string(elements.removed) +
                (elements.packed ? " packed" : "");
      }
      seen.described.insert(line);
    }
  }
  node.database = database;
  seen.tombstones = node.keyspace.tombstones();
  seen.next_lapse = node.keyspace.NextLapse();
  return seen;
}

void ExpectSame(const Seen& a, const Seen& b) {
  EXPECT_EQ(a.items, b.items);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(a.visible[i], b.visible[i]);
    EXPECT_EQ(a.sizes[i], b.sizes[i]);
    EXPECT_EQ(a.timed[i], b.timed[i]);
  }
  EXPECT_EQ(a.tombstones, b.tombstones);
  EXPECT_EQ(a.described, b.described);
  EXPECT_EQ(a.next_lapse, b.next_lapse);
}

/// The items of the next batch; the batch stays.
std::multiset<std::string> PendingText(OneNode& node) {
  std::multiset<std::string> lines;
  const SharedBytes bytes = node.Flush();
  if (bytes == nullptr) return lines;
  const DecodedBatch batch = *DecodedBatch::Decode(*bytes);
  for (const Item& item : batch.items()) lines.insert(ItemText(item));
  return lines;
}

/// Records that a checkpoint would write now, the last per name; what was erased as such.
std::map<std::string, std::string> CheckpointText(OneNode& node) {
  std::map<std::string, std::string> records;
  Keyspace::ChangedPtr changed = node.keyspace.TakeChanged();
  std::vector<Engine::StateWrite> writes;
  while (node.keyspace.EncodeChanged(*changed, writes.size() + 100, writes)) {
  }
  for (const Engine::StateWrite& write : writes) {
    if (write.prefix) {
      const auto begin = records.lower_bound(write.key);
      auto end = begin;
      while (end != records.end() && end->first.starts_with(write.key)) ++end;
      records.erase(begin, end);
    }
    records[write.key + (write.prefix ? "*" : "")] = write.value.value_or("erased");
  }
  return records;
}

class SpeculationProperties : public testing::TestWithParam<std::tuple<uint64_t, bool>> {
 protected:
  uint64_t seed() const { return std::get<0>(GetParam()); }
  bool large() const { return std::get<1>(GetParam()); }
};

TEST_P(SpeculationProperties, WhatIsRolledBackHasNeverBeen) {
  MergeHistory history(seed(), large());
  for (int round = 0; round < 12; ++round) {
    history.Run(60);
    history.DeliverAll();
    OneNode& node = *history.nodes()[0];
    // Something is pending, something is new to the next checkpoint, something has expired.
    history.Run(10, /*flush=*/false);
    node.time.Advance(15ms);
    const Seen before = See(node);
    {
      const HeldShards held(node.keyspace);
      Speculation speculation(node.keyspace);
      for (int i = 0; i < 40; ++i) {
        history.WriteTo(node);
      }
      if (round % 4 == 3) {
        node.database = 0;
        node.keyspace.FlushDatabase(0);
        for (int i = 0; i < 20; ++i) history.WriteTo(node);
      }
      EXPECT_TRUE(speculation.wrote());
      speculation.Rollback();
    }
    ExpectSame(See(node), before);
  }
}

TEST_P(SpeculationProperties, ABatchAndACheckpointAfterARollbackSayWhatTheyWouldHaveSaid) {
  // Two nodes with one history; one of them speculates and rolls back.
  const auto run = [&](bool speculate) {
    MergeHistory history(seed(), large());
    history.Run(200);
    history.DeliverAll();
    OneNode& node = *history.nodes()[0];
    (void)CheckpointText(node);
    history.Run(60, /*flush=*/false);
    if (speculate) {
      MergeHistory other(seed() + 1000, large());
      const HeldShards held(node.keyspace);
      Speculation speculation(node.keyspace);
      for (int i = 0; i < 60; ++i) other.WriteTo(node);
    }
    auto items = PendingText(node);
    // Stamps were drawn: what is compared is all but them.
    std::multiset<std::string> text;
    for (const std::string& line : items) text.insert(line.substr(0, line.find('@')));
    std::set<std::string> names;
    for (const auto& [name, value] : CheckpointText(node)) {
      names.insert(name + (value == "erased" ? " erased" : ""));
    }
    return std::pair(text, names);
  };
  const auto plain = run(false);
  const auto speculated = run(true);
  EXPECT_EQ(plain.first, speculated.first);
  EXPECT_TRUE(std::includes(speculated.second.begin(), speculated.second.end(),
                            plain.second.begin(), plain.second.end()));
  for (const std::string& name : speculated.second) {
    EXPECT_TRUE(plain.second.contains(name) || !name.ends_with(" erased")) << "nothing is lost";
  }
}

TEST_P(SpeculationProperties, WhatIsKeptIsAsIfWrittenWithout) {
  const auto run = [&](bool speculate) {
    MergeHistory history(seed(), large());
    history.Run(200);
    history.DeliverAll();
    OneNode& node = *history.nodes()[0];
    MergeHistory other(seed() + 1000, large());  // writes no claims to this node
    history.Run(20, /*flush=*/false);
    {
      const HeldShards held(node.keyspace);
      std::optional<Speculation> speculation;
      if (speculate) speculation.emplace(node.keyspace);
      for (int i = 0; i < 60; ++i) other.WriteTo(node);
      if (seed() % 4 == 0 && !node.keyspace.HasLiveClaims(0)) node.keyspace.FlushDatabase(0);
      for (int i = 0; i < 10; ++i) other.WriteTo(node);
      if (speculate) speculation->Keep();
    }
    const Seen seen = See(node);
    const auto checkpoint = CheckpointText(node);
    const auto pending = PendingText(node);
    return std::tuple(seen, checkpoint, pending, node.keyspace.writes());
  };
  const auto plain = run(false);
  const auto kept = run(true);
  ExpectSame(std::get<0>(plain), std::get<0>(kept));
  EXPECT_EQ(std::get<1>(plain), std::get<1>(kept));
  EXPECT_EQ(std::get<2>(plain), std::get<2>(kept));
  EXPECT_EQ(std::get<3>(plain), std::get<3>(kept));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpeculationProperties,
                         testing::Combine(test::Seeds(25), testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<1>(tested.param) ? "Large" : "Small") +
                                  std::to_string(std::get<0>(tested.param));
                         });

TEST(Speculation, AnEarlierUnflushedWriteSurvivesARollback) {
  OneNode node;
  node.Set("k", "before");
  const std::string long_text(5000, 'x');
  node.Set("long", long_text);
  {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    node.Set("k", "after");
    node.Set("long", std::string(6000, 'y'));
    node.Set("new", std::string(7000, 'z'));
    node.Delete("long");
    EXPECT_EQ(node.Get("k"), "after") << "the thread sees what it has written";
  }
  EXPECT_EQ(node.Get("k"), "before");
  EXPECT_EQ(node.Get("long"), long_text);
  EXPECT_EQ(node.Get("new"), std::nullopt);
  OneNode other(2);
  other.Take(node.Flush());
  EXPECT_EQ(other.Get("k"), "before");
  EXPECT_EQ(other.Get("long"), long_text);
  EXPECT_EQ(other.Size(), 2u);
}

TEST(Speculation, TakenItemsAreWhatWasWrittenAndNothingIsLeftOfThem) {
  OneNode node;
  node.Set("k", "before");
  node.Increment("n").value();
  std::string bytes;
  {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    node.Set("k", "after");
    node.Increment("n", 5).value();
    node.Add("s", "m");
    bytes = speculation.TakeItems();
  }
  EXPECT_EQ(node.Get("k"), "before");
  const Result<DecodedBatch> items = DecodedBatch::Decode(bytes);
  ASSERT_TRUE(items);
  EXPECT_EQ(items->items().size(), 3u);
  OneNode other(2);
  other.Take(node.Flush());
  EXPECT_EQ(other.Get("n"), "1");
  other.keyspace.Merge(items->items());
  EXPECT_EQ(other.Get("k"), "after");
  EXPECT_EQ(other.Get("n"), "6");
  EXPECT_EQ(other.Members("s"), std::set<std::string>{"m"});
}

TEST(Speculation, RollbacksLeaveNoMemoryBehind) {  // I9
  OneNode node;
  for (int i = 0; i < 300; ++i) node.Add("large", "m" + std::to_string(i));
  node.Add("small", "m");
  node.Set("long", std::string(5000, 'x'));
  size_t memory = 0;
  for (int i = 0; i < 300; ++i) {
    {
      const HeldShards held(node.keyspace);
      Speculation speculation(node.keyspace);
      for (const char* key : {"large", "small", "long", "new"}) {
        node.Delete(key);
        node.Set(key, std::string(3000, 'y'));
        node.Delete(key);
        for (int m = 0; m < 200; ++m) node.Add(key, "m" + std::to_string(m));
      }
    }
    if (i == 10) memory = node.keyspace.memory_bytes();
  }
  EXPECT_LE(node.keyspace.memory_bytes(), memory + 1024);
  EXPECT_EQ(node.Members("large").size(), 300u);
}

TEST(Speculation, WatchersHearOnlyOfWhatIsKept) {
  OneNode node;
  Watches watches(node.keyspace);
  watches.Add(node.Ref("k"));
  for (const bool keep : {false, true}) {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    node.Set("k", "v");
    EXPECT_FALSE(watches.touched());
    if (keep) speculation.Keep();
    speculation.Rollback();
    EXPECT_EQ(watches.touched(), keep);
  }
  EXPECT_EQ(node.Get("k"), "v");
}

TEST(Speculation, FlushedDatabasesAreEmptyWithinAndFullAfterARollback) {
  OneNode node;
  for (int i = 0; i < 100; ++i) node.Set("k" + std::to_string(i), "v");
  node.Expire("k0", 1s);
  for (const bool keep : {false, true}) {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    node.keyspace.FlushDatabase(0);
    EXPECT_EQ(node.Size(), 0u);
    EXPECT_TRUE(node.Keys().empty());
    node.Set("new", "v");
    EXPECT_EQ(node.Size(), 1u);
    EXPECT_EQ(node.keyspace.SizeWithDeadline(0), 0u);
    if (keep) speculation.Keep();
    speculation.Rollback();
    EXPECT_EQ(node.Size(), keep ? 1u : 100u);
    EXPECT_EQ(node.keyspace.SizeWithDeadline(0), keep ? 0u : 1u);
  }
  EXPECT_EQ(node.Keys(), std::set<std::string>{"new"});
}

TEST(Speculation, ListsWrittenAfterARollbackReachTheCheckpoint) {
  OneStore one;
  ASSERT_TRUE(one.Open());
  const KeyRef key = one.Ref("list");
  const auto push = [&](int i) {
    one.Lock("list").PushElement(key, i % 2 == 0,
                                 Value::Bytes(std::string(50, static_cast<char>('a' + i % 26))));
  };
  for (int i = 0; i < 1000; ++i) push(i);
  ASSERT_TRUE(one.store->Checkpoint());
  {
    const HeldShards held(one.store->keyspace());
    Speculation speculation(one.store->keyspace());
    for (int i = 0; i < 10; ++i) push(i);
    one.Lock("list").SetElementAt(key, 500, Value::Bytes("rolled back"));
    one.Lock("list").RemoveRange(key, ElementType::kList, 100, 300);
  }
  one.Lock("list").SetElementAt(key, 501, Value::Bytes("kept"));
  const auto expected = one.Walk();
  ASSERT_TRUE(one.store->Checkpoint());
  ASSERT_TRUE(one.Open());
  EXPECT_EQ(one.Walk(), expected);
}

}  // namespace
}  // namespace starling
