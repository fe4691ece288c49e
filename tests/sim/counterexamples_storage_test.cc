/// The schedules of the design's list of counterexamples that concern one store and what two stores
/// make of each other's streams. Each names the rule without which it fails; README.md says how
/// that was verified.

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tests/sim/store_rig.h"

namespace starling::sim {
namespace {

using std::chrono::milliseconds;

class StorageCounterexamples : public ::testing::Test {
 protected:
  ManualTime time_;
  StoreRig a_{"A", time_, 1};
  StoreRig b_{"B", time_, 2};
  StoreRig c_{"C", time_, 3};

  /// Until a passed deadline has been noticed: the expiry index looks about once a second.
  void WaitForUpkeep(StoreRig& rig) {
    for (int i = 0; i < 30; ++i) {
      time_.Advance(milliseconds(100));
      rig.store().Maintain({});
    }
  }
};

// Rule: expiry only hides; deletion is an item, `cut = D`. Were A to free the key by itself, A's
// old count would come back on B, where B's later EXPIRE has replaced the deadline.
TEST_F(StorageCounterexamples, Schedule3FreedByExpiryOnOneNodeStaysGoneOnTheOthers) {
  a_.Increment("k");
  a_.Expire("k", 20);
  a_.Commit();
  WaitForUpkeep(a_);
  EXPECT_EQ(a_.Get("k"), std::nullopt);
  b_.Increment("k");
  b_.Expire("k", 3000);
  Exchange(a_, b_);
  EXPECT_EQ(a_.Get("k"), "1");
  ExpectAgreed(a_, b_);
}

// Rule: the cut's value is D itself, so two deletions of one expiry are one. With a stamp drawn for
// each, the later cut would delete the other node's new increment.
TEST_F(StorageCounterexamples, Schedule4TwoNodesDeleteOneExpiredKeyAndBothIncrementsCount) {
  a_.Increment("k", 5);
  a_.Expire("k", 20);
  Exchange(a_, b_);
  time_.Advance(milliseconds(50));
  a_.Increment("k");
  time_.Advance(milliseconds(5));
  b_.Increment("k");
  Exchange(a_, b_);
  EXPECT_EQ(a_.Get("k"), "2");
  ExpectAgreed(a_, b_);
}

// Rule: as schedule 3; whoever writes to a key that it sees expired deletes it first.
TEST_F(StorageCounterexamples, Schedule5AnOldWindowDoesNotCountInTheNewOne) {
  b_.Increment("k");
  b_.Expire("k", 20);
  WaitForUpkeep(b_);
  c_.Increment("k");
  c_.Expire("k", 20);
  Exchange(b_, c_);
  EXPECT_EQ(b_.Get("k"), "1");
  ExpectAgreed(b_, c_);
  time_.Advance(milliseconds(50));
  EXPECT_EQ(b_.Get("k"), std::nullopt);
  EXPECT_EQ(c_.Get("k"), std::nullopt);
}

// Rule: as before. C's increment deletes the old window as an item, not for itself alone: B would
// go on counting its own.
TEST_F(StorageCounterexamples, Schedule5WhoeverWritesToAnExpiredKeyDeletesItForAll) {
  b_.Increment("k");
  b_.Expire("k", 20);
  Exchange(b_, c_);
  time_.Advance(milliseconds(50));
  c_.Increment("k");
  c_.Expire("k", 3000);
  Exchange(b_, c_);
  EXPECT_EQ(c_.Get("k"), "1");
  ExpectAgreed(b_, c_);
}

// Rule: deadlines are set from and compared with the hybrid clock. A deadline from the wall clock
// would lie before the key's own stamp: it would delete at once, or, where that is not noticed,
// hide for ever nothing at all.
TEST_F(StorageCounterexamples, Schedule6AKeyExpiresThoughTheHybridClockIsAheadOfTheWallClock) {
  a_.store().clock().Observe(Stamp::FirstOf(time_.WallMillis() + 400));
  a_.Set("k", "v");
  a_.Expire("k", 100);
  EXPECT_EQ(a_.Get("k"), "v");
  time_.Advance(milliseconds(450));
  EXPECT_EQ(a_.Get("k"), "v");
  time_.Advance(milliseconds(100));
  EXPECT_EQ(a_.Get("k"), std::nullopt);
  a_.store().Maintain({});
  Exchange(a_, b_);
  EXPECT_EQ(b_.Get("k"), std::nullopt);
}

// Rule: a generation is closed under all shard locks and keeps its values; what is written while it
// is appended belongs to the next. Were dirtiness cleared after the append, the second INCR would
// be lost.
TEST_F(StorageCounterexamples, Schedule9AnIncrementDuringAFlushGoesIntoTheNextBatch) {
  a_.Increment("c");
  bool first = true;
  a_.disk().SetAppendObserver([&](const Engine::LogRecord&) {
    if (std::exchange(first, false)) a_.Increment("c");
  });
  a_.Commit();
  EXPECT_FALSE(first);
  a_.Commit();
  a_.Restart(CrashKind::kKill);
  EXPECT_EQ(a_.Get("c"), "2");
}

// Rule: as schedule 9; `upto` never falls inside a transaction and a batch has its generation's
// values. Were the batch built from what memory holds at the append, B would see p without q.
TEST_F(StorageCounterexamples, Schedule10ATransactionDuringAFlushTakesNothingFromTheOneBefore) {
  const auto set_both = [&](const char* left, const char* right, const char* value) {
    const KeyRef keys[] = {a_.Key(left), a_.Key(right)};
    Access access = a_.keyspace().Lock(keys);
    access.SetString(keys[0], value);
    access.SetString(keys[1], value);
  };
  set_both("p", "q", "one");
  bool first = true;
  a_.disk().SetAppendObserver([&](const Engine::LogRecord&) {
    if (std::exchange(first, false)) set_both("q", "r", "two");
  });
  a_.Commit();
  b_.Pull(a_);
  EXPECT_EQ(b_.Get("p"), "one");
  EXPECT_EQ(b_.Get("q"), "one");
  EXPECT_EQ(b_.Get("r"), std::nullopt);
  Exchange(a_, b_);
  EXPECT_EQ(b_.Get("q"), "two");
  EXPECT_EQ(b_.Get("r"), "two");
}

// Rule: a generation is closed under all shard locks. Closed shard by shard, a batch would take one
// half of a transaction that comes between: here while the closing waits for a shard that is held.
TEST_F(StorageCounterexamples, Schedule10NoBatchEndsInsideATransaction) {
  std::vector<KeyRef> keys;  // enough to lie in all shards
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) keys.push_back(a_.Key(name));
  for (size_t round = 0; round < 100; ++round) {
    std::atomic<bool> begun = false;
    std::thread closing;
    {
      Access hold = a_.keyspace().Lock(keys[round % keys.size()]);
      closing = std::thread([&] {
        begun = true;
        EXPECT_TRUE(a_.store().journal().CommitEmpty().ok());
      });
      while (!begun) std::this_thread::yield();
      for (int i = 0; i < 50; ++i) std::this_thread::yield();
    }
    {
      const std::string value = std::to_string(round);
      Access access = a_.keyspace().Lock(keys);
      for (const KeyRef& key : keys) access.SetString(key, value);
    }
    closing.join();
  }
  a_.Commit();
  const auto batches = a_.store().ReadStream(a_.origin(), Stamp{}, 1 << 30);
  ASSERT_TRUE(batches.ok());
  for (const SharedBytes& bytes : *batches) {
    ASSERT_TRUE(b_.Apply(*bytes).ok());
    for (const KeyRef& key : keys) ASSERT_EQ(b_.Get(std::string(key.name)), b_.Get("a"));
  }
  ExpectAgreed(a_, b_);
}

// Rule: the batch holds what the origin wrote, even if a peer's later item has replaced it in
// memory.
TEST_F(StorageCounterexamples, Schedule11ABatchKeepsWhatAPeersLaterItemHasReplaced) {
  const KeyRef keys[] = {a_.Key("p"), a_.Key("q")};
  {
    Access access = a_.keyspace().Lock(keys);
    access.SetString(keys[0], "mine");
    access.SetString(keys[1], "mine");
  }
  time_.Advance(milliseconds(10));
  b_.Set("q", "later");
  b_.Commit();
  a_.Pull(b_);
  EXPECT_EQ(a_.Get("q"), "later");
  a_.Commit();
  c_.PullStream(a_, a_.origin());
  EXPECT_EQ(c_.Get("p"), "mine");
  EXPECT_EQ(c_.Get("q"), "mine");
  c_.Pull(b_);
  ExpectAgreed(a_, c_);
}

// Rule: every write in a transaction draws its own stamp. With one stamp for all, the element would
// not be stamped after the cut, nor the slot born after the base.
TEST_F(StorageCounterexamples, Schedule12WhatFollowsADeletionInItsTransactionCounts) {
  const KeyRef hash = a_.Key("h");
  a_.keyspace().Lock(hash).AddElement(hash, ElementType::kHash, "old", Value::Bytes("1"));
  {
    Access access = a_.keyspace().Lock(hash);
    EXPECT_TRUE(access.Delete(hash));
    access.AddElement(hash, ElementType::kHash, "f", Value::Bytes("v"));
  }
  const KeyRef counter = a_.Key("c");
  {
    Access access = a_.keyspace().Lock(counter);
    access.SetString(counter, "5");
    ASSERT_TRUE(access.Increment(counter, 1).ok());
  }
  Exchange(a_, b_);
  for (StoreRig* rig : {&a_, &b_}) {
    const KeyRef key = rig->Key("h");
    EXPECT_TRUE(rig->keyspace().Lock(key).HasElement(key, ElementType::kHash, "f"));
    EXPECT_FALSE(rig->keyspace().Lock(key).HasElement(key, ElementType::kHash, "old"));
    EXPECT_EQ(rig->Get("c"), "6");
  }
}

// Rule: as schedule 12. An element's place in its list is its stamp, so two of one RPUSH may not
// share one.
TEST_F(StorageCounterexamples, Schedule13EveryElementOfOneCommandHasAStampOfItsOwn) {
  const KeyRef list = a_.Key("l");
  {
    Access access = a_.keyspace().Lock(list);
    for (const char* value : {"a", "b", "c"}) access.PushElement(list, false, Value::Bytes(value));
  }
  Exchange(a_, b_);
  for (StoreRig* rig : {&a_, &b_}) {
    const KeyRef key = rig->Key("l");
    Access access = rig->keyspace().Lock(key);
    EXPECT_EQ(access.Find(key)->size, 3U);
    EXPECT_EQ(access.ElementAt(key, 1)->bytes, "b");
  }
}

// Rule: stable also means that every member's own stream has passed the tombstone's stamp. A's
// unflushed element is older than B's cut; without the cut B would show it.
TEST_F(StorageCounterexamples, Schedule14ATombstoneStaysWhileAMembersStreamMayHoldSomethingOlder) {
  const KeyRef hash = a_.Key("h");
  a_.keyspace().Lock(hash).AddElement(hash, ElementType::kHash, "first", Value::Bytes("1"));
  Exchange(a_, b_);
  a_.keyspace().Lock(hash).AddElement(hash, ElementType::kHash, "f", Value::Bytes("v"));
  time_.Advance(milliseconds(10));
  EXPECT_TRUE(b_.Delete("h"));
  b_.Commit();
  a_.Pull(b_);
  EXPECT_EQ(b_.Free(b_.store().vector(), a_.store().journal().upto()), 0U);
  EXPECT_EQ(b_.keyspace().tombstones(), 1U);
  Exchange(a_, b_);
  ExpectAgreed(a_, b_);
  EXPECT_FALSE(b_.keyspace().Lock(b_.Key("h")).Exists(b_.Key("h")));
  // Once A's stream has passed it, it goes, on both sides.
  ASSERT_TRUE(a_.store().journal().CommitEmpty().ok());
  Exchange(a_, b_);
  const Stamp passed = a_.store().journal().upto();
  EXPECT_GT(b_.Free(b_.store().vector(), passed), 0U);
  EXPECT_EQ(b_.keyspace().tombstones(), 0U);
  ExpectAgreed(a_, b_);
}

// Rule: the vector filter. An item that the own vector covers is ignored, whatever brings it.
TEST_F(StorageCounterexamples, Schedule15ALateDuplicateOfAWalkBringsNothingBack) {
  a_.Set("k", "old");
  a_.Commit();
  const auto walk = a_.Walk({});
  ASSERT_TRUE(b_.store().ApplyWalk(walk, false).ok());
  EXPECT_EQ(b_.Get("k"), "old");
  EXPECT_TRUE(a_.Delete("k"));
  Exchange(a_, b_);
  ASSERT_TRUE(b_.store().journal().CommitEmpty().ok());
  a_.Pull(b_);
  VersionVector everything = a_.store().vector();
  EXPECT_GT(b_.Free(everything, Stamp{UINT64_MAX}), 0U);
  ASSERT_TRUE(b_.store().ApplyWalk(walk, false).ok());
  EXPECT_EQ(b_.Get("k"), std::nullopt);
}

// Rule: floor, and the whole state in one step. A, which has freed the tombstone, shows in its
// floor that C's half of the truth is not enough; the whole state drops what A covers and lacks.
TEST_F(StorageCounterexamples, Schedule16AJoinerBelowAPeersFloorTakesTheWholeState) {
  a_.Set("k", "old");
  a_.Commit();
  c_.Pull(a_);  // C plays the joiner that has got the beginning of A's stream from somewhere
  const VersionVector before = c_.store().vector();
  EXPECT_TRUE(a_.Delete("k"));
  a_.Set("other", "value");
  a_.Commit();
  EXPECT_GT(a_.Free(a_.store().vector(), Stamp{UINT64_MAX}), 0U);
  EXPECT_FALSE(before.Covers(a_.keyspace().floor()));
  ASSERT_TRUE(c_.store().ApplyWalk(a_.Walk({}), true).ok());
  EXPECT_TRUE(c_.store().vector().Covers(a_.keyspace().floor()));
  EXPECT_EQ(c_.Get("k"), std::nullopt);
  ExpectAgreed(a_, c_);
  c_.Restart(CrashKind::kKill);
  ExpectAgreed(a_, c_);
}

// Rule: numeric payloads of elements are base and slots, one slot per origin.
TEST_F(StorageCounterexamples, Schedule26IncrementsOfOneFieldOnTwoNodesBothCount) {
  const auto increment = [](StoreRig& rig, int64_t by) {
    const KeyRef key = rig.Key("h");
    const auto sum = rig.keyspace().Lock(key).IncrementElement(key, ElementType::kHash, "f", by);
    ASSERT_TRUE(sum.ok());
  };
  increment(a_, 1);
  Exchange(a_, b_);
  increment(a_, 3);
  increment(b_, 4);
  Exchange(a_, b_);
  for (StoreRig* rig : {&a_, &b_}) {
    const KeyRef key = rig->Key("h");
    const auto field = rig->keyspace().Lock(key).GetElement(key, ElementType::kHash, "f");
    ASSERT_TRUE(field);
    EXPECT_EQ(field->number.ToString(), "8");
  }
  ExpectAgreed(a_, b_);
}

// Rule: the incarnation rises. The restored node draws stamps that it has drawn before; under the
// old origin B would skip what they now stand for.
TEST_F(StorageCounterexamples, Schedule28ARestoredBackupIsANewIncarnation) {
  a_.Set("k", "one");
  a_.Commit();
  ASSERT_TRUE(a_.store().Backup("backup").ok());
  const Origin before = a_.origin();
  a_.Set("k", "two");
  Exchange(a_, b_);
  a_.options().restored = true;
  a_.PutDisk(a_.disk().OpenBackup("backup", 9));
  EXPECT_GT(a_.origin(), before);
  a_.Set("mine", "after the restore");
  Exchange(a_, b_);
  EXPECT_EQ(b_.Get("mine"), "after the restore");
  EXPECT_EQ(a_.Get("k"), "two");
  ExpectAgreed(a_, b_);
}

TEST_F(StorageCounterexamples, Schedule28ACopiedFolderIsANewIncarnation) {
  a_.Set("k", "one");
  a_.Commit();
  const Origin before = a_.origin();
  StoreRig copy("A", time_, 9);
  copy.options().folder_identity = "another folder";
  copy.PutDisk(a_.disk().Copy(10));
  EXPECT_GT(copy.origin(), before);
  EXPECT_EQ(copy.Get("k"), "one");
}

// Whether the lost tail shows on the disk or not: the seed decides that.
TEST_F(StorageCounterexamples, Schedule28AHostThatWentDownWithUnsyncedLogIsANewIncarnation) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    StoreRig rig("R", time_, seed);
    rig.Set("k", "one");
    rig.Commit();
    const Origin before = rig.origin();
    rig.Restart(CrashKind::kKill);
    EXPECT_EQ(rig.origin(), before);
    rig.Restart(CrashKind::kPowerLoss);
    EXPECT_GT(rig.origin(), before) << "seed " << seed;
  }
}

