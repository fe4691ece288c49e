// Who a node is after each way to end and to begin: when the incarnation rises (counterexample 28).
#include <gtest/gtest.h>

#include "tests/storage/one_store.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

class Incarnation : public testing::Test {
 protected:
  Incarnation() {
    EXPECT_TRUE(node_.Open());
    node_.Set("k", "v");
    EXPECT_TRUE(node_.store->journal().Commit());
    first_ = written_ = node_.store->origin();
  }
  /// Opens again and says whether the incarnation has risen; what is held must be there either way.
  bool Rises() {
    EXPECT_TRUE(node_.Open());
    EXPECT_EQ(node_.Get("k"), "v");
    const Origin now = node_.store->origin();
    EXPECT_EQ(now.node, first_.node);
    EXPECT_GE(now.incarnation, first_.incarnation);
    const bool rises = now != first_;
    EXPECT_FALSE(node_.store->vector().Get(written_).none());
    first_ = now;
    return rises;
  }
  OneStore node_;
  Origin first_;
  Origin written_;  // of "k"
};

TEST_F(Incarnation, StaysAfterACleanEnd) {
  ASSERT_TRUE(node_.store->Close());
  node_.options.boot_id = "boot 2";
  EXPECT_FALSE(Rises());
}

TEST_F(Incarnation, StaysAfterAKill) { EXPECT_FALSE(Rises()); }

TEST_F(Incarnation, RisesWhenTheHostWentDownWithUnsyncedLog) {
  node_.options.boot_id = "boot 2";
  EXPECT_TRUE(Rises());
  EXPECT_FALSE(Rises());
}

// Peers may hold what was on its way while the own disk had not synced it yet.
TEST_F(Incarnation, RisesWhenTheHostWentDownAndNothingAcknowledgedWasLost) {
  ASSERT_TRUE(node_.store->Close());
  node_.options.appendfsync = AppendFsync::kAlways;
  EXPECT_FALSE(Rises());
  const uint64_t last_loss = node_.store->last_loss();
  node_.options.boot_id = "boot 2";
  EXPECT_TRUE(Rises());
  EXPECT_EQ(node_.store->last_loss(), last_loss);
  EXPECT_FALSE(Rises());
  EXPECT_EQ(node_.store->last_loss(), last_loss);
}

TEST_F(Incarnation, TellsWhichOneBeganWithALoss) {
  const auto last_loss = [this] { return node_.store->last_loss(); };
  EXPECT_EQ(last_loss(), first_.incarnation);
  EXPECT_FALSE(Rises());
  EXPECT_EQ(last_loss(), first_.incarnation);
  node_.options.boot_id = "boot 2";  // without `always`
  EXPECT_TRUE(Rises());
  EXPECT_EQ(last_loss(), first_.incarnation);
  node_.options.appendfsync = AppendFsync::kAlways;
  EXPECT_FALSE(Rises());
  node_.options.folder_identity = "folder 2";
  EXPECT_TRUE(Rises());
  EXPECT_EQ(last_loss(), first_.incarnation);
  ASSERT_TRUE(node_.store->RaiseIncarnation("a peer holds more of it"));
  EXPECT_EQ(last_loss(), node_.store->origin().incarnation);
}

// A record of an earlier version says nothing of losses.
TEST_F(Incarnation, OneOfAnEarlierVersionBeganWithALoss) {
  const std::string record = *node_.store->engine().GetMeta("identity").value();
  const size_t last = record.rfind('\n', record.size() - 2);
  ASSERT_TRUE(node_.store->engine().PutMeta("identity", record.substr(0, last + 1)));
  EXPECT_FALSE(Rises());
  EXPECT_EQ(node_.store->last_loss(), first_.incarnation);
}

TEST_F(Incarnation, RisesWhenSyncingWasWeakenedBeforeTheHostWentDown) {
  ASSERT_TRUE(node_.store->Close());
  node_.options.appendfsync = AppendFsync::kAlways;
  EXPECT_FALSE(Rises());
  ASSERT_TRUE(node_.store->SetAppendFsync(AppendFsync::kEverySecond));
  node_.options.boot_id = "boot 2";
  EXPECT_TRUE(Rises());
  EXPECT_EQ(node_.store->last_loss(), first_.incarnation);
}

TEST_F(Incarnation, LosesNothingWhenSyncingWasStrengthenedBeforeTheHostWentDown) {
  const uint64_t last_loss = node_.store->last_loss();
  ASSERT_TRUE(node_.store->SetAppendFsync(AppendFsync::kAlways));
  node_.Set("k", "v");
  ASSERT_TRUE(node_.store->journal().Commit());
  node_.Kill(CrashKind::kPowerLoss);
  node_.options.boot_id = "boot 2";
  node_.options.appendfsync = AppendFsync::kAlways;
  EXPECT_TRUE(Rises());
  EXPECT_EQ(node_.store->last_loss(), last_loss);
}

