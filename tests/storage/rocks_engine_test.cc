#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "storage/engine.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

Origin OriginOf(uint64_t node, uint64_t incarnation = 1) { return {NodeId{node}, incarnation}; }

using Records = std::map<uint64_t, std::string>;

Records ReadAll(Engine& engine, const Origin& origin, uint64_t after = 0) {
  Records records;
  const Status status = engine.ReadLog(origin, Stamp{after}, [&](const Engine::LogRecord& record) {
    EXPECT_EQ(record.origin, origin);
    EXPECT_TRUE(records.empty() || records.rbegin()->first < record.upto.value);
    records[record.upto.value] = std::string(record.bytes);
    return true;
  });
  EXPECT_TRUE(status) << status.error().message;
  return records;
}

std::map<std::string, std::string> ReadState(Engine& engine) {
  std::map<std::string, std::string> state;
  const Status status = engine.ReadState([&](std::string_view key, std::string_view value) {
    state.emplace(key, value);
    return Status();
  });
  EXPECT_TRUE(status) << status.error().message;
  return state;
}

void Append(Engine& engine, const Origin& origin, uint64_t upto, std::string_view bytes) {
  const Status status = engine.AppendLog({{origin, Stamp{upto}, bytes}}, false);
  ASSERT_TRUE(status) << status.error().message;
}

uint64_t CountFiles(const std::string& folder, const std::string& extension) {
  uint64_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == extension) ++count;
  }
  return count;
}

/// The same contract on disk and in memory.
class EngineContract : public testing::TestWithParam<bool> {
 protected:
  EngineContract() { Open(); }
  void Open() {
    engine_.reset();
    auto opened = OpenRocksEngine({GetParam() ? folder_ / "data" : ""});
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = *std::move(opened);
  }

  TempFolder folder_;
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Places, EngineContract, testing::Bool(),
                         [](const auto& place) { return place.param ? "OnDisk" : "InMemory"; });

TEST_P(EngineContract, StreamsAreReadInOrderFromAnyStamp) {
  Append(*engine_, OriginOf(2), 300, "c");
  Append(*engine_, OriginOf(2), 1, "a");
  Append(*engine_, OriginOf(2), 0x1234567890, "d");
  Append(*engine_, OriginOf(1), 7, "other");
  Append(*engine_, OriginOf(2, 2), 8, "later incarnation");
  EXPECT_EQ(ReadAll(*engine_, OriginOf(2)), (Records{{1, "a"}, {300, "c"}, {0x1234567890, "d"}}));
  EXPECT_EQ(ReadAll(*engine_, OriginOf(2), 1).size(), 2u);
  EXPECT_EQ(ReadAll(*engine_, OriginOf(2), 299).size(), 2u);
  EXPECT_EQ(ReadAll(*engine_, OriginOf(2), UINT64_MAX).size(), 0u);
  EXPECT_EQ(ReadAll(*engine_, OriginOf(3)).size(), 0u);
  const std::vector<Origin> origins = {OriginOf(1), OriginOf(2), OriginOf(2, 2)};
  EXPECT_EQ(*engine_->LogOrigins(), origins);
}

TEST_P(EngineContract, AVisitorCanEndTheWalk) {
  for (uint64_t upto = 1; upto <= 10; ++upto) Append(*engine_, OriginOf(1), upto, "x");
  int visited = 0;
  const auto stop_at_three = [&](const Engine::LogRecord&) { return ++visited < 3; };
  EXPECT_TRUE(engine_->ReadLog(OriginOf(1), {}, stop_at_three));
  EXPECT_EQ(visited, 3);
}

TEST_P(EngineContract, DroppedRecordsAreGoneAndTheOthersStay) {
  for (uint64_t upto = 1; upto <= 10; ++upto) {
    Append(*engine_, OriginOf(1), upto, "x");
    Append(*engine_, OriginOf(2), upto, "y");
  }
  ASSERT_TRUE(engine_->DropLog(OriginOf(1), Stamp{4}));
  EXPECT_EQ(ReadAll(*engine_, OriginOf(1)).begin()->first, 5u);
  EXPECT_EQ(ReadAll(*engine_, OriginOf(2)).size(), 10u);
  ASSERT_TRUE(engine_->DropLog(OriginOf(1), Stamp{2}));
  EXPECT_EQ(ReadAll(*engine_, OriginOf(1)).size(), 6u);
  ASSERT_TRUE(engine_->DropLog(OriginOf(1), Stamp{UINT64_MAX}));
  EXPECT_EQ(*engine_->LogOrigins(), std::vector<Origin>{OriginOf(2)});
  ASSERT_TRUE(engine_->DropLog(OriginOf(9), Stamp{4}));
  Append(*engine_, OriginOf(1), 11, "again");
  EXPECT_EQ(ReadAll(*engine_, OriginOf(1)), (Records{{11, "again"}}));
}

