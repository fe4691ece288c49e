// What a node wrote before it entered, written again.
#include "replication/reissue.h"

#include <gtest/gtest.h>

#include "storage/held_shards.h"
#include "storage/speculation.h"
#include "tests/storage/one_store.h"

namespace starling {
namespace {

/// A joiner, and the cluster that it enters.
class ReissueTest : public ::testing::Test {
 protected:
  ReissueTest() {
    EXPECT_TRUE(joiner_.Open());
    EXPECT_TRUE(cluster_.Open());
  }

  static void Commit(OneStore& at) { ASSERT_TRUE(at.store->journal().Commit()); }

  /// `to` takes what `from` has committed of its own.
  static void Push(OneStore& from, OneStore& to) {
    Commit(from);
    const auto batches = from.store->ReadStream(from.store->origin(), {}, SIZE_MAX);
    ASSERT_TRUE(batches);
    for (const SharedBytes& batch : *batches) ASSERT_TRUE(to.Apply(batch));
  }

  /// Enters as replication/joining does; `meanwhile` runs once the incarnation has risen.
  Reissue::Written Enter(const std::function<void()>& meanwhile = [] {}) {
    Commit(joiner_);
    Commit(cluster_);
    Store& store = *joiner_.store;
    std::vector<std::string> pieces = OneStore::WalkOf(*cluster_.store, {});
    const VersionVector accepted = cluster_.store->vector();
    for (const auto& entry : accepted.entries()) store.clock().Observe(entry.upto);
    const Origin before = store.origin();
    const auto between =
        store.RaiseIncarnation("test", Reissue::StampsFor(store.keyspace(), store.id(), accepted));
    EXPECT_TRUE(between);
    meanwhile();
    Reissue reissue;
    reissue.Capture(store.keyspace(), store.id(), store.origin(), accepted);
    for (const std::string& piece : pieces) reissue.Compare(*DecodedBatch::Decode(piece));
    const auto written = reissue.Write(*between);
    EXPECT_TRUE(written);
    VersionVector own;
    own.Set(before, store.vector().Get(before));
    pieces.push_back(EncodeChunk({}, own));
    EXPECT_TRUE(store.ApplyWalk(pieces, true, {written->stream, {{"record", "value"}}}));
    origin_ = between->origin;
    return *written;
  }

  static void ExpireAt(OneStore& at, const char* key, int64_t millis) {
    EXPECT_TRUE(at.Lock(key).SetDeadline(at.Ref(key), millis));
  }
  static std::optional<int64_t> DeadlineOf(OneStore& at, const char* key) {
    const auto view = at.Lock(key).Find(at.Ref(key));
    return view ? view->deadline_millis : std::nullopt;
  }
  /// The cluster takes what was written again.
  void Take(const Reissue::Written& written) {
    for (const std::string& batch : written.stream) {
      ASSERT_TRUE(cluster_.Apply(std::make_shared<const std::string>(batch)));
    }
  }
  int64_t Soon(int64_t millis) { return cluster_.store->clock().NowMillis() + millis; }

