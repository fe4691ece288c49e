// Epochs as files of a folder: one creator each, read back as far as they are whole.
#include "node/epoch_files.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <csignal>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "replication/folder_lease.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::shared_ptr<const Folder> Open(const std::string& path) {
  auto folder = std::make_shared<Folder>();
  folder->descriptor = Descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  folder->path = path;
  return folder;
}

const EpochHolder kA{"a", 1, "boot"};
const EpochHolder kB{"b", 2, "boot"};

/// Keeps what it is told, as records do.
struct Kept final : FolderLeaseHost {
  Result<std::string> Snapshot() override { return text; }
  Status TakeOver(const EpochContent& earlier) override {
    text = *earlier.snapshot;
    for (const std::string& record : earlier.records) text += record;
    return {};
  }
  uint64_t KnownEpoch() override { return 0; }
  Status WriteEpoch(uint64_t) override { return {}; }
  std::string text;
};

class EpochFilesTest : public testing::Test {
 protected:
  std::string PathOf(int epoch) const { return home_ / ("epoch-" + std::to_string(epoch)); }

  TempFolder home_;
  EpochFiles a_{Open(home_.path()), /*synced=*/false};
  EpochFiles b_{Open(home_.path()), /*synced=*/true};
};

TEST_F(EpochFilesTest, OneOfTwoCreatesAnEpoch) {
  EXPECT_TRUE(a_.Epochs()->empty());
  ASSERT_TRUE(a_.Create(1, kA, seconds(5)));
  EXPECT_EQ(b_.Create(1, kB, seconds(5)).error().code, Code::kAlreadyExists);
  EXPECT_EQ(*b_.Epochs(), std::vector<uint64_t>{1});
  EXPECT_TRUE(*a_.IsNewest());
  EXPECT_FALSE(*b_.IsNewest());
  ASSERT_TRUE(b_.Create(11, kB, seconds(6)));
  EXPECT_EQ(*a_.Epochs(), (std::vector<uint64_t>{1, 11}));
  EXPECT_FALSE(*a_.IsNewest());
  EXPECT_TRUE(*b_.IsNewest());
}

