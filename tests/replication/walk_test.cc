// Walks: what the log no longer has, taken in one step.
#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include "replication/limits.h"
#include "replication/walk_receiver.h"
#include "replication/walk_sender.h"
#include "tests/replication/recording_sender.h"
#include "tests/replication/transcript.h"
#include "tests/support/manual_time.h"
#include "tests/support/memory_engine.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

const NodeId kA = NodeId::FromName("a");
const NodeId kB = NodeId::FromName("b");
const std::map<NodeId, std::string> kNames{{kA, "a"}, {kB, "b"}};

// --- the receiver alone ---

struct Receiving : ::testing::Test {
  RecordingSender sender;
  WalkReceiver receiver{sender, 100};
  std::optional<WalkReceiver::Taken> taken;

  void Part(uint32_t index, bool last = false, uint64_t walk = 101, NodeId from = kA) {
    const std::string piece = "piece " + std::to_string(index);
    WalkPart part{walk, index, false, last, {piece}};
    if (auto whole = receiver.OnPart(from, part, 1s)) taken = std::move(whole);
  }
};

TEST_F(Receiving, GivesOutPartsWholeAndInOrder) {
  receiver.Begin(kA, {}, false, 0s);
  Part(1);
  Part(0);
  Part(0);
  EXPECT_FALSE(taken);
  Part(3, true);
  EXPECT_FALSE(taken) << "part 2 is missing";
  Part(2);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->pieces, (std::vector<std::string>{"piece 0", "piece 1", "piece 2", "piece 3"}));
  EXPECT_FALSE(receiver.busy());
  ExpectTranscript("walk_received", sender.Text(kNames));
}

// COUNTEREXAMPLES 15.
TEST_F(Receiving, ALateDuplicateOfAnOldWalkIsNotTaken) {
  receiver.Begin(kA, {}, false, 0s);
  Part(0, true);
  ASSERT_TRUE(taken);
  taken.reset();
  Part(0, true);
  EXPECT_FALSE(taken);
  receiver.Begin(kA, {}, false, 2s);
  Part(0, true, /*walk=*/101);
  EXPECT_FALSE(taken) << "a part of the walk before";
}

TEST_F(Receiving, NothingIsTakenWhenTheSenderVanishes) {
  receiver.Begin(kA, {}, true, 0s);
  Part(0);
  receiver.RemovePeer(kB);
  EXPECT_TRUE(receiver.busy());
  receiver.RemovePeer(kA);
  EXPECT_FALSE(receiver.busy());
  Part(1, true);
  EXPECT_FALSE(taken);
}

TEST_F(Receiving, GivesUpAWalkThatStandsStill) {
  receiver.Begin(kA, {}, true, 0s);
  receiver.OnTick(limits::kWalkResend);
  EXPECT_EQ(sender.Take().size(), 2u) << "asked again";
  receiver.OnTick(limits::kWalkIdle);
  EXPECT_FALSE(receiver.busy());
}

// Who stands for the lease has to pull; who gave the walk may stand at a breakpoint.
TEST_F(Receiving, LeavesAWalkThatStandsStillForAnotherPeers) {
  EXPECT_TRUE(receiver.MakeRoomFor(kB, 0s));
  receiver.Begin(kA, {}, false, 0s);
  Part(0);  // at 1 s
  EXPECT_FALSE(receiver.MakeRoomFor(kB, 1s + limits::kWalkStalled - 1ns)) << "it goes on";
  EXPECT_FALSE(receiver.MakeRoomFor(kA, 1s + limits::kWalkStalled)) << "nothing new";
  sender.Take();
  EXPECT_TRUE(receiver.MakeRoomFor(kB, 1s + limits::kWalkStalled));
  ASSERT_EQ(sender.Take().size(), 1u) << "who gave it is told";
  receiver.Begin(kB, {}, false, 4s);
  Part(1, true);
  EXPECT_FALSE(taken) << "of the one that was left";
  EXPECT_FALSE(receiver.MakeRoomFor(kA, 4s + limits::kWalkStalled)) << "else none may end";
  Part(0, true, /*walk=*/102, kB);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->from, kB);
  EXPECT_EQ(taken->pieces, (std::vector<std::string>{"piece 0"})) << "and of that one alone";
}

TEST_F(Receiving, PartsBeyondTheWindowAreNotKept) {
  receiver.Begin(kA, {}, false, 0s);
  Part(limits::kWalkWindow + 1);
  EXPECT_TRUE(sender.Take().size() == 1u) << "no credit for it";
}

