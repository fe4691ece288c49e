#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "storage/backup.h"
#include "storage/engine.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

const Origin kOrigin{NodeId{1}, 1};

class Backups : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = OpenRocksEngine({folder_ / "data"});
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = *std::move(opened);
    ASSERT_TRUE(engine_->AppendLog({{kOrigin, Stamp{1}, "batch"}}, false));
    ASSERT_TRUE(engine_->WriteState({{"key", "value"}}));
    ASSERT_TRUE(engine_->PutMeta("name", "node"));
  }

  TempFolder folder_;
  const std::string backup_ = folder_ / "backups/first";
  const std::string restored_ = folder_ / "restored";
  std::unique_ptr<Engine> engine_;
};

TEST_F(Backups, ARestoredFolderHoldsEverythingAndSaysThatItWasRestored) {
  Status status = engine_->Backup(backup_);
  ASSERT_TRUE(status) << status.error().message;
  ASSERT_TRUE(engine_->AppendLog({{kOrigin, Stamp{2}, "after the backup"}}, false));
  ASSERT_TRUE(VerifyBackup(backup_));
  status = RestoreBackup(backup_, restored_);
  ASSERT_TRUE(status) << status.error().message;
  ASSERT_TRUE(VerifyBackup(backup_));

  const auto restored = OpenRocksEngine({restored_});
  ASSERT_TRUE(restored) << restored.error().message;
  uint64_t records = 0;
  ASSERT_TRUE((*restored)->ReadLog(kOrigin, {}, [&](const Engine::LogRecord& record) {
    EXPECT_EQ(record.bytes, "batch");
    return ++records > 0;
  }));
  EXPECT_EQ(records, 1u);
  uint64_t entries = 0;
  ASSERT_TRUE((*restored)->ReadState([&](std::string_view key, std::string_view value) {
    EXPECT_EQ(key, "key");
    EXPECT_EQ(value, "value");
    ++entries;
    return Status();
  }));
  EXPECT_EQ(entries, 1u);
  EXPECT_EQ(*(*restored)->GetMeta("name"), "node");
  EXPECT_EQ(*(*restored)->GetMeta(kRestoredMeta), "yes");
  EXPECT_EQ(*engine_->GetMeta(kRestoredMeta), std::nullopt);
  EXPECT_TRUE((*restored)->damage().empty());
}

TEST_F(Backups, AnyFlippedByteIsFound) {
  ASSERT_TRUE(engine_->Backup(backup_));
  std::mt19937_64 random(1);
  for (const auto& entry : fs::directory_iterator(backup_)) {
    const std::string path = entry.path().string();
    const uint64_t size = entry.file_size();
    if (size == 0) continue;
    // A copy first: the backup's tables are the engine's own files under a second name.
    const std::string copy = folder_ / "copy";
    fs::remove_all(copy);
    fs::copy(backup_, copy);
    const std::string spoilt = copy + "/" + entry.path().filename().string();
    std::fstream file(spoilt, std::ios::in | std::ios::out | std::ios::binary);
    const auto position = static_cast<std::streamoff>(random() % size);
    file.seekg(position);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(position);
    file.put(byte);
    file.close();
    const Status status = VerifyBackup(copy);
    ASSERT_FALSE(status) << spoilt;
    EXPECT_EQ(status.error().code, Code::kCorruption);
    EXPECT_FALSE(RestoreBackup(copy, restored_));
    EXPECT_FALSE(fs::exists(restored_));
    EXPECT_FALSE(fs::exists(restored_ + ".restoring"));
  }
}

TEST_F(Backups, MissingAndForeignFilesAreNamed) {
  ASSERT_TRUE(engine_->Backup(backup_));
  std::ofstream(backup_ + "/stranger") << "x";
  Status status = VerifyBackup(backup_);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("stranger"), std::string::npos);
  fs::remove(backup_ + "/stranger");
  fs::remove(backup_ + "/CURRENT");
  status = VerifyBackup(backup_);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("CURRENT is missing"), std::string::npos);
  EXPECT_EQ(VerifyBackup(folder_ / "none").error().code, Code::kNotFound);
}

TEST_F(Backups, NothingIsOverwritten) {
  ASSERT_TRUE(engine_->Backup(backup_ + "/"));
  EXPECT_EQ(engine_->Backup(backup_).error().code, Code::kAlreadyExists);
  const Status status = RestoreBackup(backup_, folder_ / "data");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kAlreadyExists);
  fs::create_directory(restored_);
  EXPECT_TRUE(RestoreBackup(backup_, restored_ + "/"));
}

TEST_F(Backups, AnEphemeralEngineHasNothingToBackUp) {
  const auto memory = OpenRocksEngine({""});
  ASSERT_TRUE(memory);
  EXPECT_EQ((*memory)->Backup(backup_).error().code, Code::kRefused);
}

}  // namespace
}  // namespace starling