TEST_F(EpochFilesTest, AreReadBackAsTheyWereWritten) {
  ASSERT_TRUE(a_.Create(7, kA, seconds(5)));
  ASSERT_TRUE(a_.AppendSnapshot("all\nbefore"));
  ASSERT_TRUE(a_.Append("one"));
  ASSERT_TRUE(a_.Append(std::string(1, '\0') + std::string(100'000, 'x')));
  ASSERT_TRUE(a_.Renew(seconds(6)));
  const EpochContent content = *b_.Read(7);
  EXPECT_EQ(content.holder, kA);
  EXPECT_EQ(content.renewed, Instant(seconds(6)));
  EXPECT_EQ(content.snapshot, "all\nbefore");
  ASSERT_EQ(content.records.size(), 2u);
  EXPECT_EQ(content.records[0], "one");
  EXPECT_EQ(content.records[1].size(), 100'001u);
  ASSERT_TRUE(a_.Renew({}));
  EXPECT_EQ(b_.Read(7)->renewed, Instant{});
  EXPECT_EQ(b_.Read(8).error().code, Code::kNotFound);
}

TEST_F(EpochFilesTest, TheHolderHearsFirstThatTheLeaseIsGivenBack) {  // I3
  int heard = 0;
  EpochFiles files(Open(home_.path()), /*synced=*/false, [&] {
    ++heard;
    EXPECT_EQ(b_.Read(1)->renewed, Instant(seconds(6))) << "seen by others before the holder knew";
  });
  ASSERT_TRUE(files.Create(1, kA, seconds(5)));
  ASSERT_TRUE(files.Renew(seconds(6)));
  EXPECT_EQ(heard, 0);
  ASSERT_TRUE(files.Renew({}));
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(b_.Read(1)->renewed, Instant{});
}

TEST_F(EpochFilesTest, AreReadAsFarAsTheyAreWholeWhereverTheyEnd) {  // I10, I11
  ASSERT_TRUE(a_.Create(1, kA, seconds(5)));
  ASSERT_TRUE(a_.AppendSnapshot("s"));
  ASSERT_TRUE(a_.Append("one"));
  ASSERT_TRUE(a_.Append("two"));
  const auto whole = std::filesystem::file_size(PathOf(1));
  size_t records = 2;
  for (auto size = whole; size-- > 0;) {
    std::filesystem::resize_file(PathOf(1), size);
    const Result<EpochContent> content = b_.Read(1);
    ASSERT_TRUE(content.ok());
    EXPECT_LE(content->records.size(), records);
    records = content->records.size();
    EXPECT_TRUE(records == 0 || content->snapshot);
    EXPECT_TRUE(!content->snapshot || content->holder);
  }
  EXPECT_EQ(records, 0u);
}

TEST_F(EpochFilesTest, DamagedBytesEndWhatIsRead) {  // I11
  ASSERT_TRUE(a_.Create(1, kA, seconds(5)));
  ASSERT_TRUE(a_.AppendSnapshot("snapshot"));
  ASSERT_TRUE(a_.Append("record"));
  const auto whole = std::filesystem::file_size(PathOf(1));
  for (size_t at = 16; at < whole; ++at) {
    std::fstream file(PathOf(1), std::ios::in | std::ios::out | std::ios::binary);
    const auto place = static_cast<std::streamoff>(at);
    file.seekg(place);
    const char byte = static_cast<char>(file.get());
    file.seekp(place);
    file.put(static_cast<char>(byte ^ 0x20));
    file.flush();
    const EpochContent content = *b_.Read(1);
    EXPECT_TRUE(content.records.empty());
    file.seekp(place);
    file.put(byte);
  }
  EXPECT_EQ(b_.Read(1)->records.size(), 1u);
}

/// No file of this process grows beyond `bytes`, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(EpochFilesTest, AnAppendThatDoesNotFitLeavesNothingOfItself) {  // I13
  ASSERT_TRUE(a_.Create(1, kA, seconds(5)));
  ASSERT_TRUE(a_.AppendSnapshot("s"));
  {
    const FileSizeLimit full(std::filesystem::file_size(PathOf(1)) + 50);
    EXPECT_EQ(a_.Append(std::string(1000, 'x')).error().code, Code::kIo);
    EXPECT_TRUE(a_.Append("small"));
    EXPECT_TRUE(a_.Renew(seconds(6))) << "needs no room";
  }
  ASSERT_TRUE(a_.Append("one"));
  EXPECT_EQ(b_.Read(1)->records, (std::vector<std::string>{"small", "one"}));
}

TEST_F(EpochFilesTest, ShowWhetherTheirHolderHasEnded) {
  ChildProcess child([&](ChildProcess::Line& parent) {
    EpochFiles files(Open(home_.path()), false);
    parent.Say(files.Create(1, kB, seconds(5)) ? "created" : "failed");
    parent.Hear();
  });
  ASSERT_EQ(child.Hear(), "created");
  ASSERT_EQ(a_.Read(1)->holder, kB);
  EXPECT_FALSE(a_.HasEnded(kB));
  EXPECT_FALSE(a_.HasEnded(kA)) << "of whom nothing was read";
  child.Kill();
  EXPECT_TRUE(a_.HasEnded(kB));
}

TEST_F(EpochFilesTest, HoldTwoNodesOfOneProcessApart) {
  ASSERT_TRUE(a_.Create(1, kA, seconds(5)));
  ASSERT_EQ(b_.Read(1)->holder, kA);
  EXPECT_FALSE(b_.HasEnded(kA));
}

TEST_F(EpochFilesTest, WhoseFileWasTakenAwayIsNotTheNewest) {
  ASSERT_TRUE(a_.Create(3, kA, seconds(5)));
  std::filesystem::remove(PathOf(3));
  EXPECT_FALSE(*a_.IsNewest());
  std::ofstream(PathOf(3)) << "another";
  EXPECT_FALSE(*a_.IsNewest());
}

// DESIGN.md section 6: "the path still names its file".
TEST_F(EpochFilesTest, WhoseFolderWasMovedAwayIsNotTheNewest) {
  const std::string place = home_ / "meet";
  std::filesystem::create_directory(place);
  EpochFiles files(Open(place), /*synced=*/false);
  ASSERT_TRUE(files.Create(1, kA, seconds(5)));
  ASSERT_TRUE(*files.IsNewest());
  std::filesystem::rename(place, home_ / "away");
  EXPECT_FALSE(*files.IsNewest()) << "nothing stands there";
  std::filesystem::create_directory(place);
  EXPECT_FALSE(*files.IsNewest()) << "another stands there";
  EXPECT_EQ(files.Epochs().error().code, Code::kIo) << "who holds it elsewhere is not known";
  files.Move(Open(place));
  EXPECT_FALSE(*files.IsNewest());
  EXPECT_TRUE(files.Epochs()->empty());
}

// Once the folder has been as it is for a while, it is not listed each time.
TEST_F(EpochFilesTest, AnyLaterEpochIsSeenAtOnceHoweverLongTheFolderWasLeftAlone) {
  ASSERT_TRUE(a_.Create(3, kA, seconds(5)));
  const auto settle = [&] {
    const auto until = std::chrono::steady_clock::now() + milliseconds(250);
    while (std::chrono::steady_clock::now() < until) ASSERT_TRUE(*a_.IsNewest());
  };
  for (const int later : {4, 9}) {
    settle();
    std::ofstream(PathOf(later)) << "another";
    EXPECT_FALSE(*a_.IsNewest()) << later;
    std::filesystem::remove(PathOf(later));
    EXPECT_TRUE(*a_.IsNewest());
    std::ofstream(PathOf(later)) << "within the same tick";
    EXPECT_FALSE(*a_.IsNewest()) << later;
    std::filesystem::remove(PathOf(later));
  }
  settle();
  std::filesystem::remove(PathOf(3));
  EXPECT_FALSE(*a_.IsNewest());
}

TEST_F(EpochFilesTest, AreDroppedBelowTheOwn) {
  ASSERT_TRUE(a_.Create(1, kA, seconds(5)));
  ASSERT_TRUE(b_.Create(2, kB, seconds(5)));
  std::ofstream(home_ / "epoch-x") << "no epoch";
  std::ofstream(home_ / "a.node") << "a node";
  b_.DropEarlier();
  EXPECT_FALSE(std::filesystem::exists(PathOf(1)));
  EXPECT_TRUE(std::filesystem::exists(PathOf(2)));
  EXPECT_TRUE(std::filesystem::exists(home_ / "epoch-x"));
  EXPECT_TRUE(std::filesystem::exists(home_ / "a.node"));
}

// DESIGN.md section 6: after kill -9 of any process the others go on at once.
TEST_F(EpochFilesTest, AKilledHoldersRecordsAreTakenOverAtOnce) {  // I4
  const auto log = std::make_shared<spdlog::logger>("test");
  ChildProcess child([&](ChildProcess::Line& parent) {
    EpochFiles files(Open(home_.path()), false);
    Kept kept;
    FolderLease lease({.self = kB, .created = true}, files, kept, log);
    lease.OnTick(seconds(10));
    const bool acknowledged = lease.Keep("kept", seconds(10)) && lease.Confirm(seconds(10));
    parent.Say(acknowledged ? "acknowledged" : "failed");
    parent.Hear();
  });
  ASSERT_EQ(child.Hear(), "acknowledged");
  Kept kept;
  FolderLease lease({.self = kA}, a_, kept, log);
  lease.OnTick(seconds(10));
  EXPECT_FALSE(lease.Holding(seconds(10)));
  EXPECT_EQ(lease.holder(), "b");
  child.Kill();
  lease.OnChange(seconds(10));
  EXPECT_TRUE(lease.Holding(seconds(10)));
  EXPECT_EQ(lease.epoch(), 2u);
  EXPECT_EQ(kept.text, "kept");
  EXPECT_FALSE(std::filesystem::exists(PathOf(1)));
}

}  // namespace
}  // namespace starling