// --- sender and receiver, with stores ---

struct Walking : ::testing::Test {
  ManualTime time;
  std::shared_ptr<spdlog::logger> log =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
  MemoryDisk disk_a{1};
  MemoryDisk disk_b{2};
  std::unique_ptr<Store> a = Open("a", disk_a);
  std::unique_ptr<Store> b = Open("b", disk_b);
  MemberList list{a->keyspace()};
  RecordingSender from_a;
  RecordingSender from_b;
  WalkSender sender{*a, list, from_a, log};
  WalkReceiver receiver{from_b, 0};
  const ClusterRecord record{7, {"a", "b"}, {"a"}};
  std::optional<WalkReceiver::Taken> taken;

  std::unique_ptr<Store> Open(const std::string& name, MemoryDisk& disk) {
    StoreOptions options;
    options.name = name;
    options.keyspace.shards = 1;
    auto store = Store::Open(options, disk.Open().value(), time, log);
    return *std::move(store);
  }
  void SetUp() override { list.Refresh(record); }

  static void Set(Store& store, const std::string& key, const std::string& value) {
    const KeyRef ref = store.keyspace().Ref(0, key);
    store.keyspace().Lock(ref).SetString(ref, value);
    ASSERT_TRUE(store.journal().Commit().ok());
  }
  static std::string Get(Store& store, const std::string& key) {
    const KeyRef ref = store.keyspace().Ref(0, key);
    Access access = store.keyspace().Lock(ref);
    const auto view = access.Find(ref);
    std::string buffer;
    return view ? std::string(view->Text(buffer)) : "";
  }

  /// One exchange; false when nothing was said. `lose` counts down to a lost part.
  bool Exchange(Instant now, int* lose = nullptr) {
    bool said = false;
    for (const auto& sent : from_b.Take()) {
      said = true;
      if (const auto* request = std::get_if<WalkRequest>(&sent.held.message)) {
        sender.OnRequest(kB, *request, now);
      } else if (const auto* credit = std::get_if<WalkCredit>(&sent.held.message)) {
        sender.OnCredit(kB, *credit, now);
      } else if (const auto* abort = std::get_if<WalkAbort>(&sent.held.message)) {
        sender.OnAbort(kB, *abort);
      }
    }
    for (const auto& sent : from_a.Take()) {
      said = true;
      if (const auto* part = std::get_if<WalkPart>(&sent.held.message)) {
        if (lose != nullptr && (*lose)-- == 0) continue;
        if (auto whole = receiver.OnPart(kA, *part, now)) taken = std::move(whole);
      } else if (const auto* abort = std::get_if<WalkAbort>(&sent.held.message)) {
        receiver.OnAbort(kA, *abort);
      }
    }
    return said;
  }
};

