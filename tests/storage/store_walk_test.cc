// Streams and walks from peers: applied once, in order, and held after a crash.
#include <gtest/gtest.h>

#include <deque>
#include <span>

#include "storage/state_records.h"
#include "tests/storage/one_store.h"

namespace starling {
namespace {

/// Logs what was written and returns the newest batch.
SharedBytes Commit(OneStore& node) {
  EXPECT_TRUE(node.store->journal().Commit());
  return node.disk->FindLog(node.store->origin(), node.store->journal().upto());
}

class TwoStores : public testing::Test {
 protected:
  TwoStores() {
    EXPECT_TRUE(a_.Open());
    EXPECT_TRUE(b_.Open());
  }
  OneStore a_{"a"}, b_{"b"};
};

TEST_F(TwoStores, ABatchIsAppliedOnceAndInItsOrder) {  // I6
  a_.Increment("c");
  const SharedBytes first = Commit(a_);
  a_.Increment("c");
  const SharedBytes second = Commit(a_);
  const Result<bool> early = b_.Apply(second);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kUnavailable);
  EXPECT_FALSE(b_.Get("c"));
  EXPECT_TRUE(*b_.Apply(first));
  EXPECT_FALSE(*b_.Apply(first));
  EXPECT_TRUE(*b_.Apply(second));
  EXPECT_FALSE(*b_.Apply(first));
  EXPECT_EQ(b_.Get("c"), "2");
  EXPECT_EQ(b_.store->vector().Get(a_.store->origin()), a_.store->journal().upto());
}

TEST_F(TwoStores, ARunOfBatchesIsAppliedFromWhereItIsHeld) {
  std::vector<SharedBytes> bytes;
  std::deque<DecodedBatch> batches;
  std::vector<Store::Received> run;
  for (int i = 0; i < 4; ++i) {
    a_.Increment("c");
    bytes.push_back(Commit(a_));
    batches.push_back(*DecodedBatch::Decode(*bytes.back()));
    run.push_back({batches.back(), *bytes.back()});
  }
  const std::span whole(run);
  EXPECT_EQ(b_.store->ApplyRun(whole.subspan(1)).error().code, Code::kUnavailable);
  const std::vector<Store::Received> torn = {run[0], run[2]};
  EXPECT_EQ(b_.store->ApplyRun(torn).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(b_.Get("c")) << "nothing has changed";
  EXPECT_EQ(*b_.store->ApplyRun(whole.first(2)), 2u);
  EXPECT_EQ(*b_.store->ApplyRun(whole), 2u) << "the last two were new";
  EXPECT_EQ(*b_.store->ApplyRun(whole), 0u);
  EXPECT_EQ(b_.Get("c"), "4");
  ASSERT_TRUE(b_.Open());  // as after kill -9
  EXPECT_EQ(b_.Get("c"), "4");
  EXPECT_EQ(b_.store->vector().Get(a_.store->origin()), a_.store->journal().upto());
}

TEST_F(TwoStores, OwnAndNamelessStreamsAreRefused) {
  a_.Set("k", "v");
  const Result<bool> own = a_.Apply(Commit(a_));
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, Code::kRefused);
  const BatchHeader header{Origin{NodeId{}, 5}, {}, Stamp{9}};
  const Result<bool> nameless =
      a_.Apply(std::make_shared<const std::string>(EncodeBatch(header, {})));
  ASSERT_FALSE(nameless);
  EXPECT_EQ(nameless.error().code, Code::kCorruption);
}

TEST_F(TwoStores, StreamsAreReadBackFromWhereAPeerIs) {
  std::vector<Stamp> ends;
  for (int i = 0; i < 10; ++i) {
    a_.Set("k", std::string(100, 'v'));
    Commit(a_);
    ends.push_back(a_.store->journal().upto());
  }
  const Origin origin = a_.store->origin();
  EXPECT_EQ(a_.store->ReadStream(origin, {}, SIZE_MAX)->size(), 10u);
  EXPECT_EQ(a_.store->ReadStream(origin, ends[6], SIZE_MAX)->size(), 3u);
  EXPECT_EQ(a_.store->ReadStream(origin, ends[9], SIZE_MAX)->size(), 0u);
  EXPECT_EQ(a_.store->ReadStream(origin, {}, 1)->size(), 1u);
  EXPECT_TRUE(a_.store->ReadStream(OriginOf(77), {}, 1)->empty());
  // Two checkpoints later the log no longer reaches back.
  ASSERT_TRUE(a_.store->Checkpoint());
  EXPECT_EQ(a_.store->ReadStream(origin, {}, SIZE_MAX)->size(), 10u);  // kept for peers that lag
  ASSERT_TRUE(a_.store->Checkpoint());
  const auto gone = a_.store->ReadStream(origin, {}, SIZE_MAX);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kNotFound);
}