// Rule: `state` is flushed, with its vector, before the log below it is dropped. Every call to the
// disk in two checkpoints is tried as the last one of the process, of the machine, before and after
// it took effect: what was acknowledged and synced is always there.
TEST_F(StorageCounterexamples, Schedule32ACrashAnywhereInACheckpointLosesNothing) {
  int crashes = 0;
  for (const CrashKind kind : {CrashKind::kKill, CrashKind::kPowerLoss}) {
    for (const bool after : {false, true}) {
      for (uint64_t call = 1;; ++call) {
        StoreRig rig("R", time_, call * 4 + (after ? 1 : 0));
        for (int round = 0; round < 2; ++round) {
          for (int i = 0; i < 5; ++i) rig.Increment("c" + std::to_string(i));
          rig.Set("s", std::to_string(round));
          rig.Commit();
          ASSERT_TRUE(rig.store().journal().Sync().ok());
          if (round > 0) continue;
          ASSERT_TRUE(rig.store().Checkpoint().ok());
        }
        const std::string before = VisibleDump(rig.keyspace());
        rig.disk().CrashAt(call, kind, after);
        (void)rig.store().Checkpoint();
        (void)rig.store().Checkpoint();
        const bool crashed = rig.disk().crashed();
        if (crashed) {
          ++crashes;
          rig.Restart(kind);
          EXPECT_EQ(VisibleDump(rig.keyspace()), before) << "call " << call;
        }
        if (!crashed) break;
      }
    }
  }
  EXPECT_GT(crashes, 20);
}

