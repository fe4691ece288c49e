#include "node/meeting_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include "tests/support/child_process.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

std::shared_ptr<spdlog::logger> Quiet() {
  return std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
}

/// Tests run with a runtime folder of their own.
class MeetingFolderTest : public testing::Test {
 protected:
  MeetingFolderTest() { setenv("XDG_RUNTIME_DIR", temp_.path().c_str(), 1); }
  ~MeetingFolderTest() override { unsetenv("XDG_RUNTIME_DIR"); }

  static std::unique_ptr<MeetingFolder> Open() {
    auto folder = MeetingFolder::Open("", "test", Quiet());
    EXPECT_TRUE(folder.ok()) << (folder ? "" : folder.error().message);
    return *std::move(folder);
  }

  TempFolder temp_;
};

TEST_F(MeetingFolderTest, IsPrivateToTheUser) {
  const auto folder = Open();
  EXPECT_EQ(folder->path(), temp_ / "starling/test");
  for (const std::string& path : {temp_ / "starling", folder->path()}) {
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u) << path;
  }
}

TEST_F(MeetingFolderTest, RefusesASymbolicLink) {
  std::filesystem::create_directories(temp_ / "elsewhere");
  std::filesystem::create_symlink(temp_ / "elsewhere", temp_ / "starling");
  auto outer = MeetingFolder::Open("", "test", Quiet());
  ASSERT_FALSE(outer.ok());
  EXPECT_EQ(outer.error().code, Code::kRefused);

  std::filesystem::remove(temp_ / "starling");
  std::filesystem::create_directories(temp_ / "starling");
  std::filesystem::create_symlink(temp_ / "elsewhere", temp_ / "starling/test");
  auto inner = MeetingFolder::Open("", "test", Quiet());
  ASSERT_FALSE(inner.ok());
  EXPECT_EQ(inner.error().code, Code::kRefused);
}

TEST_F(MeetingFolderTest, RefusesAnotherUsersFolder) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  std::filesystem::create_directories(temp_ / "starling");
  ASSERT_EQ(chown((temp_ / "starling").c_str(), 12345, 12345), 0);
  auto folder = MeetingFolder::Open("", "test", Quiet());
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.error().code, Code::kRefused);
  EXPECT_NE(folder.error().message.find("12345"), std::string::npos) << folder.error().message;
}

TEST_F(MeetingFolderTest, ShowsLivingMembersToEachOther) {
  const auto a = Open();
  const auto b = Open();
  ASSERT_TRUE(a->Publish("a", "127.0.0.1:1001").ok());
  ASSERT_TRUE(b->Publish("b", "127.0.0.1:1002").ok());
  EXPECT_EQ(a->Scan()->addresses, std::vector<Address>{"127.0.0.1:1002"});
  EXPECT_EQ(b->Scan()->addresses, std::vector<Address>{"127.0.0.1:1001"});
  b->Withdraw();
  EXPECT_TRUE(a->Scan()->addresses.empty());
}

TEST_F(MeetingFolderTest, ANameIsTakenOnlyWhileItsNodeLives) {
  const auto a = Open();
  const auto b = Open();
  ASSERT_TRUE(a->Publish("same", "127.0.0.1:1001").ok());
  const Status taken = b->Publish("same", "127.0.0.1:1002");
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, Code::kAlreadyExists);
  a->Withdraw();
  EXPECT_TRUE(b->Publish("same", "127.0.0.1:1002").ok());
}

TEST_F(MeetingFolderTest, AKilledProcessLeavesNoLivingEntry) {
  ChildProcess child([](ChildProcess::Line& parent) {
    const auto folder = Open();
    parent.Say(folder->Publish("child", "127.0.0.1:1001").ok() ? "published" : "failed");
    parent.Hear();
  });
  ASSERT_EQ(child.Hear(), "published");
  const auto folder = Open();
  EXPECT_EQ(folder->Scan()->addresses.size(), 1u);
  child.Kill();
  EXPECT_TRUE(folder->Scan()->addresses.empty());
  EXPECT_FALSE(std::filesystem::exists(folder->path() + "/child.node")) << "stale, so removed";
  EXPECT_TRUE(folder->Publish("child", "127.0.0.1:1002").ok());
}

TEST_F(MeetingFolderTest, AnOrphanThatInheritedTheLockDoesNotKeepADeadNodeAlive) {
  ChildProcess child([](ChildProcess::Line& parent) {
    const auto folder = Open();
    if (!folder->Publish("child", "127.0.0.1:1001").ok()) _exit(1);
    if (fork() == 0) {
      // Ends when the test does: the line from the parent closes.
      parent.Hear();
      _exit(0);
    }
    parent.Say("published");
    parent.Hear();
  });
  ASSERT_EQ(child.Hear(), "published");
  const auto folder = Open();
  child.Kill();
  EXPECT_TRUE(folder->Scan()->addresses.empty());
  EXPECT_TRUE(folder->Publish("child", "127.0.0.1:1002").ok());
}