TEST_P(EngineContract, RecordsOfOneAppendCanBeOfSeveralStreams) {
  ASSERT_TRUE(
      engine_->AppendLog({{OriginOf(1), Stamp{1}, "a"}, {OriginOf(2), Stamp{1}, "b"}}, true));
  ASSERT_TRUE(engine_->SyncLog());
  EXPECT_EQ(engine_->LogOrigins()->size(), 2u);
}

TEST_P(EngineContract, BinaryKeysAndValuesOfAnyLengthSurvive) {
  const std::string value("\0\xFF\n", 3);
  const std::string key("\0k\xFF", 3);
  ASSERT_TRUE(engine_->WriteState({{key, value}, {"empty", ""}}));
  ASSERT_TRUE(engine_->PutMeta(key, value));
  const std::string long_record(10 << 20, 'r');
  Append(*engine_, OriginOf(1), 1, long_record);
  EXPECT_EQ(ReadState(*engine_).at(key), value);
  EXPECT_EQ(*engine_->GetMeta(key), value);
  EXPECT_EQ(*engine_->GetMeta("none"), std::nullopt);
  EXPECT_TRUE(ReadAll(*engine_, OriginOf(1)).at(1) == long_record);
}

TEST_P(EngineContract, StateIsWalkedInOrderAndTheVisitorsErrorEndsIt) {
  ASSERT_TRUE(engine_->WriteState({{"b", "2"}, {"a", "1"}, {"c", "3"}}));
  std::string seen;
  const Status status = engine_->ReadState([&](std::string_view key, std::string_view) -> Status {
    seen += key;
    if (key == "b") return Error{Code::kCorruption, "enough"};
    return {};
  });
  EXPECT_EQ(seen, "ab");
  EXPECT_EQ(status.error().message, "enough");
}

TEST_P(EngineContract, StateDeletesByNameAndByPrefix) {
  const auto names = [&] {
    std::string joined;
    for (const auto& [key, value] : ReadState(*engine_)) joined += key + " ";
    return joined;
  };
  ASSERT_TRUE(engine_->WriteState({{"a", "1"}, {"ab", "1"}, {"abc", "1"}, {"b", "1"}}));
  ASSERT_TRUE(engine_->WriteState({{"a", std::nullopt}}));
  EXPECT_EQ(names(), "ab abc b ");
  // In the order of the writes: what comes after the deletion stays.
  ASSERT_TRUE(engine_->WriteState(
      {{"abd", "1"}, {"ab", std::nullopt, true}, {"abe", "1"}, {"\xFF\xFFz", "1"}}));
  EXPECT_EQ(names(), "abe b \xFF\xFFz ");
  ASSERT_TRUE(engine_->WriteState({{"\xFF", std::nullopt, true}}));
  EXPECT_EQ(names(), "abe b ");
  ASSERT_TRUE(engine_->WriteState({{"zz", "1"}, {"", std::nullopt, true}}));
  EXPECT_EQ(names(), "");
}

TEST_P(EngineContract, LogBytesFollowWhatIsHeld) {
  EXPECT_EQ(engine_->LogBytes(), 0u);
  std::mt19937_64 random(1);
  std::string record(100 << 10, '\0');
  for (char& c : record) c = static_cast<char>(random());
  for (uint64_t upto = 1; upto <= 400; ++upto) Append(*engine_, OriginOf(1), upto, record);
  const uint64_t full = 400 * record.size();
  EXPECT_GT(engine_->LogBytes(), full / 2);
  EXPECT_LT(engine_->LogBytes(), full * 2);
  ASSERT_TRUE(engine_->DropLog(OriginOf(1), Stamp{400}));
  EXPECT_LT(engine_->LogBytes(), full / 10);
}

