// What the engine does with files that a crash or a disk has spoilt (I10, I11).

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "storage/engine.h"
#include "storage/wal_inspection.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

const Origin kOrigin{NodeId{1}, 1};
constexpr uint64_t kRecords = 40;

std::string RecordOf(uint64_t upto) { return std::string(10 + upto * 37 % 3000, 'r'); }

uint64_t CountPrefix(Engine& engine) {
  uint64_t count = 0;
  const Status status = engine.ReadLog(kOrigin, {}, [&](const Engine::LogRecord& record) {
    EXPECT_EQ(record.upto.value, ++count);
    EXPECT_EQ(record.bytes, RecordOf(count));
    return true;
  });
  EXPECT_TRUE(status) << status.error().message;
  return count;
}

void Overwrite(const std::string& path, uint64_t position, char value) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(position));
  file.put(value);
}

char ByteAt(const std::string& path, uint64_t position) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(position));
  return static_cast<char>(file.get());
}

std::vector<std::string> FilesWith(const std::string& folder, std::string_view part) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().find(part) != std::string::npos) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Damaged : public testing::Test {
 protected:
  /// A folder as a killed process leaves it: kRecords in the write-ahead log, state flushed after
  /// them.
  void SetUp() override {
    const auto engine = Open();
    for (uint64_t upto = 1; upto <= kRecords; ++upto) {
      ASSERT_TRUE(engine->AppendLog({{kOrigin, Stamp{upto}, RecordOf(upto)}}, false));
    }
    ASSERT_TRUE(engine->WriteState({{"key", "value"}}));
    ASSERT_TRUE(engine->FlushState());
    ASSERT_TRUE(engine->SyncLog());
    fs::copy(data_, pristine_, fs::copy_options::recursive);
    const Result<std::vector<WalFile>> files = InspectWals(pristine_);
    ASSERT_TRUE(files);
    for (const WalFile& file : *files) {
      if (file.records >= kRecords) wal_ = fs::path(file.path).filename().string();
    }
    ASSERT_NE(wal_, "");
    wal_bytes_ = fs::file_size(pristine_ + "/" + wal_);
  }

  std::unique_ptr<Engine> Open() {
    auto opened = OpenRocksEngine({data_});
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }

  /// Puts the folder back as SetUp left it.
  void Reset() {
    fs::remove_all(data_);
    fs::copy(pristine_, data_, fs::copy_options::recursive);
  }

  /// The damage that opening reports: one, in the log file, at a record's beginning.
  Engine::Damage OnlyDamage(const Engine& engine) {
    EXPECT_EQ(engine.damage().size(), 1u);
    if (engine.damage().empty()) return {};
    EXPECT_EQ(engine.damage()[0].file, Wal());
    return engine.damage()[0];
  }

  std::string Wal() const { return data_ + "/" + wal_; }

  TempFolder folder_;
  const std::string data_ = folder_ / "data";
  const std::string pristine_ = folder_ / "pristine";
  std::string wal_;
  uint64_t wal_bytes_ = 0;
};

TEST_F(Damaged, AnUnharmedFolderReportsNothing) {
  Reset();
  const auto engine = Open();
  EXPECT_TRUE(engine->damage().empty());
  EXPECT_EQ(CountPrefix(*engine), kRecords);
}

TEST_F(Damaged, ALogCutAnywhereKeepsItsPrefixAndSaysWhere) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 12; ++round) {
    Reset();
    const uint64_t size = random() % wal_bytes_;
    fs::resize_file(Wal(), size);
    const Result<WalFile> expected = InspectWal(Wal(), 0);
    ASSERT_TRUE(expected);
    const auto engine = Open();
    const uint64_t kept = CountPrefix(*engine);
    EXPECT_LE(kept, expected->records);
    if (expected->fault.empty()) {
      EXPECT_TRUE(engine->damage().empty());
      continue;
    }
    const Engine::Damage damage = OnlyDamage(*engine);
    EXPECT_EQ(damage.position, expected->valid_bytes);
    EXPECT_EQ(damage.dropped, size - damage.position);
    EXPECT_NE(damage.reason, "");
    EXPECT_EQ(engine
                  ->ReadState([](auto, auto value) {
                    EXPECT_EQ(value, "value");
                    return Status();
                  })
                  .ok(),
              true);
  }
}

