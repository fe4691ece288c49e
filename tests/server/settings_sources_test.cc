#include "server/settings_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "server/option_table.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

Result<LoadedSettings> Load(const Words& arguments, const EnvironmentVariables& environment = {}) {
  return LoadSettings(arguments, environment);
}

std::string ErrorOf(const Words& arguments, const EnvironmentVariables& environment = {}) {
  Result<LoadedSettings> loaded = Load(arguments, environment);
  return loaded.ok() ? "no error" : loaded.error().message;
}

std::string FileError(std::string_view text) {
  Settings settings;
  Status applied = ApplyConfigText(text, "node.toml", settings);
  return applied.ok() ? "no error" : applied.error().message;
}

/// A configuration file that is gone at the end.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) {
    char name[] = "/tmp/starling-settings-XXXXXX";
    const int descriptor = ::mkstemp(name);
    EXPECT_GE(descriptor, 0);
    ::close(descriptor);
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Settings, HaveTheDocumentedDefaults) {
  Result<LoadedSettings> loaded = Load({});
  ASSERT_TRUE(loaded.ok());
  const Settings& settings = loaded->settings;
  EXPECT_EQ(settings.port, 6379);
  EXPECT_EQ(settings.gossip_port, -1);
  EXPECT_TRUE(settings.protected_mode);
  EXPECT_TRUE(settings.appendonly);
  EXPECT_EQ(settings.appendfsync, AppendFsync::kEverySecond);
  EXPECT_EQ(settings.maxclients, 10000);
  EXPECT_EQ(settings.forget_after, std::chrono::hours(24));
}

TEST(Settings, TakeFlagsBeforeEnvironmentBeforeFileBeforeDefaults) {
  ConfigFile file("maxclients = 1\ntimeout = 1\nport = 1\ncluster = \"filed\"\n");
  Result<LoadedSettings> loaded =
      Load({"--config", file.path(), "--port=3"},
           {{"STARLING_PORT", "2"}, {"STARLING_TIMEOUT", "2"}, {"HOME", "/nowhere"}});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->settings.port, 3);
  EXPECT_EQ(loaded->settings.timeout, std::chrono::seconds(2));
  EXPECT_EQ(loaded->settings.maxclients, 1);
  EXPECT_EQ(loaded->settings.cluster, "filed");
  EXPECT_EQ(loaded->settings.tcp_backlog, 511);
  EXPECT_EQ(loaded->config_file, file.path());
}

TEST(Settings, FindTheFileByTheEnvironmentToo) {
  ConfigFile file("port = 7\n");
  Result<LoadedSettings> loaded = Load({}, {{"STARLING_CONFIG", file.path()}});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->settings.port, 7);
}

TEST(Settings, ReadEveryKindOfValueFromAFile) {
  Settings settings;
  Status applied = ApplyConfigText(
      "port = 7000\nappendonly = false\njoin = [\"a:1\", \"b:2\"]\nforget-after = \"90m\"\n"
      "proto-max-bulk-len = \"2mb\"\nclient-output-buffer-limit = \"normal 1gb 1mb 10\"\n"
      "appendfsync = \"always\"\nprotected-mode = \"no\"\n",
      "node.toml", settings);
  ASSERT_TRUE(applied.ok()) << applied.error().message;
  EXPECT_EQ(settings.port, 7000);
  EXPECT_FALSE(settings.appendonly);
  EXPECT_FALSE(settings.protected_mode);
  EXPECT_EQ(settings.join, (Words{"a:1", "b:2"}));
  EXPECT_EQ(settings.forget_after, std::chrono::minutes(90));
  EXPECT_EQ(settings.proto_max_bulk_len, 2u << 20);
  EXPECT_EQ(settings.output_limit.soft, 1u << 20);
  EXPECT_EQ(settings.output_limit.soft_time, std::chrono::seconds(10));
  EXPECT_EQ(settings.appendfsync, AppendFsync::kAlways);
}