TEST_F(TwoStores, AWalkBringsWhatTheLogNoLongerHas) {
  for (int i = 0; i < 50; ++i) a_.Set("k" + std::to_string(i), std::string(100, 'v'));
  a_.Add("s", "m");
  Commit(a_);
  b_.Set("own", "kept");
  Commit(b_);
  ASSERT_TRUE(b_.store->ApplyWalk(OneStore::WalkOf(*a_.store, b_.store->vector()), false));
  EXPECT_EQ(b_.Get("k49"), std::string(100, 'v'));
  EXPECT_EQ(b_.Get("own"), "kept");
  EXPECT_EQ(b_.store->vector().Get(a_.store->origin()), a_.store->journal().upto());
  const auto held = b_.Walk();
  ASSERT_TRUE(b_.Open());
  EXPECT_EQ(b_.Walk(), held);
  ASSERT_TRUE(b_.store->Checkpoint());
  ASSERT_TRUE(b_.Open());
  EXPECT_EQ(b_.Walk(), held);
}

TEST_F(TwoStores, AWalkIsReplayedAfterTheStreamsThatItLeftOut) {  // I10
  a_.Set("early", "streamed");
  ASSERT_TRUE(b_.Apply(Commit(a_)));
  b_.Set("own", "before the walk");
  Commit(b_);
  ASSERT_TRUE(a_.Apply(b_.disk->FindLog(b_.store->origin(), b_.store->journal().upto())));
  a_.Set("late", "walked");
  Commit(a_);
  ASSERT_TRUE(b_.store->ApplyWalk(OneStore::WalkOf(*a_.store, b_.store->vector()), false));
  a_.Set("last", "streamed");
  ASSERT_TRUE(b_.Apply(Commit(a_)));
  b_.Set("own 2", "after the walk");
  Commit(b_);
  const auto held = b_.Walk();
  const VersionVector vector = b_.store->vector();
  ASSERT_TRUE(b_.Open());
  EXPECT_EQ(b_.Get("early"), "streamed");
  EXPECT_EQ(b_.Get("own"), "before the walk");
  EXPECT_EQ(b_.Walk(), held);
  EXPECT_EQ(b_.store->vector(), vector);
}

TEST_F(TwoStores, AWholeStateDropsWhatTheSenderHasDroppedAndIsReplayed) {  // counterexample 16, I8
  a_.Set("gone", "v");
  a_.Set("stays", "v");
  ASSERT_TRUE(b_.Apply(Commit(a_)));
  b_.Set("own", "unseen by a");
  Commit(b_);
  a_.Delete("gone");
  Commit(a_);
  ASSERT_EQ(a_.FreeAll(), 1u);  // b lags: below a's floor
  EXPECT_FALSE(b_.store->vector().Covers(a_.store->keyspace().floor()));
  ASSERT_TRUE(b_.store->ApplyWalk(OneStore::WalkOf(*a_.store, {}), true));
  for (int life = 0; life < 3; ++life) {
    EXPECT_FALSE(b_.Get("gone"));
    EXPECT_EQ(b_.Get("stays"), "v");
    EXPECT_EQ(b_.Get("own"), "unseen by a");
    EXPECT_TRUE(b_.store->keyspace().floor().Covers(a_.store->keyspace().floor()));
    if (life == 1) {
      ASSERT_TRUE(b_.store->Checkpoint());
    }
    ASSERT_TRUE(b_.Open());
  }
}

TEST_F(TwoStores, AWholeStateTakesOutADatabasesCutThatItCoversAndLacks) {  // I8, I10
  a_.Set("k", "v");
  ASSERT_TRUE(b_.Apply(Commit(a_)));
  b_.store->keyspace().FlushDatabase(0);
  Commit(b_);
  ASSERT_EQ(b_.Get("k"), std::nullopt);
  // What b wrote alone counts for nothing: it takes a's state, covered there and absent there.
  VersionVector own;
  own.Set(b_.store->origin(), b_.store->journal().upto());
  ASSERT_TRUE(b_.store->RaiseIncarnation("entering a cluster"));
  std::vector<std::string> chunks = OneStore::WalkOf(*a_.store, {});
  chunks.push_back(EncodeChunk({}, own));
  ASSERT_TRUE(b_.store->Checkpoint());  // which has the cut
  ASSERT_TRUE(b_.store->ApplyWalk(chunks, /*whole_state=*/true));
  for (const bool reopened : {false, true}) {
    if (reopened) {
      ASSERT_TRUE(b_.store->Checkpoint());
      ASSERT_TRUE(b_.Open());
    }
    EXPECT_EQ(b_.Get("k"), "v") << reopened;
    EXPECT_EQ(b_.Walk(), a_.Walk()) << reopened;
  }
}

TEST_F(TwoStores, AnOldWalkAfterItsTombstoneWasFreedBringsNothingBack) {  // counterexample 15, I8
  a_.Set("k", "v");
  a_.Add("s", "m");
  Commit(a_);
  const std::vector<std::string> old_walk = OneStore::WalkOf(*a_.store, {});
  ASSERT_TRUE(b_.store->ApplyWalk(old_walk, false));
  a_.Delete("k");
  a_.Remove("s", "m");
  ASSERT_TRUE(b_.Apply(Commit(a_)));
  b_.FreeAll();
  ASSERT_TRUE(b_.store->ApplyWalk(old_walk, false));
  EXPECT_FALSE(b_.Get("k"));
  EXPECT_TRUE(b_.Members("s").empty());
  ASSERT_TRUE(b_.Open());
  EXPECT_FALSE(b_.Get("k"));
}

