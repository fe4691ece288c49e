/// The connection, server and STARLING families, over a socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/server/test_daemon.h"

namespace starling {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

/// Request and the exact reply, as Redis 7.0.15 gives it.
struct Exchange {
  Words request;
  std::string reply;
};

void ExpectExchanges(const std::vector<Exchange>& exchanges) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  for (const Exchange& exchange : exchanges) {
    EXPECT_EQ(client.Ask(exchange.request), exchange.reply + "\r\n")
        << testing::PrintToString(exchange.request);
  }
}

TEST(ConnectionCommands, AnswerAsRedisDoes) {
  ExpectExchanges({
      {{"PING"}, "+PONG"},
      {{"PING", "a"}, "$1\r\na"},
      {{"PING", "a", "b"}, "-ERR wrong number of arguments for 'ping' command"},
      {{"ECHO", "a"}, "$1\r\na"},
      {{"SELECT", "16"}, "-ERR DB index is out of range"},
      {{"SELECT", "15"}, "+OK"},
      {{"HELLO", "4"}, "-NOPROTO unsupported protocol version"},
      {{"HELLO", "a"}, "-ERR Protocol version is not an integer or out of range"},
      {{"HELLO", "2", "FOO"}, "-ERR Syntax error in HELLO option 'FOO'"},
      {{"HELLO", "2", "SETNAME", "a b"},
       "-ERR Client names cannot contain spaces, newlines or special characters."},
      {{"AUTH", "a"},
       "-ERR AUTH <password> called without any password configured for the default user. Are you "
       "sure your configuration is correct?"},
      {{"AUTH", "a", "b"}, "-WRONGPASS invalid username-password pair or user is disabled."},
      {{"AUTH", "default", "b"}, "+OK"},
      {{"AUTH", "a", "b", "c"}, "-ERR syntax error"},
      {{"RESET"}, "+RESET"},
  });
}

TEST(ConnectionCommands, ClientAnswersAsRedisDoes) {
  ExpectExchanges({
      {{"CLIENT", "GETNAME"}, "$-1"},
      {{"CLIENT", "SETNAME", "me"}, "+OK"},
      {{"CLIENT", "GETNAME"}, "$2\r\nme"},
      {{"CLIENT", "FOO"}, "-ERR unknown subcommand 'FOO'. Try CLIENT HELP."},
      {{"CLIENT", "SETNAME"}, "-ERR wrong number of arguments for 'client|setname' command"},
      {{"CLIENT", "KILL", "1.1.1.1:1"}, "-ERR No such client"},
      {{"CLIENT", "KILL", "ID", "0"}, "-ERR client-id should be greater than 0"},
      {{"CLIENT", "KILL", "ID", "999"}, ":0"},
      {{"CLIENT", "KILL", "TYPE", "foo"}, "-ERR Unknown client type 'foo'"},
      {{"CLIENT", "KILL", "SKIPME", "foo"}, "-ERR syntax error"},
      {{"CLIENT", "KILL", "USER", "nope"}, "-ERR No such user 'nope'"},
      {{"CLIENT", "LIST", "ID", "a"}, "-ERR Invalid client ID"},
      {{"CLIENT", "LIST", "TYPE", "replica"}, "$0\r\n"},
      {{"CLIENT", "PAUSE", "a"}, "-ERR timeout is not an integer or out of range"},
      {{"CLIENT", "PAUSE", "-1"}, "-ERR timeout is negative"},
      {{"CLIENT", "PAUSE", "1", "FOO"}, "-ERR CLIENT PAUSE mode must be WRITE or ALL"},
      {{"CLIENT", "UNPAUSE"}, "+OK"},
      {{"CLIENT", "REPLY", "FOO"}, "-ERR syntax error"},
      {{"CLIENT", "NO-EVICT", "on"}, "+OK"},
      {{"CLIENT", "SETINFO", "lib-name", "x"}, "+OK"},
  });
}