TEST(Settings, EveryOptionReadsBackWhatItPrints) {
  const Settings defaults;
  for (const Option& option : AllOptions()) {
    if (option.change == Option::Change::kConstant) continue;
    const std::string text = option.print(defaults);
    if (text.empty()) continue;
    Settings settings;
    Status parsed = option.parse(text, settings);
    EXPECT_TRUE(parsed.ok()) << option.name << " = " << text << ": " << parsed.error().message;
    EXPECT_EQ(option.print(settings), text) << option.name;
  }
}

TEST(Settings, RefuseUnknownNamesAndSuggestNearOnes) {
  EXPECT_EQ(ErrorOf({"--maxclient", "3"}),
            "option --maxclient is no option of starlingd; did you mean 'maxclients'?");
  EXPECT_THAT(ErrorOf({"--zzzzzzzzzz=3"}), HasSubstr("option --zzzzzzzzzz is no option"));
  EXPECT_THAT(ErrorOf({"redis.conf"}), HasSubstr("argument 'redis.conf' belongs to no option"));
  EXPECT_EQ(ErrorOf({}, {{"STARLING_GOSIP_PORT", "3"}}),
            "environment variable STARLING_GOSIP_PORT is no option of starlingd; did you mean "
            "'gossip-port'?");
  EXPECT_EQ(FileError("port = 1\nmaxclient = 2\n"),
            "node.toml:2: key 'maxclient' is no option of starlingd; did you mean 'maxclients'?");
  EXPECT_THAT(FileError("[server]\nport = 1\n"), HasSubstr("no sections, so not [server]"));
}

TEST(Settings, RefuseMalformedValuesByNameAndSayWhatIsRight) {
  EXPECT_EQ(ErrorOf({"--port", "65536"}),
            "option --port '65536': argument must be between 0 and 65535 inclusive");
  EXPECT_EQ(
      ErrorOf({"--port", "x"}),
      "option --port 'x': argument couldn't be parsed into an integer (<port>: Port for Redis "
      "clients; 0 takes a free one.)");
  EXPECT_EQ(
      ErrorOf({"--forget-after", "10"}),
      "option --forget-after '10': argument must be a number with its unit: ms, s, m, h or d");
  EXPECT_EQ(ErrorOf({"--appendonly", "maybe"}),
            "option --appendonly 'maybe': argument must be 'yes' or 'no'");
  EXPECT_EQ(ErrorOf({"--appendfsync", "often"}),
            "option --appendfsync 'often': argument(s) must be one of the following: everysec, "
            "always, no");
  EXPECT_EQ(ErrorOf({}, {{"STARLING_IO_THREADS", "65"}}),
            "environment variable STARLING_IO_THREADS '65': argument must be between 0 and 64 "
            "inclusive");
  EXPECT_EQ(FileError("proto-max-bulk-len = \"1q\"\n"),
            "node.toml:1: key 'proto-max-bulk-len' '1q': argument must be a memory value");
  EXPECT_THAT(FileError("port = 1.5\n"), HasSubstr("key 'port' needs a text, a whole number"));
  EXPECT_THAT(FileError("port = \n"), HasSubstr("node.toml:1: "));
}

TEST(Settings, RefuseToBeGivenNothingWhereThatWouldSilentlyMeanLess) {
  EXPECT_EQ(ErrorOf({}, {{"STARLING_SECRET_FILE", ""}}),
            "environment variable STARLING_SECRET_FILE '': names nothing; leave it out for none");
  EXPECT_EQ(ErrorOf({"--join", " , "}),
            "option --join ' , ': names nothing; leave it out for none");
  EXPECT_THAT(FileError("name = \"\"\n"), HasSubstr("key 'name' '': names nothing"));
  EXPECT_EQ(ErrorOf({}, {{"STARLING_REQUIREPASS", ""}}), "no error");
}

TEST(Settings, AreShownWithTheirDefaults) {
  Result<LoadedSettings> help = Load({"--help"});
  ASSERT_TRUE(help.ok());
  for (const char* text : {"Default: 6379.", "Default: <host name>-<port>.", "Default: everysec.",
                           "Default: 536870912.", "Default: 10000."}) {
    EXPECT_THAT(help->help, HasSubstr(text));
  }
}

