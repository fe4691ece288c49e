#include "storage/host_identity.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_folder.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

TEST(HostIdentity, TheBootHasOneId) {
  const Result<std::string> id = BootId();
  ASSERT_TRUE(id) << id.error().message;
  EXPECT_EQ(id->size(), 36u);
  EXPECT_EQ(*BootId(), *id);
}

TEST(HostIdentity, AFolderKeepsItsIdentityUnderANewNameAndACopyHasAnother) {
  TempFolder folder;
  fs::create_directory(folder / "a");
  const Result<std::string> before = FolderIdentity(folder / "a");
  ASSERT_TRUE(before) << before.error().message;
  fs::rename(folder / "a", folder / "b");
  EXPECT_EQ(*FolderIdentity(folder / "b"), *before);
  fs::copy(folder / "b", folder / "c");
  EXPECT_NE(*FolderIdentity(folder / "c"), *before);
}

TEST(HostIdentity, AMissingFolderIsNamed) {
  const Result<std::string> identity = FolderIdentity("/nowhere/at/all");
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, Code::kIo);
  EXPECT_NE(identity.error().message.find("/nowhere/at/all"), std::string::npos);
}

TEST(HostIdentity, TheHostHasAName) { EXPECT_NE(HostName(), ""); }

}  // namespace
}  // namespace starling