TEST(ConnectionCommands, HelloSwitchesTheProtocol) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  EXPECT_THAT(client.Ask({"HELLO", "3", "SETNAME", "me"}), StartsWith("%7\r\n$6\r\nserver\r\n"));
  EXPECT_EQ(client.Ask({"GET", "nothing"}), "_\r\n");
  EXPECT_THAT(client.Ask({"CLIENT", "INFO"}), HasSubstr("resp=3"));
  EXPECT_THAT(client.Ask({"HELLO", "2"}), StartsWith("*14\r\n"));
  EXPECT_EQ(client.Ask({"GET", "nothing"}), "$-1\r\n");
}

TEST(ServerCommands, ConfigAnswersAsRedisDoes) {
  ExpectExchanges({
      {{"CONFIG", "GET", "maxclients"}, "*2\r\n$10\r\nmaxclients\r\n$5\r\n10000"},
      {{"CONFIG", "GET", "nothing"}, "*0"},
      {{"CONFIG", "SET", "a", "b"},
       "-ERR Unknown option or number of arguments for CONFIG SET - 'a'"},
      {{"CONFIG", "SET", "timeout", "x"},
       "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be "
       "parsed into an integer"},
      {{"CONFIG", "SET", "timeout", "100", "loglevel", "warning"}, "+OK"},
      {{"CONFIG", "GET", "timeout"}, "*2\r\n$7\r\ntimeout\r\n$3\r\n100"},
      {{"CONFIG", "REWRITE"}, "-ERR The server is running without a config file"},
      {{"CONFIG", "RESETSTAT"}, "+OK"},
  });
}

TEST(ServerCommands, AnswerAsRedisDoes) {
  ExpectExchanges({
      {{"COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"}, "*2\r\n$1\r\na\r\n$1\r\nb"},
      {{"COMMAND", "GETKEYS", "PING", "a"}, "-ERR The command has no key arguments"},
      {{"COMMAND", "GETKEYS", "NOPE", "a"}, "-ERR Invalid command specified"},
      {{"COMMAND", "GETKEYS", "GET", "a", "b"},
       "-ERR Invalid number of arguments specified for command"},
      {{"COMMAND", "INFO", "nope"}, "*1\r\n$-1"},
      {{"COMMAND", "LIST", "FILTERBY", "PATTERN", "getd*"}, "*1\r\n$6\r\ngetdel"},
      {{"COMMAND", "LIST", "FILTERBY", "FOO", "a"}, "-ERR syntax error"},
      {{"COMMAND", "DOCS", "nope"}, "*0"},
      {{"DEBUG", "SLEEP", "0"}, "+OK"},
      {{"LATENCY", "LATEST"}, "*0"},
      {{"LATENCY", "HISTORY", "x"}, "*0"},
      {{"LATENCY", "RESET"}, ":0"},
      {{"MEMORY", "USAGE", "nope"}, "$-1"},
      {{"MEMORY", "USAGE", "a", "FOO", "1"}, "-ERR syntax error"},
      {{"MEMORY", "PURGE"}, "+OK"},
      {{"SAVE"}, "+OK"},
      {{"BGSAVE", "FOO"}, "-ERR syntax error"},
      {{"SHUTDOWN", "FOO"}, "-ERR syntax error"},
      {{"SHUTDOWN", "ABORT"}, "-ERR No shutdown in progress."},
      {{"ROLE"}, "*3\r\n$6\r\nmaster\r\n:0\r\n*0"},
  });
}

TEST(ServerCommands, InfoTellsTheTruth) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"SET", "a", "1", "EX", "100"}), "+OK\r\n");
  EXPECT_THAT(client.Ask({"GET", "a", "b"}), StartsWith("-ERR "));
  const std::string info = client.Ask({"INFO", "everything"});
  EXPECT_THAT(info, HasSubstr("redis_version:7.0.15\r\n"));
  EXPECT_THAT(info, HasSubstr("starling_version:"));
  EXPECT_THAT(info, HasSubstr("tcp_port:" + std::to_string(daemon.port()) + "\r\n"));
  EXPECT_THAT(info, HasSubstr("connected_clients:1\r\n"));
  EXPECT_THAT(info, HasSubstr("db0:keys=1,expires=1,avg_ttl=0\r\n"));
  EXPECT_THAT(info, HasSubstr("cmdstat_set:calls=1,"));
  EXPECT_THAT(info, HasSubstr("rejected_calls=1,failed_calls=0"));
  EXPECT_THAT(info, HasSubstr("errorstat_ERR:count=1\r\n"));
  EXPECT_THAT(info, HasSubstr("aof_enabled:0\r\n"));
  EXPECT_THAT(info, HasSubstr("node_name:test\r\n"));
  EXPECT_EQ(client.Ask({"INFO", "nothing"}), "$0\r\n\r\n");
}