TEST_F(Incarnation, RisesInACopiedFolder) {
  node_.options.folder_identity = "folder 2";
  EXPECT_TRUE(Rises());
  EXPECT_FALSE(Rises());
}

TEST_F(Incarnation, RisesInARestoredFolder) {
  node_.options.restored = true;
  EXPECT_TRUE(Rises());
}

TEST_F(Incarnation, RisesWithADamagedTailAndSaysWhere) {
  node_.Set("tail", "lost");
  ASSERT_TRUE(node_.store->journal().Commit());
  node_.disk->CorruptLogTail(1);
  EXPECT_TRUE(Rises());
  EXPECT_FALSE(node_.Get("tail"));
  EXPECT_NE(node_.log.str().find("event=log_cut"), std::string::npos);
  EXPECT_NE(node_.log.str().find("file=memory.log"), std::string::npos);
}

TEST_F(Incarnation, RisesWithEachLifeOfAnEphemeralNode) {
  node_.options.ephemeral = true;
  EXPECT_TRUE(Rises());
  EXPECT_TRUE(Rises());
}

TEST_F(Incarnation, OnlyGrowsEvenIfTheWallClockDoesNot) {
  node_.time.StepWall(-1h);
  node_.options.folder_identity = "folder 2";
  EXPECT_TRUE(Rises());
  node_.options.folder_identity = "folder 3";
  EXPECT_TRUE(Rises());
}

TEST_F(Incarnation, AnotherNamesFolderIsRefused) {
  node_.options.name = "b";
  const Status status = node_.Open();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kRefused);
  EXPECT_NE(status.error().message.find("\"a\""), std::string::npos);
}

TEST_F(Incarnation, RaisedWhileRunningEndsTheOldStreamWhereItEnded) {
  node_.Set("pending", "v");  // leaves with the old stream
  ASSERT_TRUE(node_.store->RaiseIncarnation("a peer holds more of it"));
  const Origin second = node_.store->origin();
  EXPECT_GT(second, first_);
  Stamp end;
  ASSERT_TRUE(node_.store->engine().ReadLog(first_, {}, [&](const Engine::LogRecord& record) {
    end = record.upto;
    return true;
  }));
  EXPECT_EQ(node_.store->vector().Get(first_), end);
  EXPECT_TRUE(node_.store->vector().Get(second).none());
  node_.Increment("c", 3);
  ASSERT_TRUE(node_.store->journal().Commit());
  first_ = second;
  EXPECT_FALSE(Rises());
  EXPECT_EQ(node_.Get("pending"), "v");
  EXPECT_EQ(node_.Get("c"), "3");
}

TEST_F(Incarnation, ACounterGoesOnInASlotOfItsOwn) {
  node_.Increment("c", 2);
  ASSERT_TRUE(node_.store->RaiseIncarnation("test"));
  node_.Increment("c", 3);
  ASSERT_TRUE(node_.store->journal().Commit());
  ASSERT_TRUE(node_.Open());
  EXPECT_EQ(node_.Get("c"), "5");
}

TEST(StoreClock, GoesOnAboveAllItRecoveredThoughTheWallClockSteppedBack) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  node.Set("k", "before");
  ASSERT_TRUE(node.store->journal().Commit());
  OneNode peer(7);
  peer.clock.Observe(Stamp::FirstOf(node.time.WallMillis() + 400));
  peer.Set("k", "from a peer ahead");
  ASSERT_TRUE(node.Apply(peer.Flush()));
  const Stamp last = node.store->clock().last();
  node.time.StepWall(-24h);
  for (const bool checkpoint : {false, true}) {
    if (checkpoint) {
      ASSERT_TRUE(node.store->Checkpoint());
    }
    ASSERT_TRUE(node.Open());
    EXPECT_GE(node.store->clock().last(), last);
    node.Set("k", "after");
    EXPECT_EQ(node.Get("k"), "after");
  }
}

TEST(StoreRecords, SurviveARestart) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  EXPECT_FALSE(*node.store->GetRecord("cluster"));
  ASSERT_TRUE(node.store->PutRecord("cluster", "id 1"));
  ASSERT_TRUE(node.Open());
  EXPECT_EQ(**node.store->GetRecord("cluster"), "id 1");
}

}  // namespace
}  // namespace starling