TEST_F(Walking, BringsTheStateInOneStep) {
  for (int i = 0; i < 300; ++i) Set(*a, "k" + std::to_string(i), std::string(10'000, 'x'));
  receiver.Begin(kA, {}, false, 0s);
  while (Exchange(1s)) {
  }
  ASSERT_TRUE(taken);
  EXPECT_EQ(Get(*b, "k7"), "") << "nothing before the end";
  ASSERT_TRUE(b->ApplyWalk(taken->pieces, taken->whole).ok());
  EXPECT_EQ(Get(*b, "k299").size(), 10'000u);
  EXPECT_EQ(b->vector().Get(a->origin()), a->vector().Get(a->origin()));
  EXPECT_FALSE(sender.Walking(kB));
}

// What is overwritten while the walk goes on arrives with it: its vector claims no more than it
// has.
TEST_F(Walking, WritesMadeMeanwhileTravelWithIt) {
  for (int i = 0; i < 300; ++i) Set(*a, "k" + std::to_string(i), std::string(10'000, 'x'));
  receiver.Begin(kA, {}, false, 0s);
  for (int i = 0; Exchange(1s); ++i) {
    // A transaction over two keys, again and again.
    if (i < 200) {
      const std::vector<KeyRef> keys{a->keyspace().Ref(0, "k1"), a->keyspace().Ref(0, "k298")};
      Access access = a->keyspace().Lock(keys);
      for (const KeyRef& key : keys) access.SetString(key, "round " + std::to_string(i));
    }
  }
  ASSERT_TRUE(taken);
  ASSERT_TRUE(b->ApplyWalk(taken->pieces, taken->whole).ok());
  EXPECT_EQ(Get(*b, "k1"), Get(*b, "k298"));
  EXPECT_EQ(Get(*b, "k1").substr(0, 5), "round");
  // And from its vector on the stream goes on without a hole.
  Set(*a, "after", "1");
  const auto rest = a->ReadStream(a->origin(), b->vector().Get(a->origin()), 1 << 20);
  ASSERT_TRUE(rest.ok());
  for (const SharedBytes& batch : *rest) {
    ASSERT_TRUE(b->ApplyBatch(*DecodedBatch::Decode(*batch), *batch).ok());
  }
  EXPECT_EQ(Get(*b, "k1"), Get(*a, "k1"));
  EXPECT_EQ(Get(*b, "after"), "1");
}

TEST_F(Walking, LostPartsAreSentAgain) {
  for (int i = 0; i < 300; ++i) Set(*a, "k" + std::to_string(i), std::string(10'000, 'x'));
  for (int lost = 0; lost < 12; ++lost) {
    taken.reset();
    receiver.Begin(kA, {}, false, 0s);
    int lose = lost;
    for (Instant now = 1s; now < 15s && !taken; now += 500ms) {
      while (Exchange(now, &lose)) {
      }
      sender.OnTick(now);
      receiver.OnTick(now);
    }
    EXPECT_TRUE(taken) << lost;
    while (Exchange(15s)) {
    }
  }
}

TEST_F(Walking, SendsOnlyWhatThePeerLacksAndTheWholeStateBelowTheFloor) {
  Set(*a, "old", "1");
  const VersionVector covered = a->vector();
  Set(*a, "new", "2");
  receiver.Begin(kA, covered, false, 0s);
  while (Exchange(1s)) {
  }
  ASSERT_TRUE(taken);
  EXPECT_FALSE(taken->whole);
  size_t items = 0;
  for (const std::string& piece : taken->pieces) {
    const auto decoded = DecodedBatch::Decode(piece);
    for (const Item& item : decoded->items()) {
      EXPECT_EQ(item.key, "new");
      ++items;
    }
  }
  EXPECT_EQ(items, 1u);

  VersionVector floor;
  floor.Set(a->origin(), a->vector().Get(a->origin()));
  a->keyspace().RaiseFloor(floor);
  taken.reset();
  receiver.Begin(kA, covered, false, 2s);
  while (Exchange(2s)) {
  }
  ASSERT_TRUE(taken);
  EXPECT_TRUE(taken->whole);
}

TEST_F(Walking, IsRefusedOrEndedByWhoMayNotGiveItAndTheReceiverLooksElsewhere) {
  for (int i = 0; i < 200; ++i) Set(*a, "k" + std::to_string(i), std::string(10'000, 'v'));
  receiver.Begin(kA, {}, /*whole=*/true, 0s);
  ASSERT_TRUE(Exchange(0s)) << "the first parts";
  sender.AbortAll("it enters the cluster itself");
  EXPECT_FALSE(sender.Walking(kB));
  while (Exchange(0s)) {
  }
  EXPECT_FALSE(receiver.busy());
  receiver.Begin(kA, {}, /*whole=*/true, 0s);
  const auto asked = from_b.Take();
  ASSERT_FALSE(asked.empty());
  sender.Abort(kB, std::get<WalkRequest>(asked.back().held.message).walk, "it enters itself");
  ASSERT_TRUE(Exchange(0s));
  EXPECT_FALSE(receiver.busy());
  EXPECT_FALSE(taken);
}

TEST_F(Walking, StartsOverWhenTheLogIsCutMeanwhile) {
  for (int i = 0; i < 600; ++i) Set(*a, "k" + std::to_string(i), std::string(10'000, 'x'));
  receiver.Begin(kA, {}, false, 0s);
  Exchange(1s);  // the request, and the first window
  for (int i = 0; i < 4; ++i) {
    Set(*a, "more", std::to_string(i));
    ASSERT_TRUE(a->Checkpoint().ok());
  }
  while (Exchange(1s)) {
  }
  EXPECT_FALSE(taken);
  EXPECT_FALSE(receiver.busy()) << "told to ask again";
  receiver.Begin(kA, {}, false, 2s);
  while (Exchange(2s)) {
  }
  EXPECT_TRUE(taken);
}

}  // namespace
}  // namespace starling
