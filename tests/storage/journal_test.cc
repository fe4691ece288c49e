// Group commit: what is acknowledged is in the log, and only once.
#include "storage/journal.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "tests/storage/one_store.h"
#include "tests/storage/watched_engine.h"

namespace starling {
namespace {

/// Own batches as the log holds them.
std::vector<BatchHeader> Logged(OneStore& node) {
  std::vector<BatchHeader> headers;
  const Status status =
      node.store->engine().ReadLog(node.store->origin(), {}, [&](const Engine::LogRecord& record) {
        headers.push_back(*DecodedBatch::DecodeHeader(record.bytes));
        return true;
      });
  EXPECT_TRUE(status);
  return headers;
}

class JournalTest : public testing::Test {
 protected:
  JournalTest() { EXPECT_TRUE(node_.Open()); }
  Journal& journal() { return node_.store->journal(); }
  OneStore node_;
};

TEST_F(JournalTest, CommitsNothingWhereNothingWasWritten) {
  ASSERT_TRUE(journal().Commit());
  EXPECT_TRUE(Logged(node_).empty());
  node_.Delete("missing");
  ASSERT_TRUE(journal().Commit());
  EXPECT_TRUE(Logged(node_).empty());
}

TEST_F(JournalTest, WhatChangesNothingIsNotWritten) {
  node_.Set("text", "v");
  node_.Add("s", "m");
  ASSERT_TRUE(journal().Commit());
  ASSERT_TRUE(node_.store->Checkpoint());
  const uint64_t writes = node_.store->keyspace().writes();
  node_.Add("s", "m");
  node_.Remove("s", "other");
  EXPECT_FALSE(node_.Lock("text").Increment(node_.Ref("text"), 1));
  EXPECT_FALSE(node_.Lock("text").ClearDeadline(node_.Ref("text")));
  EXPECT_EQ(node_.store->keyspace().writes(), writes);
  std::vector<Engine::StateWrite> state;
  Keyspace::ChangedPtr changed = node_.store->keyspace().TakeChanged();
  node_.store->keyspace().EncodeChanged(*changed, 100, state);
  EXPECT_TRUE(state.empty());
}

TEST_F(JournalTest, MakesOneStreamInWhichEachBatchBeginsWhereTheLastEnded) {
  for (int i = 0; i < 20; ++i) {
    node_.Set("k", std::to_string(i));
    ASSERT_TRUE(journal().Commit());
    if (i % 5 == 0) {
      ASSERT_TRUE(journal().CommitEmpty());
    }
  }
  const std::vector<BatchHeader> headers = Logged(node_);
  ASSERT_EQ(headers.size(), 24u);
  Stamp end;
  for (const BatchHeader& header : headers) {
    EXPECT_EQ(header.after, end);
    EXPECT_EQ(header.origin, node_.store->origin());
    end = header.upto;
  }
  EXPECT_EQ(journal().upto(), end);
  EXPECT_EQ(node_.store->vector().Get(node_.store->origin()), end);
}

TEST_F(JournalTest, HandsOnWhatTheLogHoldsAndNothingBefore) {  // I7
  std::vector<Stamp> handed;
  journal().SetSink([&](const BatchHeader& header, const SharedBytes& bytes) {
    const SharedBytes held = node_.disk->FindLog(header.origin, header.upto);
    ASSERT_TRUE(held);
    EXPECT_EQ(*held, *bytes);
    handed.push_back(header.upto);
  });
  node_.Set("k", "1");
  ASSERT_TRUE(journal().Commit());
  node_.disk->RunFull(0);
  node_.Set("k", "2");
  EXPECT_FALSE(journal().Commit());
  EXPECT_EQ(handed.size(), 1u);
  node_.disk->HasSpace();
  ASSERT_TRUE(journal().Commit());
  EXPECT_EQ(handed.size(), 2u);
}

TEST_F(JournalTest, CommitsManyThreadsInFewBatchesAndLosesNone) {
  constexpr int kThreads = 8;
  constexpr int kWrites = 300;
  std::atomic<int> unlogged{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Keyspace& keyspace = node_.store->keyspace();
      const std::string name = "c" + std::to_string(t);
      const KeyRef key = keyspace.Ref(0, name);
      for (int i = 1; i <= kWrites; ++i) {
        {
          Access access = keyspace.Lock(key);
          if (!access.Increment(key, 1)) ++unlogged;
        }
        if (!journal().Commit()) ++unlogged;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(unlogged, 0);
  EXPECT_LE(Logged(node_).size(), size_t{kThreads * kWrites});
  ASSERT_TRUE(node_.Open());
  for (int t = 0; t < kThreads; ++t) {
    EXPECT_EQ(node_.Get("c" + std::to_string(t)), std::to_string(kWrites));
  }
}

TEST_F(JournalTest, AnAppendOfUnknownOutcomeIsTriedAgainUntilItSucceeds) {  // I13
  for (const bool unknown : {false, true}) {
    node_.disk->RunFull(0, unknown);
    node_.Increment("c");
    const Status first = journal().Commit();
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error().code, Code::kUnknownOutcome);
    EXPECT_TRUE(journal().read_only());
    node_.Increment("c");
    const Status second = journal().Commit();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::kReadOnly);
    node_.disk->HasSpace();
    ASSERT_TRUE(journal().Commit());
    EXPECT_FALSE(journal().read_only());
  }
  ASSERT_TRUE(node_.Open());
  EXPECT_EQ(node_.Get("c"), "4");
}

TEST_F(JournalTest, AFailingLogIsReportedOnceAndItsReturnToo) {
  const auto count = [this](std::string_view event) {
    const std::string log = node_.log.str();
    size_t found = 0;
    for (size_t at = log.find(event); at != std::string::npos; at = log.find(event, at + 1))
      ++found;
    return found;
  };
  node_.disk->RunFull(0, /*after=*/false);
  node_.Increment("c");
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(journal().Commit());
  EXPECT_EQ(count("event=append_failed"), 1u);
  EXPECT_EQ(count("event=log_writable"), 0u);
  node_.disk->HasSpace();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(journal().Commit());
  EXPECT_EQ(count("event=append_failed"), 1u);
  EXPECT_EQ(count("event=log_writable"), 1u);
}

TEST_F(JournalTest, APeersBatchThatCannotBeAppendedChangesNothing) {  // I13
  OneNode peer(7);
  peer.Set("k", "v");
  const SharedBytes bytes = peer.Flush();
  node_.disk->RunFull(0);
  EXPECT_FALSE(node_.Apply(bytes));
  EXPECT_FALSE(node_.Get("k"));
  EXPECT_TRUE(node_.store->vector().Get(OriginOf(7)).none());
  node_.disk->HasSpace();
  ASSERT_TRUE(node_.Apply(bytes));
  EXPECT_EQ(node_.Get("k"), "v");
}

TEST(Journal, SyncedAlwaysSurvivesPowerLoss) {  // I10
  OneStore node;
  node.options.appendfsync = AppendFsync::kAlways;
  ASSERT_TRUE(node.Open());
  for (int i = 0; i < 20; ++i) {
    node.Increment("c");
    ASSERT_TRUE(node.store->journal().Commit());
    node.Kill(CrashKind::kPowerLoss);
    ASSERT_TRUE(node.Open());
    ASSERT_EQ(node.Get("c"), std::to_string(i + 1));
  }
}

class SyncingJournal : public testing::Test {
 protected:
  SyncingJournal() {
    node_.options.appendfsync = AppendFsync::kAlways;
    auto engine = std::make_unique<WatchedEngine>(*node_.disk->Open());
    engine_ = engine.get();
    EXPECT_TRUE(node_.Open(std::move(engine)));
    journal().SetSink(
        [this](const BatchHeader& header, const SharedBytes&) { handed_.push_back(header.upto); });
  }
  Journal& journal() { return node_.store->journal(); }
  OneStore node_;
  WatchedEngine* engine_ = nullptr;
  std::vector<Stamp> handed_;
};

TEST_F(SyncingJournal, HandsABatchOnWhileTheDiskSyncsIt) {
  const Stamp before = journal().held();
  size_t handed = 0;
  engine_->in_sync = [&] {
    handed = handed_.size();
    // This node is not yet one of its holders.
    EXPECT_EQ(journal().held(), before);
    EXPECT_GT(journal().upto(), before);
  };
  node_.Set("k", "v");
  ASSERT_TRUE(journal().Commit());
  EXPECT_EQ(handed, 1u);
  EXPECT_EQ(journal().held(), journal().upto());
}

TEST_F(SyncingJournal, AppendsTheNextBatchWhileTheDiskSyncsTheOneBefore) {
  size_t syncs = 0;
  engine_->in_sync = [&] {
    if (++syncs > 1) return;
    std::thread([&] {
      node_.Set("k", "2");
      EXPECT_TRUE(journal().Log());
    }).join();
    EXPECT_EQ(handed_.size(), 2u);
  };
  node_.Set("k", "1");
  ASSERT_TRUE(journal().Commit());
  // The first sync may have come before the second batch.
  EXPECT_EQ(journal().held(), handed_.front());
  EXPECT_EQ(journal().upto(), handed_.back());
  ASSERT_TRUE(journal().Commit());
  EXPECT_EQ(syncs, 2u);
  EXPECT_EQ(journal().held(), handed_.back());
  ASSERT_TRUE(journal().Commit());
  EXPECT_EQ(syncs, 2u);
}

TEST_F(SyncingJournal, WhatOnlyThePeersHaveIsLostWithThePower) {
  bool lost = false;
  for (int i = 0; i < 20 && !lost; ++i) {
    node_.Set("k", std::to_string(i));
    ASSERT_TRUE(journal().Log());
    const Origin origin = node_.store->origin();
    node_.Kill(CrashKind::kPowerLoss);
    node_.options.boot_id += "+";
    ASSERT_TRUE(node_.Open());
    lost = node_.store->vector().Get(origin) < handed_.back();
    EXPECT_GT(node_.store->origin(), origin);
    journal().SetSink(
        [this](const BatchHeader& header, const SharedBytes&) { handed_.push_back(header.upto); });
  }
  EXPECT_TRUE(lost);
}

TEST_F(SyncingJournal, AnEmptyBatchIsHeldToo) {
  ASSERT_TRUE(journal().CommitEmpty());
  EXPECT_FALSE(journal().upto().none());
  EXPECT_EQ(journal().held(), journal().upto());
}

TEST_F(SyncingJournal, AFailedSyncIsTriedAgainUntilItSucceeds) {  // I13
  engine_->fails = true;
  node_.Increment("c");
  const Status first = journal().Commit();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kUnknownOutcome);
  EXPECT_TRUE(journal().read_only());
  EXPECT_TRUE(journal().held().none());
  const Status second = journal().Commit();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kReadOnly);
  engine_->fails = false;
  ASSERT_TRUE(journal().Commit());
  EXPECT_FALSE(journal().read_only());
  EXPECT_EQ(journal().held(), journal().upto());
  EXPECT_EQ(handed_.size(), 1u);
}

