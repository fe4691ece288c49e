#include "replication/streams.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include "replication/limits.h"
#include "tests/replication/recording_sender.h"
#include "tests/storage/watched_engine.h"
#include "tests/support/manual_time.h"
#include "tests/support/memory_engine.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// One node's streams; peers are played by the test.
struct Node {
  explicit Node(const std::string& name, ManualTime& time)
      : disk(NodeId::FromName(name).value),
        log(std::make_shared<spdlog::logger>("test",
                                             std::make_shared<spdlog::sinks::null_sink_mt>())) {
    StoreOptions options;
    options.name = name;
    options.keyspace.shards = 1;
    auto watched = std::make_unique<WatchedEngine>(disk.Open().value());
    engine = watched.get();
    store = Store::Open(options, std::move(watched), time, log).value();
    store->journal().SetSink([this](const BatchHeader& header, SharedBytes bytes) {
      batches.push_back({header, std::move(bytes)});
    });
    list = std::make_unique<MemberList>(store->keyspace());
    list->Refresh(ClusterRecord{7, {"a", "b", "c"}, {"a"}});
    clocks.SetMembers(3);
    streams = std::make_unique<Streams>(*store, *list, clocks, sender, random, log);
  }

  /// Writes one key; the batch is the last of `batches`.
  void Write(const std::string& key, const std::string& value = "v") {
    const KeyRef ref = store->keyspace().Ref(0, key);
    store->keyspace().Lock(ref).SetString(ref, value);
    ASSERT_TRUE(store->journal().Commit().ok());
  }
  /// The same, and hands it on.
  void Set(const std::string& key, Instant now) {
    Write(key);
    streams->OnLocalBatches(std::exchange(batches, {}), now);
  }
  bool Has(const std::string& key) {
    const KeyRef ref = store->keyspace().Ref(0, key);
    return store->keyspace().Lock(ref).Exists(ref);
  }
  NodeId id() const { return store->id(); }

  MemoryDisk disk;
  std::shared_ptr<spdlog::logger> log;
  WatchedEngine* engine = nullptr;  // the store's
  std::unique_ptr<Store> store;
  std::unique_ptr<MemberList> list;
  ClockJudge clocks{500ms};
  RecordingSender sender;
  std::mt19937_64 random{1};
  std::unique_ptr<Streams> streams;
  std::vector<OwnBatch> batches;
};

struct StreamsTest : ::testing::Test {
  ManualTime time;
  Node a{"a", time};
  Node b{"b", time};

  void Link(Instant now = 1s) {
    a.streams->AddPeer(b.id(), now);
    b.streams->AddPeer(a.id(), now);
    Settle(now);
  }
  static void Give(Node& to, NodeId from, const PeerMessage& message, Instant now) {
    if (const auto* batches = std::get_if<Batches>(&message)) {
      ASSERT_TRUE(to.streams->OnBatches(from, *batches, now).ok());
    } else if (const auto* want = std::get_if<Want>(&message)) {
      to.streams->OnWant(from, *want, now);
    } else if (const auto* report = std::get_if<Report>(&message)) {
      to.streams->OnReport(from, *report, now);
    }
  }
  /// Delivers until nothing is said; counts the frames of batches from `a`.
  int Settle(Instant now) {
    int frames = 0;
    for (bool said = true; said;) {
      said = false;
      for (auto* side : {&a, &b}) {
        Node& other = side == &a ? b : a;
        for (const auto& sent : side->sender.Take()) {
          said = true;
          frames += side == &a && std::holds_alternative<Batches>(sent.held.message);
          Give(other, side->id(), sent.held.message, now);
        }
      }
    }
    return frames;
  }
  size_t Lost() { return a.sender.Take().size(); }
};

TEST_F(StreamsTest, PushesAFlushedBatchAtOnceAndIsAcknowledged) {
  Link();
  a.Set("k", 2s);
  EXPECT_EQ(Settle(2s), 1);
  EXPECT_TRUE(b.Has("k"));
  EXPECT_EQ(a.streams->HeldBy(b.id())->Get(a.store->origin()), a.store->journal().upto());
}

TEST_F(StreamsTest, ReceiverAsksWhenABatchDoesNotFollow) {
  Link();
  a.Set("one", 2s);
  Lost();
  a.Set("two", 2s);
  Settle(2s);
  EXPECT_TRUE(b.Has("one")) << "asked for, and sent from the log";
  EXPECT_TRUE(b.Has("two"));
}