TEST(ServerCommands, EveryRowOfTheTableIsDescribed) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  const CommandTable table;
  size_t commands = 0;
  for (const CommandSpec* row : table.all()) {
    const std::string name = row->name;
    if (name.find('|') == std::string::npos) ++commands;
    EXPECT_THAT(client.Ask({"COMMAND", "INFO", name}),
                StartsWith("*1\r\n*10\r\n$" + std::to_string(name.size()) + "\r\n" + name))
        << name;
  }
  EXPECT_EQ(client.Ask({"COMMAND", "COUNT"}), ":" + std::to_string(commands) + "\r\n");
  EXPECT_THAT(client.Ask({"COMMAND"}), StartsWith("*" + std::to_string(commands) + "\r\n"));
  EXPECT_THAT(client.Ask({"COMMAND", "DOCS"}), StartsWith("*" + std::to_string(2 * commands)));
}

TEST(ServerCommands, LatencyRemembersSlowCommands) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"CONFIG", "SET", "latency-monitor-threshold", "5"}), "+OK\r\n");
  EXPECT_EQ(client.Ask({"DEBUG", "SLEEP", "0.02"}), "+OK\r\n");
  EXPECT_THAT(client.Ask({"LATENCY", "LATEST"}), StartsWith("*1\r\n*4\r\n$7\r\ncommand\r\n"));
  // Any other may be slow too, on a machine that stands still.
  EXPECT_THAT(client.Ask({"LATENCY", "HISTORY", "command"}),
              ContainsRegex("^\\*[1-9]\r\n\\*2\r\n:"));
  EXPECT_THAT(client.Ask({"LATENCY", "DOCTOR"}), ContainsRegex("command: [1-9] samples"));
  EXPECT_EQ(client.Ask({"LATENCY", "RESET", "command"}), ":1\r\n");
}

TEST(ServerCommands, MemoryUsageCountsTheValue) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"SET", "a", std::string(10'000, 'x')}), "+OK\r\n");
  const std::string usage = client.Ask({"MEMORY", "USAGE", "a"});
  EXPECT_GT(std::stol(usage.substr(1)), 10'000);
  EXPECT_THAT(client.Ask({"MEMORY", "STATS"}), HasSubstr("keys.count\r\n:1\r\n"));
}

TEST(ServerCommands, ShutdownEndsTheDaemon) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.SendCommand({"SHUTDOWN"});
  daemon.WaitForShutdown();
  EXPECT_TRUE(client.Ended());
}

TEST(StarlingCommands, ShowMembersAndKeys) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  EXPECT_THAT(client.Ask({"STARLING", "MEMBERS"}),
              StartsWith("*1\r\n*18\r\n$4\r\nname\r\n$4\r\ntest\r\n"));
  EXPECT_EQ(client.Ask({"STARLING", "KEY", "n"}), "$-1\r\n");
  EXPECT_EQ(client.Ask({"INCR", "n"}), ":1\r\n");
  const std::string held = client.Ask({"STARLING", "KEY", "n"});
  EXPECT_THAT(held, HasSubstr("sum of what every node added"));
  EXPECT_THAT(held, HasSubstr("held-by\r\n*1\r\n$4\r\ntest\r\n"));
  EXPECT_THAT(client.Ask({"STARLING", "FORGET", "nobody"}), StartsWith("-NOQUORUM "));
  EXPECT_THAT(client.Ask({"STARLING", "JOIN", "nonsense"}), StartsWith("-ERR "));
  EXPECT_THAT(client.Ask({"STARLING", "HELP"}), HasSubstr("MEMBERS"));
}

/// A folder that is gone at the end.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/starling-daemon-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

Settings OnDisk(const std::string& dir) {
  Settings settings = TestDaemon::Defaults();
  settings.appendonly = true;
  settings.dir = dir;
  return settings;
}