TEST_F(SyncingJournal, ANewStreamIsHeldFromItsOwnBeginning) {
  node_.Set("k", "1");
  ASSERT_TRUE(journal().Commit());
  ASSERT_TRUE(node_.store->RaiseIncarnation("test"));
  EXPECT_TRUE(journal().held().none());
  node_.Set("k", "2");
  ASSERT_TRUE(journal().Log());
  EXPECT_TRUE(journal().held().none());
  ASSERT_TRUE(journal().Commit());
  EXPECT_EQ(journal().held(), journal().upto());
}

// What a killed process had appended and not synced counts as held after its restart.
TEST_F(SyncingJournal, WhatARestartFindsIsSynced) {
  node_.Set("k", "v");
  ASSERT_TRUE(journal().Log());
  ASSERT_TRUE(node_.Open());
  EXPECT_FALSE(journal().held().none());
  node_.Kill(CrashKind::kPowerLoss);
  node_.options.boot_id = "boot 2";
  ASSERT_TRUE(node_.Open());
  EXPECT_EQ(node_.Get("k"), "v");
}

TEST(Journal, SyncMakesDurableWhatWasAppendedBefore) {
  OneStore node;
  node.options.appendfsync = AppendFsync::kEverySecond;
  ASSERT_TRUE(node.Open());
  for (int i = 0; i < 20; ++i) {
    node.Increment("c");
    ASSERT_TRUE(node.store->journal().Commit());
    ASSERT_TRUE(node.store->journal().Sync());
    node.Increment("lost");
    ASSERT_TRUE(node.store->journal().Commit());
    node.Kill(CrashKind::kPowerLoss);
    ASSERT_TRUE(node.Open());
    ASSERT_EQ(node.Get("c"), std::to_string(i + 1));
  }
}

}  // namespace
}  // namespace starling