TEST_F(TwoStores, AnOldWalkBringsBackNothingThatWasWrittenHereEither) {  // I8
  a_.Set("k", "v");
  ASSERT_TRUE(b_.Apply(Commit(a_)));
  b_.Set("other", "v");
  Commit(b_);
  const std::vector<std::string> old_walk = OneStore::WalkOf(*b_.store, {});
  a_.Delete("k");
  Commit(a_);
  a_.FreeAll();
  ASSERT_TRUE(a_.store->ApplyWalk(old_walk, false));
  EXPECT_EQ(a_.Get("other"), "v");
  EXPECT_FALSE(a_.Get("k"));
  ASSERT_TRUE(a_.Open());
  EXPECT_FALSE(a_.Get("k"));
}

TEST_F(TwoStores, AWalkThatIsMalformedOrHasNoVectorChangesNothing) {  // I13
  a_.Set("k", "v");
  Commit(a_);
  std::vector<std::string> chunks = OneStore::WalkOf(*a_.store, {});
  chunks.pop_back();
  EXPECT_EQ(b_.store->ApplyWalk(chunks, false).error().code, Code::kCorruption);
  chunks = OneStore::WalkOf(*a_.store, {});
  chunks[0].resize(chunks[0].size() / 2);
  EXPECT_EQ(b_.store->ApplyWalk(chunks, true).error().code, Code::kCorruption);
  EXPECT_FALSE(b_.Get("k"));
  EXPECT_TRUE(b_.store->vector().Get(a_.store->origin()).none());
}

TEST_F(TwoStores, WalksLeaveTheLogWithTheCheckpointThatHoldsThem) {  // I9
  a_.Set("k", std::string(10'000, 'v'));
  Commit(a_);
  const uint64_t before = b_.disk->log_bytes();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(b_.store->ApplyWalk(OneStore::WalkOf(*a_.store, {}), true));
  }
  EXPECT_GT(b_.disk->log_bytes(), before + 50'000);
  // Killed between the vector and the end of the walks' records, wherever that is.
  for (uint64_t calls = 1; calls < 16; ++calls) {
    b_.disk->CrashAt(calls, CrashKind::kKill, true);
    (void)b_.store->Checkpoint();
    ASSERT_TRUE(b_.Open());
    EXPECT_EQ(b_.Get("k"), std::string(10'000, 'v'));
  }
  ASSERT_TRUE(b_.store->Checkpoint());
  EXPECT_LT(b_.disk->log_bytes(), before + 1000);
}

TEST_F(TwoStores, WalkChunksAreOfTheSizeAskedFor) {
  for (int i = 0; i < 500; ++i) a_.Set("k" + std::to_string(i), std::string(50, 'v'));
  a_.store->keyspace().FlushDatabase(3);
  for (const std::string& chunk : OneStore::WalkOf(*a_.store, {})) EXPECT_LT(chunk.size(), 8000u);
}

TEST_F(TwoStores, InventedOriginsAreRefusedBeforeTheyEndTheProcess) {  // I11
  std::optional<Error> refused;
  for (uint64_t round = 0; round < 10 && !refused; ++round) {
    std::vector<Item> items;
    VersionVector vector;
    for (uint64_t i = 1; i <= 10'000; ++i) {
      Item item;
      item.part = Part::kBase;
      item.key = "k";
      item.origin = OriginOf(i, round);
      item.stamp = Stamp{i};
      item.value = Value::OfNumber({});
      items.push_back(item);
    }
    vector.Set(OriginOf(1, round), Stamp{1});
    const Status status = b_.store->ApplyWalk({EncodeChunk(items, vector)}, false);
    if (!status) refused = status.error();
  }
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Code::kLimitExceeded);
  b_.Set("own", "still written");
  ASSERT_TRUE(b_.store->RaiseIncarnation("test"));
  ASSERT_TRUE(b_.Open());
  EXPECT_EQ(b_.Get("own"), "still written");
}

TEST(WalkRecords, RoundTripAndRefuseEveryTruncation) {  // I11
  WalkRecord record;
  record.whole_state = true;
  record.chunks = 300;
  for (uint64_t i = 1; i < 5; ++i) record.held.Set(OriginOf(i, i << 40), Stamp{i << 50});
  const std::string bytes = record.Encode();
  const Result<WalkRecord> decoded = WalkRecord::Decode(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->whole_state);
  EXPECT_EQ(decoded->chunks, 300u);
  EXPECT_EQ(decoded->held, record.held);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(WalkRecord::Decode(bytes.substr(0, size))) << size;
  }
  EXPECT_FALSE(WalkRecord::Decode(bytes + "x"));
}

}  // namespace
}  // namespace starling
