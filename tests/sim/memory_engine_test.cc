/// The disk that forgets: tests of tests/support/memory_engine.h, on which the simulator's word
/// rests.

#include "tests/support/memory_engine.h"

#include <gtest/gtest.h>

namespace starling {
namespace {

const Origin kOrigin{NodeId{7}, 1};

std::unique_ptr<Engine> Open(MemoryDisk& disk) {
  auto engine = OpenMemoryEngine(disk);
  EXPECT_TRUE(engine.ok());
  return std::move(*engine);
}

Status Append(Engine& engine, uint64_t upto, bool sync = false) {
  return engine.AppendLog({{kOrigin, Stamp{upto}, "batch " + std::to_string(upto)}}, sync);
}

std::vector<uint64_t> LoggedStamps(Engine& engine) {
  std::vector<uint64_t> stamps;
  EXPECT_TRUE(engine
                  .ReadLog(kOrigin, Stamp{},
                           [&](const Engine::LogRecord& record) {
                             stamps.push_back(record.upto.value);
                             return true;
                           })
                  .ok());
  return stamps;
}

size_t StateEntries(Engine& engine) {
  size_t entries = 0;
  EXPECT_TRUE(engine
                  .ReadState([&](std::string_view, std::string_view) {
                    ++entries;
                    return Status();
                  })
                  .ok());
  return entries;
}

TEST(MemoryDisk, KeepsEveryAppendOverAKill) {
  MemoryDisk disk;
  auto engine = Open(disk);
  for (uint64_t upto = 1; upto <= 20; ++upto) ASSERT_TRUE(Append(*engine, upto).ok());
  disk.Crash(CrashKind::kKill);
  engine = Open(disk);
  EXPECT_EQ(LoggedStamps(*engine).size(), 20U);
  EXPECT_TRUE(engine->damage().empty());
}

TEST(MemoryDisk, LosesOnlyATailThatWasNotSyncedWithThePower) {
  std::vector<size_t> kept;
  bool torn = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk(seed);
    auto engine = Open(disk);
    for (uint64_t upto = 1; upto <= 20; ++upto) ASSERT_TRUE(Append(*engine, upto, upto == 5).ok());
    disk.Crash(CrashKind::kPowerLoss);
    engine = Open(disk);
    const auto stamps = LoggedStamps(*engine);
    for (size_t i = 0; i < stamps.size(); ++i) EXPECT_EQ(stamps[i], i + 1);
    kept.push_back(stamps.size());
    if (!engine->damage().empty()) {
      torn = true;
      EXPECT_LT(stamps.size(), 20U);
    }
  }
  EXPECT_GE(*std::min_element(kept.begin(), kept.end()), 5U);
  EXPECT_LT(*std::min_element(kept.begin(), kept.end()), 10U);
  EXPECT_GT(*std::max_element(kept.begin(), kept.end()), 15U);
  EXPECT_TRUE(torn);
}

TEST(MemoryDisk, LosesStateThatWasNotFlushedEvenInAKill) {
  size_t least = 100;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk(seed);
    auto engine = Open(disk);
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(engine->WriteState({{"key" + std::to_string(i), "value"}}).ok());
      if (i != 3) continue;
      ASSERT_TRUE(engine->FlushState().ok());
    }
    EXPECT_EQ(StateEntries(*engine), 10U);
    disk.Crash(CrashKind::kKill);
    engine = Open(disk);
    least = std::min(least, StateEntries(*engine));
  }
  EXPECT_EQ(least, 4U);
}

TEST(MemoryDisk, LetsADeadProcessGoOnWithoutAnyoneSeeing) {
  MemoryDisk disk;
  auto dead = Open(disk);
  ASSERT_TRUE(Append(*dead, 1).ok());
  disk.CrashAt(2, CrashKind::kKill, false);
  ASSERT_TRUE(Append(*dead, 2).ok());
  EXPECT_FALSE(disk.crashed());
  ASSERT_TRUE(Append(*dead, 3).ok());
  EXPECT_TRUE(disk.crashed());
  ASSERT_TRUE(Append(*dead, 4).ok());
  EXPECT_EQ(LoggedStamps(*dead), (std::vector<uint64_t>{1, 2, 3, 4}));
  auto alive = Open(disk);
  EXPECT_EQ(LoggedStamps(*alive), (std::vector<uint64_t>{1, 2}));
}

TEST(MemoryDisk, RefusesWritesWhileFullAndTakesThemAgainWithSpace) {
  MemoryDisk disk;
  auto engine = Open(disk);
  disk.RunFull(1);
  EXPECT_TRUE(Append(*engine, 1).ok());
  const Status full = Append(*engine, 2);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, Code::kIo);
  EXPECT_FALSE(engine->PutMeta("name", "value").ok());
  disk.HasSpace();
  EXPECT_TRUE(Append(*engine, 3).ok());
  EXPECT_EQ(LoggedStamps(*engine), (std::vector<uint64_t>{1, 3}));
}

TEST(MemoryDisk, IsOpenOnceAtATime) {
  MemoryDisk disk;
  auto engine = Open(disk);
  EXPECT_EQ(disk.Open().error().code, Code::kUnavailable);
  engine.reset();
  EXPECT_TRUE(disk.Open().ok());
}

TEST(MemoryDisk, CutsACorruptTailAndReportsItOnce) {
  MemoryDisk disk;
  auto engine = Open(disk);
  for (uint64_t upto = 1; upto <= 4; ++upto) ASSERT_TRUE(Append(*engine, upto, true).ok());
  engine.reset();
  disk.CorruptLogTail(2);
  engine = Open(disk);
  EXPECT_EQ(engine->damage().size(), 1U);
  EXPECT_EQ(LoggedStamps(*engine), (std::vector<uint64_t>{1, 2}));
  engine.reset();
  EXPECT_TRUE(Open(disk)->damage().empty());
}

TEST(MemoryDisk, BacksUpWhatWasThereThen) {
  MemoryDisk disk;
  auto engine = Open(disk);
  ASSERT_TRUE(Append(*engine, 1).ok());
  ASSERT_TRUE(engine->Backup("copy").ok());
  EXPECT_EQ(engine->Backup("copy").error().code, Code::kAlreadyExists);
  ASSERT_TRUE(Append(*engine, 2).ok());
  const auto backup = disk.OpenBackup("copy", 3);
  ASSERT_NE(backup, nullptr);
  EXPECT_EQ(LoggedStamps(*Open(*backup)), (std::vector<uint64_t>{1}));
  EXPECT_EQ(disk.OpenBackup("other", 3), nullptr);
}

}  // namespace
}  // namespace starling