TEST_P(EngineContract, ManyThreadsMayCallAtOnce) {
  std::vector<std::thread> threads;
  for (uint64_t node = 1; node <= 4; ++node) {
    threads.emplace_back([&, node] {
      for (uint64_t upto = 1; upto <= 300; ++upto) {
        Append(*engine_, OriginOf(node), upto, "record");
        EXPECT_TRUE(engine_->WriteState({{std::to_string(node * 1000 + upto), "v"}}));
        if (upto % 100 == 0) {
          EXPECT_TRUE(engine_->DropLog(OriginOf(node), Stamp{upto - 50}));
          EXPECT_TRUE(engine_->FlushState());
          EXPECT_TRUE(engine_->SyncLog());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t node = 1; node <= 4; ++node) {
    EXPECT_EQ(ReadAll(*engine_, OriginOf(node)).size(), 50u);
  }
  EXPECT_EQ(ReadState(*engine_).size(), 1200u);
}

class RocksEngine : public testing::Test {
 protected:
  std::unique_ptr<Engine> Open() {
    auto opened = OpenRocksEngine({data_});
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }

  TempFolder folder_;
  const std::string data_ = folder_ / "some/data";
};

TEST_F(RocksEngine, EverythingIsThereAfterReopening) {
  {
    const auto engine = Open();
    Append(*engine, OriginOf(1), 5, "five");
    ASSERT_TRUE(engine->WriteState({{"k", "v"}}));
    ASSERT_TRUE(engine->FlushState());
    ASSERT_TRUE(engine->PutMeta("name", "value"));
    ASSERT_TRUE(engine->DropLog(OriginOf(1), Stamp{4}));
  }
  const auto engine = Open();
  EXPECT_TRUE(engine->damage().empty());
  EXPECT_EQ(ReadAll(*engine, OriginOf(1)), (Records{{5, "five"}}));
  EXPECT_EQ(ReadState(*engine).at("k"), "v");
  EXPECT_EQ(*engine->GetMeta("name"), "value");
}

TEST_F(RocksEngine, TheDataFolderIsForItsOwnerAlone) {
  const auto engine = Open();
  EXPECT_EQ(fs::status(data_).permissions(), fs::perms::owner_all);
}

TEST_F(RocksEngine, ASecondOpenIsRefusedByName) {
  const auto engine = Open();
  const auto second = OpenRocksEngine({data_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_NE(second.error().message.find(data_), std::string::npos) << second.error().message;
  Append(*engine, OriginOf(1), 1, "still working");
}

TEST_F(RocksEngine, AFolderThatCannotBeMadeIsNamed) {
  const std::string file = folder_ / "file";
  std::filesystem::copy("/proc/self/comm", file);
  const auto engine = OpenRocksEngine({file + "/data"});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Code::kIo);
  EXPECT_NE(engine.error().message.find(file), std::string::npos) << engine.error().message;
}

TEST_F(RocksEngine, DroppedLogLeavesTheDisk) {
  const auto engine = Open();
  const std::string record(64 << 10, 'r');
  for (uint64_t round = 0; round < 8; ++round) {
    for (uint64_t i = 1; i <= 160; ++i) {  // 10 MiB in two streams
      Append(*engine, OriginOf(1 + i % 2), round * 1000 + i, record);
    }
    for (uint64_t node = 1; node <= 2; ++node) {
      ASSERT_TRUE(engine->DropLog(OriginOf(node), Stamp{round * 1000 + 160}));
    }
  }
  // 80 MiB were written; what is left is the last files and the write-ahead log.
  EXPECT_LT(CountFiles(data_, ".sst"), 10u);
  uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(data_)) bytes += entry.file_size();
  EXPECT_LT(bytes, uint64_t{48} << 20);
}

TEST_F(RocksEngine, OneIdleStreamDoesNotKeepTheOthersOnDisk) {
  const auto engine = Open();
  Append(*engine, OriginOf(9), 1, "never dropped");
  const std::string record(64 << 10, 'r');
  for (uint64_t upto = 1; upto <= 2880; ++upto) {  // 180 MiB, more files than are left unmerged
    Append(*engine, OriginOf(1), upto, record);
    if (upto % 100 == 0) {
      ASSERT_TRUE(engine->DropLog(OriginOf(1), Stamp{upto - 1}));
    }
  }
  EXPECT_LT(CountFiles(data_, ".sst"), 60u);
  EXPECT_LT(engine->LogBytes(), uint64_t{16} << 20);
  EXPECT_EQ(ReadAll(*engine, OriginOf(9)).size(), 1u);
}

TEST_F(RocksEngine, ABigCheckpointIsPacedAndKept) {
  const auto engine = Open();
  std::mt19937_64 random(7);
  std::string value(1000, '\0');
  for (int batch = 0; batch < 25; ++batch) {  // 25 MB
    std::vector<Engine::StateWrite> writes;
    for (int i = 0; i < 1000; ++i) {
      for (char& c : value) c = static_cast<char>(random());
      writes.push_back({std::to_string(random()), value});
    }
    ASSERT_TRUE(engine->WriteState(writes));
    Append(*engine, OriginOf(1), static_cast<uint64_t>(batch) + 1, "meanwhile");
  }
  ASSERT_TRUE(engine->FlushState());
  EXPECT_EQ(ReadState(*engine).size(), 25000u);
}

}  // namespace
}  // namespace starling