  OneStore joiner_{"joiner"};
  OneStore cluster_{"cluster", 2};
  Origin origin_;  // of what was written again
};

TEST_F(ReissueTest, WhatClientsWriteMeanwhileIsLaterThanWhatIsWrittenAgain) {  // I2
  joiner_.Set("sum", "5");
  joiner_.Set("text", "before");
  joiner_.Set("gone", "before");
  Enter([this] {
    joiner_.Increment("sum", 2);
    joiner_.Set("text", "meanwhile");
    joiner_.Delete("gone");
  });
  EXPECT_EQ(joiner_.Get("sum"), "7");
  EXPECT_EQ(joiner_.Get("text"), "meanwhile");
  EXPECT_FALSE(joiner_.Get("gone"));
}

TEST_F(ReissueTest, WhatIsWrittenAgainIsAStreamThatPeersCanReadAndThatARestartFinds) {  // I10
  for (int i = 0; i < 40; ++i) joiner_.Set("k" + std::to_string(i), std::string(100'000, 'v'));
  cluster_.Set("theirs", "v");
  const Reissue::Written written = Enter();
  EXPECT_EQ(written.items, 40u);
  EXPECT_GE(written.stream.size(), 4u) << "bounded batches";
  for (int life = 0; life < 3; ++life) {
    EXPECT_EQ(joiner_.Get("k39"), std::string(100'000, 'v'));
    EXPECT_EQ(joiner_.Get("theirs"), "v");
    EXPECT_EQ(*joiner_.store->GetRecord("record"), "value");
    const auto batches = joiner_.store->ReadStream(origin_, {}, SIZE_MAX);
    ASSERT_TRUE(batches);
    EXPECT_EQ(batches->size(), written.stream.size());
    ASSERT_TRUE(joiner_.Open());
    if (life == 1) {
      ASSERT_TRUE(joiner_.store->Checkpoint());
    }
  }
  for (const std::string& batch : written.stream) {
    ASSERT_TRUE(cluster_.Apply(std::make_shared<const std::string>(batch)));
  }
  EXPECT_EQ(cluster_.Get("k39"), std::string(100'000, 'v'));
}

TEST_F(ReissueTest, AClaimStaysWhatItIs) {  // I3
  joiner_.Set("lock", "mine");
  joiner_.Increment("count");
  joiner_.Add("set", "mine");
  for (const char* name : {"lock", "count", "set"}) {
    const KeyRef key = cluster_.Ref(name);
    const HeldShards held(cluster_.store->keyspace(), {&key, 1});
    Speculation speculation(cluster_.store->keyspace());
    ASSERT_TRUE(cluster_.Lock(name).Claim(key, "theirs", 60'000));
    speculation.Keep();
  }
  const Reissue::Written written = Enter();
  EXPECT_EQ(written.items, 0u);
  for (const char* name : {"lock", "count", "set"}) {
    EXPECT_EQ(joiner_.Get(name), "theirs") << name;
    EXPECT_TRUE(joiner_.Lock(name).HasLiveClaim(joiner_.Ref(name))) << name;
  }
}

TEST_F(ReissueTest, ADeletionStandsAlsoWhereTheClusterHoldsSomethingLater) {  // I8
  cluster_.Add("set", "seen");
  cluster_.Set("text", "seen");
  Push(cluster_, joiner_);
  ASSERT_TRUE(joiner_.Delete("set"));
  ASSERT_TRUE(joiner_.Delete("text"));
  cluster_.store->clock().Observe(joiner_.store->clock().last());
  cluster_.Add("set", "later");
  const Reissue::Written written = Enter();
  EXPECT_EQ(joiner_.Members("set"), std::set<std::string>{"later"});
  EXPECT_FALSE(joiner_.Get("text"));
  for (const std::string& batch : written.stream) {
    ASSERT_TRUE(cluster_.Apply(std::make_shared<const std::string>(batch)));
  }
  EXPECT_EQ(cluster_.Members("set"), std::set<std::string>{"later"});
  EXPECT_FALSE(cluster_.Get("text"));
}

TEST_F(ReissueTest, ARemovalStandsAlsoWhereWhatItRemovedIsStillOnItsWay) {  // I8
  OneStore third("third", 3);
  ASSERT_TRUE(third.Open());
  third.Add("set", "seen");
  third.Add("set", "kept");
  Push(third, joiner_);
  joiner_.Remove("set", "seen");
  const Reissue::Written written = Enter();
  EXPECT_EQ(written.items, 1u);
  for (const std::string& batch : written.stream) {
    ASSERT_TRUE(cluster_.Apply(std::make_shared<const std::string>(batch)));
  }
  Push(third, cluster_);
  EXPECT_EQ(cluster_.Members("set"), std::set<std::string>{"kept"});
  EXPECT_EQ(joiner_.Members("set"), std::set<std::string>{"kept"});
}

TEST_F(ReissueTest, ADeletionTakesNothingThatTheNodeWroteAfterIt) {
  cluster_.Add("set", "seen");
  cluster_.Increment("sum", 7);
  Push(cluster_, joiner_);
  ASSERT_TRUE(joiner_.Delete("set"));
  ASSERT_TRUE(joiner_.Delete("sum"));
  joiner_.Add("set", "mine");
  joiner_.Increment("sum", 2);
  Enter();
  EXPECT_EQ(joiner_.Members("set"), std::set<std::string>{"mine"});
  EXPECT_EQ(joiner_.Get("sum"), "2");
}

TEST_F(ReissueTest, WhatTheClusterHadOfACounterAndHasResetDoesNotComeBack) {  // I2
  joiner_.Increment("sum", 5);
  joiner_.Increment("kept", 5);
  Push(joiner_, cluster_);
  ASSERT_TRUE(cluster_.Delete("sum"));
  Commit(cluster_);
  ASSERT_EQ(cluster_.FreeAll(), 1u) << "nothing tells of the deletion any more";
  joiner_.Increment("sum", 2);
  joiner_.Increment("kept", 2);
  Enter();
  EXPECT_FALSE(joiner_.Get("sum")) << "five of the seven had been deleted";
  EXPECT_EQ(joiner_.Get("kept"), "7");
}

// Simulator, seeds 486 and 329 with a folder: the deletion left nothing that the deadline could
// be of when the counter was written again.
// Simulator, full length: seed 276 of reset-counters under forget: what the node had added later,
// in a stream that others held, went with the value that it wrote again.
TEST_F(ReissueTest, AValueWrittenAgainKeepsWhatWasAddedToItSince) {  // I2
  joiner_.Set("n", "2000");
  joiner_.Lock("h").AddElement(joiner_.Ref("h"), ElementType::kHash, "f", Value::FromText("100"));
  Commit(joiner_);
  ASSERT_TRUE(joiner_.store->RaiseIncarnation("test"));
  const auto add = [](OneStore& at, int64_t by) {
    at.Increment("n", by);
    ASSERT_TRUE(at.Lock("h").IncrementElement(at.Ref("h"), ElementType::kHash, "f", by).ok());
  };
  add(joiner_, 26);
  Push(joiner_, cluster_);
  add(cluster_, 3);
  add(joiner_, 1);
  Take(Enter());
  for (OneStore* one : {&joiner_, &cluster_}) {
    EXPECT_EQ(one->Get("n"), "2030");
    EXPECT_EQ(one->Lock("h").IncrementElement(one->Ref("h"), ElementType::kHash, "f", 0).value(),
              130);
  }
}

TEST_F(ReissueTest, ACounterWrittenAgainKeepsTheClustersDeadline) {  // I8
  cluster_.Increment("window", 3);
  Push(cluster_, joiner_);
  ASSERT_TRUE(joiner_.Delete("window"));
  joiner_.Increment("window", 2);
  ExpireAt(joiner_, "window", Soon(2000));
  cluster_.store->clock().Observe(joiner_.store->clock().last());
  const int64_t later = Soon(9000);
  ExpireAt(cluster_, "window", later);
  Take(Enter());
  for (OneStore* node : {&joiner_, &cluster_}) {
    EXPECT_EQ(node->Get("window"), "2");
    EXPECT_EQ(DeadlineOf(*node, "window"), later);
  }
}

TEST_F(ReissueTest, ADeadlineIsWrittenAgainWhoeverWroteIt) {  // I8
  OneStore third("third", 3);
  ASSERT_TRUE(third.Open());
  const int64_t own = Soon(2000);
  const int64_t thirds = Soon(3000);
  third.Increment("of-third", 1);
  ExpireAt(third, "of-third", thirds);
  joiner_.Increment("of-third", 2);
  Push(third, joiner_);
  joiner_.Add("own", "mine");
  ExpireAt(joiner_, "own", own);
  cluster_.store->clock().Observe(joiner_.store->clock().last());
  cluster_.Add("own", "later");
  Take(Enter());  // and the third never returns
  EXPECT_EQ(DeadlineOf(cluster_, "of-third"), thirds);
  EXPECT_EQ(DeadlineOf(cluster_, "own"), own);
  EXPECT_EQ(cluster_.Members("own"), (std::set<std::string>{"later", "mine"}));
}

TEST_F(ReissueTest, WhatHadExpiredStaysAwayAndTakesNothingLaterAlong) {  // I2, I8
  cluster_.Set("text", "older");
  cluster_.Increment("cut", 1);
  Push(cluster_, joiner_);
  joiner_.Increment("mine", 2);
  joiner_.Increment("cut", 2);
  joiner_.Set("text", "newer");
  for (const char* key : {"mine", "text"}) ExpireAt(joiner_, key, Soon(20));
  // The cluster deletes it by the same deadline, and nothing tells of that any more.
  ExpireAt(cluster_, "cut", Soon(20));
  Push(cluster_, joiner_);
  cluster_.time.Advance(std::chrono::seconds(1));
  EXPECT_EQ(cluster_.store->keyspace().DeleteExpired(10, {}), 1u);
  Commit(cluster_);
  cluster_.FreeAll();
  cluster_.Increment("mine", 7);
  cluster_.Increment("cut", 7);
  Take(Enter());
  for (OneStore* node : {&joiner_, &cluster_}) {
    EXPECT_EQ(node->Get("mine"), "7");
    EXPECT_EQ(node->Get("cut"), "7");
    EXPECT_FALSE(node->Get("text")) << "what it had replaced is gone, too";
  }
}

TEST_F(ReissueTest, AValueWithoutADeadlineDoesNotTakeOverTheClusters) {
  cluster_.Set("text", "older");
  ExpireAt(cluster_, "text", Soon(9000));
  Push(cluster_, joiner_);
  joiner_.Set("text", "newer");
  Take(Enter());
  EXPECT_EQ(cluster_.Get("text"), "newer");
  EXPECT_EQ(DeadlineOf(cluster_, "text"), std::nullopt);
}

TEST_F(ReissueTest, WithoutRoomForItsStampsNothingIsWritten) {
  for (int i = 0; i < 20; ++i) joiner_.Set("k" + std::to_string(i), "v");
  Commit(joiner_);
  Store& store = *joiner_.store;
  const auto between = store.RaiseIncarnation("test", 10);
  ASSERT_TRUE(between);
  Reissue reissue;
  reissue.Capture(store.keyspace(), store.id(), store.origin(), {});
  EXPECT_FALSE(reissue.Write(*between));
}

TEST_F(ReissueTest, AStateOfUnknownOutcomeLeavesTheNodeReadOnlyUntilARestartShowsIt) {  // I13
  joiner_.Increment("count", 2);
  Commit(joiner_);
  cluster_.Increment("count", 1);
  Commit(cluster_);
  const auto pieces = OneStore::WalkOf(*cluster_.store, {});
  joiner_.disk->RunFull(0, /*unknown=*/true);
  const Status status = joiner_.store->ApplyWalk(pieces, true, {{}, {{"record", "value"}}});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnknownOutcome);
  EXPECT_EQ(joiner_.Get("count"), "2") << "nothing has changed in memory";
  joiner_.disk->HasSpace();
  joiner_.Increment("count", 5);
  EXPECT_EQ(joiner_.store->journal().Commit().error().code, Code::kReadOnly);
  EXPECT_EQ(joiner_.store->ApplyWalk(pieces, true).error().code, Code::kReadOnly);
  EXPECT_TRUE(joiner_.store->journal().read_only());
  ASSERT_TRUE(joiner_.Open());
  const bool taken = joiner_.store->GetRecord("record")->has_value();
  EXPECT_EQ(joiner_.Get("count"), taken ? "3" : "2") << "all of it or nothing";
  joiner_.Increment("count", 5);
  EXPECT_TRUE(joiner_.store->journal().Commit());
}

}  // namespace
}  // namespace starling
