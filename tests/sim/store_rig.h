/// Stores on memory disks, driven by hand: for schedules that need no network.
///
/// Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include "storage/store.h"
#include "tests/sim/dump.h"
#include "tests/support/manual_time.h"
#include "tests/support/memory_engine.h"

namespace starling::sim {

/// One node's store; the clock is shared by default, so time passes for all.
class StoreRig {
 public:
  StoreRig(std::string name, ManualTime& time, uint64_t seed = 1)
      : time_(time), disk_(std::make_unique<MemoryDisk>(seed)) {
    options_.name = std::move(name);
    options_.keyspace = {.shards = 4, .hash_seed = seed};
    options_.boot_id = "boot";
    options_.folder_identity = "folder";
    Open();
  }

  StoreOptions& options() { return options_; }
  Store& store() { return *store_; }
  Keyspace& keyspace() { return store_->keyspace(); }
  MemoryDisk& disk() { return *disk_; }
  Origin origin() const { return store_->origin(); }

  void Open() {
    auto engine = OpenMemoryEngine(*disk_);
    ASSERT_TRUE(engine.ok());
    auto log =
        std::make_shared<spdlog::logger>("rig", std::make_shared<spdlog::sinks::null_sink_st>());
    auto store = Store::Open(options_, std::move(*engine), time_, log);
    ASSERT_TRUE(store.ok()) << store.error().message;
    store_ = std::move(*store);
  }
  void Restart(CrashKind kind) {
    disk_->Crash(kind);
    store_.reset();
    if (kind == CrashKind::kPowerLoss) options_.boot_id += "+";
    Open();
  }
  void PutDisk(std::unique_ptr<MemoryDisk> disk) {
    store_.reset();
    disk_ = std::move(disk);
    Open();
  }

  // --- what clients do ---
  KeyRef Key(const std::string& name, uint8_t database = 0) {
    names_.push_back(std::make_unique<std::string>(name));
    return keyspace().Ref(database, *names_.back());
  }
  void Set(const std::string& name, const std::string& value) {
    const KeyRef key = Key(name);
    keyspace().Lock(key).SetString(key, value);
  }
  std::optional<std::string> Get(const std::string& name) {
    return ReadString(keyspace(), Key(name));
  }
  void Increment(const std::string& name, int64_t by = 1) {
    const KeyRef key = Key(name);
    ASSERT_TRUE(keyspace().Lock(key).Increment(key, by).ok());
  }
  bool Delete(const std::string& name) {
    const KeyRef key = Key(name);
    return keyspace().Lock(key).Delete(key);
  }
  /// As EXPIRE computes it: from the hybrid clock.
  void Expire(const std::string& name, int64_t millis) {
    const KeyRef key = Key(name);
    EXPECT_TRUE(keyspace().Lock(key).SetDeadline(key, keyspace().NowMillis() + millis));
  }
  void Commit() {
    const Status status = store_->journal().Commit();
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  // --- what replication does ---
  /// Takes all that `from` holds and this node lacks, stream by stream.
  void Pull(StoreRig& from) {
    const VersionVector theirs = from.store().vector();
    for (const VersionVector::Entry& entry : theirs.entries()) PullStream(from, entry.origin);
  }
  void PullStream(StoreRig& from, const Origin& origin) {
    if (origin == this->origin()) return;
    const auto batches = from.store().ReadStream(origin, store_->vector().Get(origin), 1 << 30);
    ASSERT_TRUE(batches.ok()) << batches.error().message;
    for (const SharedBytes& bytes : *batches) ASSERT_TRUE(Apply(*bytes).ok());
  }
  Result<bool> Apply(const std::string& bytes) {
    auto batch = DecodedBatch::Decode(bytes);
    if (!batch.ok()) return batch.error();
    return store_->ApplyBatch(*batch, bytes);
  }
  /// A whole walk of this node for one that holds `covered`, ready for ApplyWalk.
  std::vector<std::string> Walk(const VersionVector& covered) {
    std::vector<std::string> chunks;
    WalkPosition position;
    while (!position.done) chunks.push_back(store_->WalkChunk(position, covered, 1 << 20));
    chunks.push_back(EncodeChunk({}, store_->vector()));
    return chunks;
  }
  size_t Free(const VersionVector& covered, Stamp passed) {
    return keyspace().FreeStable({covered, passed}, 1000);
  }

 private:
  StoreOptions options_;
  ManualTime& time_;
  std::unique_ptr<MemoryDisk> disk_;
  std::unique_ptr<Store> store_;
  std::vector<std::unique_ptr<std::string>> names_;  // what KeyRefs borrow from
};

/// Both take what the other has.
inline void Exchange(StoreRig& a, StoreRig& b) {
  a.Commit();
  b.Commit();
  a.Pull(b);
  b.Pull(a);
}

/// Both show the same.
inline void ExpectAgreed(StoreRig& a, StoreRig& b) {
  const std::string left = VisibleDump(a.keyspace());
  const std::string right = VisibleDump(b.keyspace());
  EXPECT_EQ(left, right) << DumpDifference(left, right);
}

}  // namespace starling::sim