// Rule: replay starts at the vector that `state` is complete to. The log is kept below it for peers
// that lag; replayed from its start, it would bring back what its freed tombstone had deleted. The
// deletion comes by a walk: its record in the log goes with the checkpoint, the old value's stays.
TEST_F(StorageCounterexamples, Schedule33TheRetainedLogBringsNothingBackAtARestart) {
  a_.Set("k", "old");
  a_.Commit();
  b_.Pull(a_);
  EXPECT_TRUE(b_.Delete("k"));
  b_.Commit();
  ASSERT_TRUE(a_.store().ApplyWalk(b_.Walk(a_.store().vector()), false).ok());
  EXPECT_EQ(a_.Get("k"), std::nullopt);
  ASSERT_TRUE(a_.store().journal().CommitEmpty().ok());
  EXPECT_GT(a_.Free(a_.store().vector(), Stamp{UINT64_MAX}), 0U);
  ASSERT_TRUE(a_.store().Checkpoint().ok());
  const auto retained = a_.store().ReadStream(a_.origin(), Stamp{}, 1 << 20);
  ASSERT_TRUE(retained.ok()) << "the log is kept for peers that lag";
  ASSERT_TRUE(a_.store().journal().Sync().ok());
  for (const CrashKind kind : {CrashKind::kKill, CrashKind::kPowerLoss}) {
    a_.Restart(kind);
    EXPECT_EQ(a_.Get("k"), std::nullopt);
  }
}

