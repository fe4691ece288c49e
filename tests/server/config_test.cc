#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace starling {
namespace {

using ::testing::HasSubstr;

std::string SetError(Config& config, const SettingValues& values) {
  Status status = config.Set(values);
  return status.ok() ? "no error" : status.error().message;
}

/// A file with `text` that is gone at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    char name[] = "/tmp/starling-config-XXXXXX";
    const int descriptor = ::mkstemp(name);
    EXPECT_GE(descriptor, 0);
    ::close(descriptor);
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }
  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

 private:
  std::string path_;
};

TEST(Config, GetsByPatternInAnyCase) {
  Config config({}, "");
  EXPECT_EQ(config.Get("MAXCLIENTS"), (SettingValues{{"maxclients", "10000"}}));
  EXPECT_EQ(config.Get("append*"),
            (SettingValues{{"appendonly", "yes"}, {"appendfsync", "everysec"}}));
  EXPECT_TRUE(config.Get("nothing").empty());
}

TEST(Config, SetsAllOrNothing) {
  Config config({}, "");
  const uint64_t version = config.version();
  EXPECT_EQ(SetError(config, {{"maxclients", "5"}, {"timeout", "x"}}),
            "CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be "
            "parsed into an integer");
  EXPECT_EQ(config.settings()->maxclients, 10000);
  EXPECT_EQ(config.version(), version);
  ASSERT_TRUE(config.Set({{"maxclients", "5"}, {"timeout", "7"}}).ok());
  EXPECT_EQ(config.settings()->maxclients, 5);
  EXPECT_EQ(config.settings()->timeout, std::chrono::seconds(7));
  EXPECT_NE(config.version(), version);
}

TEST(Config, RefusesInRedissWords) {
  Config config({}, "");
  EXPECT_EQ(SetError(config, {{"nope", "1"}}),
            "Unknown option or number of arguments for CONFIG SET - 'nope'");
  EXPECT_EQ(SetError(config, {{"port", "1"}}),
            "CONFIG SET failed (possibly related to argument 'port') - can't set immutable config");
  EXPECT_EQ(SetError(config, {{"databases", "1"}}),
            "CONFIG SET failed (possibly related to argument 'databases') - can't set immutable "
            "config");
  EXPECT_EQ(SetError(config, {{"timeout", "1"}, {"TIMEOUT", "2"}}),
            "CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate parameter");
}

TEST(Config, LetsTheApplierRefuse) {
  Config config({}, "");
  config.SetApplier([](const Settings&) { return Status(Error{Code::kRefused, "no room"}); });
  EXPECT_THAT(SetError(config, {{"maxclients", "5"}}), HasSubstr("no room"));
  EXPECT_EQ(config.settings()->maxclients, 10000);
}

TEST(Config, RewritesTheLinesOfWhatWasSet) {
  TemporaryFile file("# mine\ntimeout = 3  # short\nport = 7000\n");
  Config config({}, file.path());
  ASSERT_TRUE(config.Set({{"timeout", "9"}, {"requirepass", "a\"b\\c"}}).ok());
  Status rewritten = config.Rewrite();
  ASSERT_TRUE(rewritten.ok()) << rewritten.error().message;
  EXPECT_EQ(file.Text(), "# mine\ntimeout = \"9\"\nport = 7000\nrequirepass = \"a\\\"b\\\\c\"\n");
}

TEST(Config, LeavesAFileAloneThatItCannotRewriteByLine) {
  const std::string text = "\"timeout\" = 3\n";
  TemporaryFile file(text);
  Config config({}, file.path());
  ASSERT_TRUE(config.Set({{"timeout", "9"}}).ok());
  EXPECT_FALSE(config.Rewrite().ok());
  EXPECT_EQ(file.Text(), text);
}

TEST(Config, HasNothingToRewriteWithoutAFile) {
  Config config({}, "");
  EXPECT_EQ(config.Rewrite().error().message, "The server is running without a config file");
}

}  // namespace
}  // namespace starling