// COUNTEREXAMPLES 1: processes that start at once and find nobody must not each make a cluster.
TEST_F(MeetingFolderTest, ManyProcessesThatCreateAtOnceGetOneCluster) {
  constexpr int kProcesses = 16;
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int i = 0; i < kProcesses; ++i) {
      children.push_back(std::make_unique<ChildProcess>([i](ChildProcess::Line& parent) {
        const auto folder = Open();
        const ClusterRecord candidate = NewClusterRecord("node-" + std::to_string(i));
        parent.Say("ready");
        parent.Hear();
        const auto record = folder->EnsureCluster(candidate);
        parent.Say(record ? std::to_string(record->id) + " " + record->first_members.at(0)
                          : record.error().message);
      }));
    }
    for (auto& child : children) ASSERT_EQ(child->Hear(), "ready");
    for (auto& child : children) child->Say("go");
    std::set<std::string> seen;
    for (auto& child : children) seen.insert(child->Hear());
    EXPECT_EQ(seen.size(), 1u) << *seen.begin();
    EXPECT_NE(seen.begin()->find(" node-"), std::string::npos) << *seen.begin();
    std::filesystem::remove(temp_ / "starling/test/cluster");
  }
}

TEST_F(MeetingFolderTest, ADamagedClusterFileIsAnErrorThatNamesIt) {
  const auto folder = Open();
  for (const std::string text :
       {"", "nonsense\n", "starling-cluster 1\nid 12\n", "starling-cluster 1\nid 0\nend\n",
        "starling-cluster 1\nid zz\nend\n"}) {
    std::ofstream(folder->path() + "/cluster", std::ios::trunc) << text;
    const auto record = folder->EnsureCluster(NewClusterRecord("a"));
    ASSERT_FALSE(record.ok()) << text;
    EXPECT_EQ(record.error().code, Code::kCorruption);
    EXPECT_NE(record.error().message.find(folder->path() + "/cluster"), std::string::npos);
  }
}

TEST_F(MeetingFolderTest, OtherFilesAreLeftOutAndLeftAlone) {
  const auto folder = Open();
  std::ofstream(folder->path() + "/notes.txt") << "mine";
  std::filesystem::create_directories(folder->path() + "/folder.node");
  std::filesystem::create_symlink("/nonexistent", folder->path() + "/link.node");
  const auto view = folder->Scan();
  ASSERT_TRUE(view.ok());
  EXPECT_TRUE(view->addresses.empty());
  EXPECT_TRUE(std::filesystem::exists(folder->path() + "/notes.txt"));
  EXPECT_TRUE(std::filesystem::exists(folder->path() + "/folder.node"));
}

TEST_F(MeetingFolderTest, AFolderThatWasCleanedIsFilledAgain) {
  const auto a = Open();
  const auto b = Open();
  ASSERT_TRUE(a->Publish("a", "127.0.0.1:1001").ok());
  ASSERT_TRUE(b->Publish("b", "127.0.0.1:1002").ok());
  const auto record = a->EnsureCluster(NewClusterRecord("a"));
  ASSERT_TRUE(record.ok());
  std::filesystem::remove_all(temp_ / "starling");
  ASSERT_TRUE(a->Scan().ok());
  const auto seen = b->Scan();
  ASSERT_TRUE(seen.ok()) << seen.error().message;
  EXPECT_EQ(seen->addresses, std::vector<Address>{"127.0.0.1:1001"});
  ASSERT_TRUE(seen->record.has_value());
  EXPECT_EQ(seen->record->id, record->id);
  EXPECT_EQ(a->Scan()->addresses, std::vector<Address>{"127.0.0.1:1002"});
}

TEST_F(MeetingFolderTest, AFolderThatWasMovedAwayIsMadeAgain) {
  const auto a = Open();
  const auto b = Open();
  ASSERT_TRUE(a->Publish("a", "127.0.0.1:1001").ok());
  ASSERT_TRUE(b->Publish("b", "127.0.0.1:1002").ok());
  const auto record = a->EnsureCluster(NewClusterRecord("a"));
  ASSERT_TRUE(record.ok());
  const auto before = a->folder();
  std::filesystem::rename(temp_ / "starling/test", temp_ / "starling/away");
  ASSERT_TRUE(a->Scan().ok());
  EXPECT_NE(a->folder(), before);
  const auto seen = b->Scan();
  ASSERT_TRUE(seen.ok()) << seen.error().message;
  EXPECT_EQ(seen->addresses, std::vector<Address>{"127.0.0.1:1001"});
  EXPECT_EQ(seen->record->id, record->id);
}

}  // namespace
}  // namespace starling