// Rule: no item is applied outside its stream.
TEST_F(StorageCounterexamples, Schedule42ABatchAheadOfItsStreamIsNotApplied) {
  a_.Set("first", "1");
  a_.Commit();
  a_.Set("second", "2");
  a_.Commit();
  const auto batches = a_.store().ReadStream(a_.origin(), Stamp{}, 1 << 20);
  ASSERT_TRUE(batches.ok());
  ASSERT_EQ(batches->size(), 2U);
  const auto early = b_.Apply(*(*batches)[1]);
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, Code::kUnavailable);
  EXPECT_EQ(b_.Get("second"), std::nullopt);
  EXPECT_TRUE(b_.store().vector().Get(a_.origin()).none());
  EXPECT_TRUE(b_.Apply(*(*batches)[0]).ok());
  EXPECT_TRUE(b_.Apply(*(*batches)[1]).ok());
  EXPECT_FALSE(*b_.Apply(*(*batches)[1])) << "a duplicate is not new";
  ExpectAgreed(a_, b_);
}

// Rule: a deadline not after its own stamp is a DEL. As a deadline of 1 ms its later deletion, a
// cut at 1 ms, would delete nothing, and the key would stay hidden with all that is added to it.
TEST_F(StorageCounterexamples, Schedule45ADeadlineLongPastDeletesAndTheNextIncrementCounts) {
  a_.Increment("k");
  const KeyRef key = a_.Key("k");
  EXPECT_TRUE(a_.keyspace().Lock(key).SetDeadline(key, 1));
  EXPECT_EQ(a_.Get("k"), std::nullopt);
  a_.Increment("k");
  EXPECT_EQ(a_.Get("k"), "1");
  a_.store().Maintain({});
  Exchange(a_, b_);
  EXPECT_EQ(a_.Get("k"), "1");
  EXPECT_EQ(b_.Get("k"), "1");
  ExpectAgreed(a_, b_);
}

}  // namespace
}  // namespace starling::sim
