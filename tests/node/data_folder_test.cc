#include "node/data_folder.h"

#include <optional>

#include <gtest/gtest.h>

#include "tests/support/child_process.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

TEST(DataFolder, TakesTheFirstThatNobodyHolds) {
  const TempFolder home;
  std::optional<DataFolder> first = *DataFolder::Take(home.path(), "test");
  const DataFolder second = *DataFolder::Take(home.path(), "test");
  EXPECT_EQ(first->path(), home / "test-0");
  EXPECT_EQ(second.path(), home / "test-1");
  EXPECT_EQ(second.NodeName(), PlainHostName() + "-test-1");
  first.reset();
  EXPECT_EQ(DataFolder::Take(home.path(), "test")->path(), home / "test-0");
  EXPECT_EQ(DataFolder::Take(home.path(), "other")->path(), home / "other-0");
}

TEST(DataFolder, OfAKilledProcessIsTakenAgain) {
  const TempFolder home;
  ChildProcess child([&](ChildProcess::Line& parent) {
    const Result<DataFolder> folder = DataFolder::Take(home.path(), "test");
    parent.Say(folder ? folder->path() : folder.error().message);
    parent.Hear();
  });
  ASSERT_EQ(child.Hear(), home / "test-0");
  EXPECT_EQ(DataFolder::Take(home.path(), "test")->number(), 1);
  child.Kill();
  EXPECT_EQ(DataFolder::Take(home.path(), "test")->number(), 0);
}

TEST(DataFolder, RemembersTheClusterForItsNeighbours) {
  const TempFolder home;
  const ClusterRecord record = NewClusterRecord("a");
  {
    const DataFolder folder = *DataFolder::Take(home.path(), "test");
    EXPECT_FALSE(folder.KnownCluster()->has_value());
    ASSERT_TRUE(folder.NoteCluster(record).ok());
    ASSERT_TRUE(folder.NoteCluster(NewClusterRecord("b")).ok());
  }
  const DataFolder folder = *DataFolder::Take(home.path(), "test");
  ASSERT_TRUE(folder.KnownCluster()->has_value());
  EXPECT_EQ((*folder.KnownCluster())->id, record.id);
}

TEST(DataFolder, NamesStayPlainAndShortEnough) {
  const TempFolder home;
  const DataFolder folder = *DataFolder::Take(home.path(), std::string(128, 'c'));
  EXPECT_LE(folder.NodeName().size(), 128u);
  EXPECT_FALSE(DataFolder::Take(home.path(), "a/b").ok());
}

}  // namespace
}  // namespace starling
