#include "storage/wal_inspection.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "storage/crc32c.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlock = 32768;

uint32_t Masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u; }

/// One fragment as RocksDB writes it; with `number` in the form for recycled files.
std::string Fragment(int type, std::string_view payload, int64_t number = -1) {
  std::string checked(1, static_cast<char>(type));
  if (number >= 0) {
    const auto low = static_cast<uint32_t>(number);
    checked.append(reinterpret_cast<const char*>(&low), 4);
  }
  checked += payload;
  const uint32_t crc = Masked(Crc32c(checked));
  const auto length = static_cast<uint16_t>(payload.size());
  std::string bytes(reinterpret_cast<const char*>(&crc), 4);
  bytes.append(reinterpret_cast<const char*>(&length), 2);
  return bytes + checked;
}

std::string Record(size_t size = 40) { return Fragment(1, std::string(size, 'r')); }

void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class WalInspection : public testing::Test {
 protected:
  WalFile Inspect(std::string_view bytes) {
    const std::string path = folder_ / "000007.log";
    WriteFile(path, bytes);
    const Result<WalFile> report = InspectWal(path, 7);
    EXPECT_TRUE(report) << report.error().message;
    return *report;
  }
  TempFolder folder_;
};

TEST(Crc32c, GivesThePublishedValues) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  const std::string text = "the checksum of the whole is that of its parts one after another";
  for (size_t cut = 0; cut < text.size(); ++cut) {
    EXPECT_EQ(Crc32c(text.substr(cut), Crc32c(text.substr(0, cut))), Crc32c(text));
  }
}

TEST_F(WalInspection, WholeFilesHaveNoFault) {
  EXPECT_EQ(Inspect("").fault, "");
  const WalFile two = Inspect(Record() + Record(12));
  EXPECT_EQ(two.fault, "");
  EXPECT_EQ(two.records, 2u);
  EXPECT_EQ(two.valid_bytes, two.size);
}

TEST_F(WalInspection, RecordsMaySpanBlocks) {
  const std::string first = Fragment(2, std::string(kBlock - 7, 'a'));
  const std::string middle = Fragment(3, std::string(kBlock - 7, 'b'));
  const std::string last = Fragment(4, "end");
  const WalFile whole = Inspect(first + middle + last + Record());
  EXPECT_EQ(whole.fault, "");
  EXPECT_EQ(whole.records, 2u);
  const WalFile torn = Inspect(first + middle);
  EXPECT_EQ(torn.fault, "the file ends inside a record");
  EXPECT_EQ(torn.valid_bytes, 0u);
}

TEST_F(WalInspection, ABlocksPaddingIsNoRecord) {
  const std::string nearly = Record(kBlock - 7 - 6);
  EXPECT_EQ(Inspect(nearly + std::string(6, '\0') + Record()).records, 2u);
  EXPECT_EQ(Inspect(nearly + std::string(6, 'x') + Record()).fault, "bytes in a block's padding");
  // A header fits exactly: an empty first fragment.
  const std::string exact =
      Record(kBlock - 7 - 7) + Fragment(2, "") + Fragment(4, std::string(40, 'x'));
  EXPECT_EQ(Inspect(exact).records, 2u);
}

TEST_F(WalInspection, NamesEachKindOfFault) {
  const std::string good = Record();
  const auto fault = [&](const std::string& bytes) {
    const WalFile report = Inspect(good + bytes);
    EXPECT_EQ(report.valid_bytes, good.size());
    EXPECT_EQ(report.records, 1u);
    return report.fault;
  };
  std::string flipped = Record();
  flipped.back() ^= 1;
  EXPECT_EQ(fault(flipped), "checksum mismatch");
  EXPECT_EQ(fault(Record().substr(0, 20)), "the file ends inside a record");
  EXPECT_EQ(fault(Record().substr(0, 6)), "the file ends inside a record header");
  EXPECT_EQ(fault(std::string(5000, '\0')), "zeros instead of a record");
  EXPECT_EQ(fault(Fragment(9, "x")), "unknown record type");
  EXPECT_EQ(fault(Fragment(4, std::string(40, 'x'))), "a record without its beginning");
  EXPECT_EQ(fault(Fragment(2, "x") + Record()), "a record begins inside another");
  EXPECT_EQ(fault(Fragment(1, "tiny")), "record too short for a write batch");
  std::string long_length = Record();
  long_length[5] = '\xFF';
  EXPECT_EQ(fault(long_length + std::string(kBlock, 'x')), "record longer than its block");
}

TEST_F(WalInspection, RecycledFilesAreReadAndTheirOldContentIsNot) {
  EXPECT_EQ(Inspect(Fragment(5, std::string(40, 'x'), 7)).records, 1u);
  EXPECT_EQ(Inspect(Fragment(5, std::string(40, 'x'), 6)).fault,
            "record of an earlier use of the file");
}

TEST_F(WalInspection, FilesAreReadInOrderOfTheirNumbers) {
  WriteFile(folder_ / "000009.log", Record());
  WriteFile(folder_ / "000010.log", Record() + "torn");
  WriteFile(folder_ / "100000.log", Record());
  WriteFile(folder_ / "LOG", "not a write-ahead log");
  WriteFile(folder_ / "text.log", "neither");
  const Result<std::vector<WalFile>> files = InspectWals(folder_.path());
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 3u);
  EXPECT_EQ((*files)[0].fault, "");
  EXPECT_EQ((*files)[1].fault, "the file ends inside a record header");
  EXPECT_EQ((*files)[2].fault, "follows a damaged file");
  const std::vector<Engine::Damage> damage = DamageOf(*files);
  ASSERT_EQ(damage.size(), 2u);
  EXPECT_EQ(damage[0].file, folder_ / "000010.log");
  EXPECT_EQ(damage[0].position, Record().size());
  EXPECT_EQ(damage[0].dropped, 4u);
  EXPECT_EQ(damage[1].position, 0u);
  EXPECT_EQ(damage[1].dropped, Record().size());
}

TEST_F(WalInspection, WhatIsCutIsKeptAside) {
  WriteFile(folder_ / "000010.log", Record() + "torn");
  WriteFile(folder_ / "000011.log", Record(99));
  const Result<std::vector<WalFile>> files = InspectWals(folder_.path());
  ASSERT_TRUE(files);
  ASSERT_TRUE(CutWals(folder_.path(), *files));
  EXPECT_EQ(ReadFile(folder_ / "000010.log"), Record());
  EXPECT_FALSE(fs::exists(folder_ / "000011.log"));
  EXPECT_EQ(ReadFile(folder_ / ("cut/000010.log." + std::to_string(Record().size()))), "torn");
  EXPECT_EQ(ReadFile(folder_ / "cut/000011.log.0"), Record(99));
  const Result<std::vector<WalFile>> again = InspectWals(folder_.path());
  ASSERT_TRUE(again);
  EXPECT_TRUE(DamageOf(*again).empty());
}

}  // namespace
}  // namespace starling