TEST(Settings, RefuseAFolderAsConfigurationFile) {
  EXPECT_EQ(ErrorOf({"--config", "/tmp"}), "configuration file /tmp: Is a directory");
}

TEST(Settings, RefuseWhatHasOnlyOneValue) {
  EXPECT_THAT(ErrorOf({"--databases", "3"}), HasSubstr("option --databases is no option"));
  EXPECT_EQ(ErrorOf({}, {{"STARLING_MAXMEMORY", "1gb"}}),
            "environment variable STARLING_MAXMEMORY cannot be given: its value is always '0'");
}

TEST(Settings, NeverRepeatAPasswordInAnError) {
  EXPECT_THAT(ErrorOf({"--requirepass", std::string("se\0cret", 7)}),
              testing::Not(HasSubstr("cret")));
}

TEST(Settings, NameTheFileThatCannotBeRead) {
  EXPECT_EQ(ErrorOf({"--config", "/nowhere/node.toml"}),
            "configuration file /nowhere/node.toml: No such file or directory");
}

TEST(Settings, AnswerHelpAndVersion) {
  Result<LoadedSettings> help = Load({"--help"});
  ASSERT_TRUE(help.ok());
  EXPECT_EQ(help->wish, LoadedSettings::Wish::kShowHelp);
  for (const Option& option : AllOptions()) {
    if (option.change == Option::Change::kConstant) continue;
    EXPECT_THAT(help->help, HasSubstr(std::string("--") + option.name));
  }
  EXPECT_EQ(Load({"--version"})->wish, LoadedSettings::Wish::kShowVersion);
}

TEST(ResolveSettings, DerivesWhatWasNotGiven) {
  Settings settings;
  settings.name = "a";
  ASSERT_TRUE(ResolveSettings(6380, {{"XDG_STATE_HOME", "/state"}}, settings).ok());
  EXPECT_EQ(settings.gossip_port, 16380);
  EXPECT_EQ(settings.dir, "/state/starling/a");
  Settings unnamed;
  ASSERT_TRUE(ResolveSettings(6380, {{"HOME", "/home/me"}}, unnamed).ok());
  EXPECT_TRUE(unnamed.name.ends_with("-6380")) << unnamed.name;
  EXPECT_EQ(unnamed.dir, "/home/me/.local/state/starling/" + unnamed.name);
}

TEST(ResolveSettings, SaysWhichOptionIsMissing) {
  Settings free_port;
  free_port.port = 0;
  EXPECT_THAT(ResolveSettings(40000, {}, free_port).error().message, HasSubstr("--name"));
  Settings homeless;
  EXPECT_THAT(ResolveSettings(6379, {}, homeless).error().message, HasSubstr("--dir"));
  Settings high;
  high.port = 60000;
  EXPECT_THAT(ResolveSettings(60000, {}, high).error().message, HasSubstr("--gossip-port"));
  Settings misnamed;
  misnamed.name = "a b";
  EXPECT_THAT(ResolveSettings(6379, {}, misnamed).error().message, HasSubstr("--name 'a b'"));
  for (const char* host : {"h:99999 !", "-h", "a b", ".", "a/b"}) {
    Settings unreachable;
    unreachable.advertise = host;
    EXPECT_THAT(ResolveSettings(6379, {}, unreachable).error().message,
                HasSubstr(std::string("--advertise '") + host));
  }
}

TEST(ResolveSettings, TakesNamesAndAddressesToAdvertise) {
  for (const char* host : {"db-1.example.com", "10.0.0.1", "::1", "my_host"}) {
    Settings settings;
    settings.name = "a";
    settings.dir = "/d";
    settings.advertise = host;
    EXPECT_TRUE(ResolveSettings(6379, {}, settings).ok()) << host;
  }
}

TEST(ResolveSettings, TakesAFreeGossipPortWithAFreePort) {
  Settings settings;
  settings.name = "a";
  settings.port = 0;
  settings.dir = "/d";
  ASSERT_TRUE(ResolveSettings(60001, {}, settings).ok());
  EXPECT_EQ(settings.gossip_port, 0);
  EXPECT_EQ(settings.port, 60001);
}

}  // namespace
}  // namespace starling