TEST_F(StreamsTest, WhoReadsTheOwnStreamMissesNothingThatWasRememberedEarly) {
  Link();
  const Stamp before = a.store->journal().upto();
  for (const char* key : {"one", "two", "three"}) a.Write(key);
  const auto batches = std::exchange(a.batches, {});
  ASSERT_EQ(batches.size(), 3U);
  const auto read = [&] {
    std::vector<SharedBytes> all;
    for (Stamp after = before; after < a.store->journal().upto();) {
      const auto some = a.streams->ReadOwn(after);
      EXPECT_TRUE(some.ok() && !some->empty());
      if (!some.ok() || some->empty()) break;
      all.insert(all.end(), some->begin(), some->end());
      after = DecodedBatch::DecodeHeader(*all.back())->upto;
    }
    return all;
  };
  const auto is_whole = [&](const std::vector<SharedBytes>& all) {
    return all.size() == 3 && *all[0] == *batches[0].bytes && *all[1] == *batches[1].bytes &&
           *all[2] == *batches[2].bytes;
  };
  // The first has been taken off the queue, but is not here yet.
  for (const size_t i : {1, 2, 1}) {
    a.streams->RememberLocalBatch(batches[i].header, batches[i].bytes);
    EXPECT_TRUE(is_whole(read()));
  }
  for (size_t i = 0; i < batches.size(); ++i) {
    a.streams->OnLocalBatches(std::span(batches).subspan(i, 1), 2s);
    EXPECT_TRUE(is_whole(read()));
  }
  EXPECT_EQ(Settle(2s), 3);
  EXPECT_TRUE(b.Has("one") && b.Has("two") && b.Has("three"));
}

TEST_F(StreamsTest, WhatIsGivenTogetherTravelsInFramesOfABoundedSize) {
  Link();
  const auto push = [&] {
    a.streams->OnLocalBatches(std::exchange(a.batches, {}), 2s);
    return Settle(2s);
  };
  for (int i = 0; i < 100; ++i) a.Write("k" + std::to_string(i));
  EXPECT_EQ(push(), 1);
  for (int i = 0; i < 5; ++i) {
    a.Write(std::string(limits::kGatherBytes / 2 + 1, 'l') + std::to_string(i));
  }
  EXPECT_EQ(push(), 5) << "two of them are more than a frame";
  EXPECT_TRUE(b.Has("k0") && b.Has("k99"));
  EXPECT_EQ(a.streams->HeldBy(b.id())->Get(a.store->origin()), a.store->journal().upto());
}

TEST_F(StreamsTest, WhatPilesUpBehindTheWindowTravelsTogether) {
  Link();
  constexpr int kWrites = 500;
  for (int i = 0; i < kWrites; ++i) a.Set("k" + std::to_string(i), 2s);
  EXPECT_EQ(a.sender.sent.size(), limits::kInFlightFrames);
  const int frames = Settle(2s);
  EXPECT_TRUE(b.Has("k499"));
  EXPECT_LT(frames, 40);
}

TEST_F(StreamsTest, WhatAPeerLacksIsNotReadFromTheDisk) {
  Link();
  int reads = 0;
  a.engine->in_read = [&] { ++reads; };
  const std::string value(1 << 20, 'v');
  const int count = static_cast<int>(2 * limits::kInFlightBytes / value.size());
  for (int i = 0; i < count; ++i) a.Write(std::to_string(i), value);
  a.streams->OnLocalBatches(std::exchange(a.batches, {}), 2s);
  Settle(2s);
  EXPECT_TRUE(b.Has(std::to_string(count - 1)));
  EXPECT_EQ(reads, 0) << "on the thread that keeps the lease";
  // What all hold is not kept.
  a.streams->OnWant(b.id(), Want{a.store->origin(), Stamp{}}, 3s);
  EXPECT_GT(reads, 0);
}

TEST_F(StreamsTest, LossOfTheLastBatchHealsByTheRound) {
  Link();
  a.Set("k", 2s);
  Lost();
  for (Instant now = 3s; now < 8s; now += 500ms) {
    a.streams->OnTick(now);
    b.streams->OnTick(now);
    Settle(now);
  }
  EXPECT_TRUE(b.Has("k"));
}

TEST_F(StreamsTest, DoubledAndDisorderedFramesDoNoHarm) {
  Link();
  std::vector<HeldMessage> frames;
  for (int i = 0; i < 10; ++i) {
    a.Set("k" + std::to_string(i), 2s);
    for (const auto& sent : a.sender.Take()) frames.push_back(sent.held);
  }
  std::vector<HeldMessage> shuffled = frames;
  shuffled.insert(shuffled.end(), frames.begin(), frames.end());
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937_64(5));
  for (const HeldMessage& held : shuffled) Give(b, a.id(), held.message, 2s);
  Settle(2s);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(b.Has("k" + std::to_string(i))) << i;
  EXPECT_EQ(b.store->vector().Get(a.store->origin()), a.store->journal().upto());
}

