// What peers' batches cost where `appendfsync` is `always`: each is synced before it counts as
// held, but for those that only say that records count. A power loss may take these.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/batch_codec.h"
#include "storage/held_shards.h"
#include "storage/records.h"
#include "storage/speculation.h"
#include "tests/storage/one_store.h"
#include "tests/storage/watched_engine.h"

namespace starling {
namespace {

/// A store that writes records, and one that syncs what it gets of them.
class CommitSync : public testing::Test {
 protected:
  CommitSync() {
    EXPECT_TRUE(writer_.Open());
    writer_.store->journal().SetSink(
        [this](const BatchHeader&, const SharedBytes& bytes) { batches_.push_back(*bytes); });
    holder_.options.appendfsync = AppendFsync::kAlways;
    Open();
  }

  void Open() {
    auto engine = std::make_unique<WatchedEngine>(*holder_.disk->Open());
    engine_ = engine.get();
    ASSERT_TRUE(holder_.Open(std::move(engine)));
  }
  void LosePower() {
    holder_.Kill(CrashKind::kPowerLoss);
    holder_.options.boot_id += "+";
    Open();
  }

  Keyspace& written() { return writer_.store->keyspace(); }
  /// The batch of a record that sets `key`.
  std::string Record(const std::string& key, RecordId& id) {
    {
      const HeldShards held(written());
      Speculation speculation(written());
      writer_.Set(key, "v");
      id = written().records().Write(1, speculation.TakeItems()).value().id;
    }
    return NextBatch();
  }
  std::string Verdict(const RecordId& id, bool commit) {
    written().records().Decide({&id, 1}, commit);
    return NextBatch();
  }
  std::string NextBatch() {
    EXPECT_TRUE(writer_.store->journal().Commit());
    return batches_.back();
  }
  /// Whether they were synced when they count as held.
  bool SyncedWhenHeld(const std::vector<std::string>& batches) {
    std::vector<DecodedBatch> decoded;
    for (const std::string& bytes : batches) decoded.push_back(*DecodedBatch::Decode(bytes));
    std::vector<Store::Received> run;
    for (size_t i = 0; i < batches.size(); ++i) run.push_back({decoded[i], batches[i]});
    const size_t before = engine_->synced_appends;
    EXPECT_EQ(*holder_.store->ApplyRun(run), batches.size());
    EXPECT_EQ(Held(), decoded.back().header().upto);
    return engine_->synced_appends > before;
  }
  Stamp Held() { return holder_.store->vector().Get(writer_.store->origin()); }

  OneStore writer_{"writer", 2};
  OneStore holder_{"holder"};
  WatchedEngine* engine_ = nullptr;
  std::vector<std::string> batches_;
};

TEST_F(CommitSync, OnlyBatchesThatOnlySayThatRecordsCountDoNotWaitForIt) {
  RecordId first, second;
  EXPECT_TRUE(SyncedWhenHeld({Record("a", first)}));
  EXPECT_TRUE(SyncedWhenHeld({Record("b", second)}));
  EXPECT_FALSE(SyncedWhenHeld({Verdict(first, true)}));
  EXPECT_EQ(holder_.Get("a"), "v");
  EXPECT_TRUE(SyncedWhenHeld({Verdict(second, false)})) << "that one is void follows from nothing";
  RecordId third, fourth;
  const std::string record = Record("c", third);
  EXPECT_TRUE(SyncedWhenHeld({record, Verdict(third, true)}));
  EXPECT_TRUE(SyncedWhenHeld({Record("d", fourth)}));
  writer_.Set("plain", "v");
  EXPECT_TRUE(SyncedWhenHeld({Verdict(fourth, true)})) << "a plain write goes with it";
  ASSERT_TRUE(writer_.store->journal().CommitEmpty());
  EXPECT_TRUE(SyncedWhenHeld({batches_.back()}));
}

TEST_F(CommitSync, IsMadeUpForWithinASecond) {
  RecordId id;
  (void)SyncedWhenHeld({Record("a", id)});
  EXPECT_FALSE(SyncedWhenHeld({Verdict(id, true)}));
  size_t syncs = 0;
  engine_->in_sync = [&] { ++syncs; };
  holder_.time.Advance(std::chrono::milliseconds(1'001));
  (void)holder_.store->Maintain({});
  EXPECT_EQ(syncs, 1u);
  holder_.time.Advance(std::chrono::milliseconds(1'001));
  (void)holder_.store->Maintain({});
  EXPECT_EQ(syncs, 1u) << "there is nothing new";
}

TEST_F(CommitSync, APowerLossTakesTheVerdictAndNothingElseAndItComesAgain) {
  bool lost = false;
  for (int i = 0; i < 20 && !lost; ++i) {
    const std::string key = "k" + std::to_string(i);
    RecordId id;
    const std::string record = Record(key, id);
    EXPECT_TRUE(SyncedWhenHeld({record}));
    const Stamp with_record = Held();
    const std::string verdict = Verdict(id, true);
    EXPECT_FALSE(SyncedWhenHeld({verdict}));
    LosePower();
    lost = Held() == with_record;
    if (!lost) continue;
    EXPECT_EQ(holder_.Get(key), std::nullopt);
    EXPECT_EQ(holder_.store->keyspace().records().undecided().size(), 1u);
    EXPECT_FALSE(SyncedWhenHeld({verdict}));
    EXPECT_EQ(holder_.Get(key), "v");
  }
  EXPECT_TRUE(lost);
}

}  // namespace
}  // namespace starling