TEST_F(Damaged, AFlippedByteAnywhereIsFoundBeforeRocksDbMeetsIt) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 12; ++round) {
    Reset();
    const uint64_t position = random() % wal_bytes_;
    Overwrite(Wal(), position, static_cast<char>(ByteAt(Wal(), position) ^ 0x10));
    const auto engine = Open();
    const Engine::Damage damage = OnlyDamage(*engine);
    EXPECT_LE(damage.position, position);
    EXPECT_EQ(damage.dropped, wal_bytes_ - damage.position);
    EXPECT_LT(CountPrefix(*engine), kRecords + 1);
    // The engine goes on from there, and the next start finds all in order.
    const uint64_t kept = CountPrefix(*engine);
    ASSERT_TRUE(engine->AppendLog({{kOrigin, Stamp{kept + 1}, RecordOf(kept + 1)}}, true));
    EXPECT_EQ(CountPrefix(*engine), kept + 1);
  }
}

TEST_F(Damaged, DamageIsReportedAgainUntilTheFirstAppend) {
  Reset();
  fs::resize_file(Wal(), wal_bytes_ - 1);
  const Engine::Damage first = OnlyDamage(*Open());
  {
    const auto engine = Open();
    EXPECT_EQ(OnlyDamage(*engine).position, first.position);
    EXPECT_EQ(OnlyDamage(*engine).reason, first.reason);
    ASSERT_TRUE(engine->AppendLog({{kOrigin, Stamp{1000}, "on"}}, false));
  }
  EXPECT_TRUE(Open()->damage().empty());
}

TEST_F(Damaged, ASpoiltTableIsCorruptionThatNamesTheFile) {
  Reset();
  const std::vector<std::string> tables = FilesWith(data_, ".sst");
  ASSERT_FALSE(tables.empty());
  for (const std::string& table : tables) {
    for (uint64_t position = 0; position < 20; ++position) Overwrite(table, position, '\x55');
  }
  Status status;
  auto engine = OpenRocksEngine({data_});
  if (engine) {
    status = (*engine)->ReadState([](auto, auto) { return Status(); });
  } else {
    status = engine.error();
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kCorruption);
  EXPECT_NE(status.error().message.find(".sst"), std::string::npos) << status.error().message;
}

TEST_F(Damaged, AMissingTableIsCorruptionThatNamesTheFile) {
  Reset();
  const std::vector<std::string> tables = FilesWith(data_, ".sst");
  ASSERT_FALSE(tables.empty());
  fs::remove(tables.front());
  const auto engine = OpenRocksEngine({data_});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Code::kCorruption) << engine.error().message;
  // RocksDB looks for it under the old suffix last, so that is what it names.
  EXPECT_NE(engine.error().message.find(fs::path(tables.front()).stem().string()),
            std::string::npos)
      << engine.error().message;
}

TEST_F(Damaged, ASpoiltManifestIsCorruptionThatNamesTheFile) {
  Reset();
  const std::vector<std::string> manifests = FilesWith(data_, "MANIFEST");
  ASSERT_EQ(manifests.size(), 1u);
  for (uint64_t position = 8; position < 60; ++position) Overwrite(manifests[0], position, '\x55');
  const auto engine = OpenRocksEngine({data_});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Code::kCorruption) << engine.error().message;
  EXPECT_NE(engine.error().message.find(data_), std::string::npos) << engine.error().message;
  EXPECT_NE(engine.error().message.find("MANIFEST"), std::string::npos) << engine.error().message;
}

TEST_F(Damaged, AMissingManifestIsCorruption) {
  Reset();
  fs::remove(FilesWith(data_, "MANIFEST").at(0));
  const auto engine = OpenRocksEngine({data_});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Code::kCorruption) << engine.error().message;
}

TEST_F(Damaged, AMissingCurrentFileDoesNotBeginANewDatabaseOverTheOldOne) {
  Reset();
  fs::remove(data_ + "/CURRENT");
  const auto engine = OpenRocksEngine({data_});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Code::kCorruption);
  EXPECT_NE(engine.error().message.find("CURRENT"), std::string::npos) << engine.error().message;
  EXPECT_FALSE(FilesWith(data_, ".sst").empty());
}

}  // namespace
}  // namespace starling