TEST_F(StreamsTest, StreamsOfStrangersAreNotTaken) {
  Node stranger("z", time);
  Link();
  const KeyRef ref = stranger.store->keyspace().Ref(0, "k");
  stranger.store->keyspace().Lock(ref).SetString(ref, "v");
  ASSERT_TRUE(stranger.store->journal().Commit().ok());
  const std::string bytes = *stranger.batches.at(0).bytes;
  const auto applied = b.streams->OnBatches(a.id(), Batches{{bytes}}, 2s);
  ASSERT_TRUE(applied.ok());
  EXPECT_FALSE(applied->any);
  EXPECT_FALSE(b.Has("k"));
}

TEST_F(StreamsTest, ABatchFromTheFutureIsRefusedByName) {
  Link();
  time.StepWall(10s);  // both clocks draw from it; a's log is ten seconds ahead then
  a.Set("k", 2s);
  time.StepWall(-10s);
  const auto sent = a.sender.Take();
  ASSERT_FALSE(sent.empty());
  const auto applied = b.streams->OnBatches(a.id(), std::get<Batches>(sent[0].held.message), 2s);
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().code, Code::kRefused);
  EXPECT_NE(applied.error().message.find("max_clock_skew"), std::string::npos);
  EXPECT_FALSE(b.Has("k"));
}

TEST_F(StreamsTest, WhatStandsBeforeABadBatchCounts) {
  Link();
  for (const char* key : {"one", "two", "three"}) a.Write(key);
  std::string cut(*a.batches[2].bytes, 0, a.batches[2].bytes->size() - 9);
  const Batches frame{{*a.batches[0].bytes, *a.batches[1].bytes, cut}};
  const auto applied = b.streams->OnBatches(a.id(), frame, 2s);
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().code, Code::kCorruption);
  EXPECT_TRUE(b.Has("one") && b.Has("two"));
  EXPECT_FALSE(b.Has("three"));
  EXPECT_EQ(b.store->vector().Get(a.store->origin()), a.batches[1].header.upto);
}

TEST_F(StreamsTest, RubbishInsideABatchIsCorruptionAndNamed) {
  Link();
  const auto applied = b.streams->OnBatches(a.id(), Batches{{"rubbish"}}, 2s);
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().code, Code::kCorruption);
}

TEST_F(StreamsTest, HintsAtAWalkWhereTheLogWasCut) {
  for (int i = 0; i < 5; ++i) {
    a.Set("k" + std::to_string(i), 1s);
    ASSERT_TRUE(a.store->Checkpoint().ok());
  }
  // A fresh process: nothing in memory but what recovery gave.
  a.streams = std::make_unique<Streams>(*a.store, *a.list, a.clocks, a.sender, a.random, a.log);
  a.streams->AddPeer(b.id(), 2s);
  a.sender.Take();
  b.streams->AddPeer(a.id(), 2s);
  for (const auto& sent : b.sender.Take()) Give(a, b.id(), sent.held.message, 2s);
  bool hinted = false;
  for (const auto& sent : a.sender.Take()) {
    hinted = hinted || std::holds_alternative<WalkHint>(sent.held.message);
  }
  EXPECT_TRUE(hinted);
}

TEST_F(StreamsTest, ALargeClusterPushesToAFewWhoPassItOn) {
  for (int i = 0; i < 20; ++i) {
    a.streams->AddPeer(NodeId::FromName("peer" + std::to_string(i)), 1s);
  }
  a.sender.Take();
  a.Set("k", 2s);
  EXPECT_EQ(a.sender.Take().size(), limits::kPushFanout);
  for (int i = 0; i < 20; ++i) {
    b.streams->AddPeer(NodeId::FromName("peer" + std::to_string(i)), 1s);
  }
  b.streams->AddPeer(a.id(), 1s);
  b.sender.Take();
  const auto bytes = a.store->ReadStream(a.store->origin(), Stamp{}, 1 << 20);
  ASSERT_TRUE(bytes.ok());
  ASSERT_TRUE(b.streams->OnBatches(a.id(), Batches{{*bytes->at(0)}}, 2s).ok());
  int relayed = 0;
  for (const auto& sent : b.sender.Take()) {
    relayed += std::holds_alternative<Batches>(sent.held.message);
    EXPECT_FALSE(std::holds_alternative<Batches>(sent.held.message) && sent.to == a.id());
  }
  EXPECT_GT(relayed, 0);
}

}  // namespace
}  // namespace starling