TEST(Daemon, FindsItsDataAgain) {
  Folder folder;
  {
    TestDaemon daemon(OnDisk(folder / "data"));
    EXPECT_EQ(daemon.Connect().Ask({"SET", "a", "1"}), "+OK\r\n");
  }
  TestDaemon daemon(OnDisk(folder / "data"));
  EXPECT_EQ(daemon.Connect().Ask({"GET", "a"}), "$1\r\n1\r\n");
}

TEST(Daemon, WritesItsPortsWhereTheyAreLookedFor) {
  Folder folder;
  Settings settings = OnDisk(folder / "data");
  settings.ports_file = folder / "ports";
  {
    TestDaemon daemon(settings);
    std::ifstream in(folder / "ports");
    std::string line;
    std::getline(in, line);
    EXPECT_EQ(line, "port=" + std::to_string(daemon.port()));
    std::getline(in, line);
    EXPECT_EQ(line, "gossip_port=" + std::to_string(daemon.daemon().gossip_port()));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "ports"));
}

TEST(Daemon, StartsFromABackup) {
  Folder folder;
  {
    TestDaemon daemon(OnDisk(folder / "data"));
    TestClient client = daemon.Connect();
    EXPECT_EQ(client.Ask({"SET", "a", "1"}), "+OK\r\n");
    EXPECT_EQ(client.Ask({"STARLING", "BACKUP", folder / "backup"}), "+OK\r\n");
    EXPECT_EQ(client.Ask({"SET", "a", "2"}), "+OK\r\n");
    EXPECT_THAT(client.Ask({"STARLING", "BACKUP", folder / "backup"}), StartsWith("-ERR "));
    EXPECT_THAT(client.Ask({"STARLING", "BACKUP", "backup"}),
                StartsWith("-ERR BACKUP needs a path"));
  }
  Settings settings = OnDisk(folder / "restored");
  settings.restore = folder / "backup";
  TestDaemon daemon(settings);
  EXPECT_EQ(daemon.Connect().Ask({"GET", "a"}), "$1\r\n1\r\n");
}

std::string StartError(Settings settings) {
  asio::io_context control(1);
  Result<std::unique_ptr<Log>> log = Log::Open("", LogLevel::kError);
  DaemonOptions options;
  options.settings = std::move(settings);
  Result<std::unique_ptr<Daemon>> daemon = Daemon::Start(control, std::move(options), **log);
  return daemon.ok() ? "no error" : daemon.error().message;
}

TEST(Daemon, LeavesWhatIsNoPortsFileAsItIs) {
  Folder folder;
  Settings settings = OnDisk(folder / "data");
  settings.ports_file = "/dev/null";
  EXPECT_THAT(StartError(settings), HasSubstr("option --ports-file: /dev/null"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  settings.ports_file = folder / "notes";
  std::ofstream(folder / "notes") << "mine";
  EXPECT_THAT(StartError(settings), HasSubstr("option --ports-file"));
  EXPECT_EQ(std::filesystem::file_size(folder / "notes"), 4u);
}

TEST(Daemon, NamesWhatKeepsItFromStarting) {
  Folder folder;
  TestDaemon running(OnDisk(folder / "data"));
  Settings taken_port = OnDisk(folder / "other");
  taken_port.port = running.port();
  EXPECT_THAT(StartError(taken_port), HasSubstr("port " + std::to_string(running.port())));
  EXPECT_THAT(StartError(OnDisk(folder / "data")), HasSubstr(folder / "data"));
  Settings no_address = OnDisk(folder / "other");
  no_address.bind = {"somewhere"};
  EXPECT_THAT(StartError(no_address), HasSubstr("option --bind: 'somewhere'"));
  Settings over_data = OnDisk(folder / "other");
  std::filesystem::create_directories(folder / "other/x");
  over_data.restore = folder / "backup";
  EXPECT_THAT(StartError(over_data), HasSubstr("option --restore"));
  Settings no_secret = OnDisk(folder / "other");
  no_secret.secret_file = folder / "secret";
  EXPECT_THAT(StartError(no_secret), HasSubstr("option --secret-file"));
}

}  // namespace
}  // namespace starling
