/// Scripts over real sockets: threads, kills, pauses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/server/test_daemon.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kBusy =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";

/// A daemon whose clients are told soon that a script runs for too long.
Settings Impatient() {
  Settings settings = TestDaemon::Defaults();
  settings.busy_reply_threshold = std::chrono::milliseconds(20);
  return settings;
}

/// Kills the script that runs, once it does; what its client reads.
std::string KillScriptOf(TestClient& client, TestClient& other) {
  std::string answer;
  do {
    answer = other.Ask({"SCRIPT", "KILL"});
  } while (answer.starts_with("-NOTBUSY"));
  EXPECT_EQ(answer, "+OK\r\n");
  return client.ReceiveReply();
}

/// Asks until a script that writes `k` or `n`, or nothing, runs for so long that others are told.
/// Ends with a failure where it has written, and so is over.
void AwaitBusy(TestClient& client) {
  std::string answer;
  do {
    answer = client.Ask({"MGET", "k", "n"});
  } while (answer == "*2\r\n$-1\r\n$-1\r\n");
  ASSERT_EQ(answer, kBusy);
}

TEST(ScriptSession, EndsWhenAnotherClientKillsIt) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  TestClient other = daemon.Connect();
  client.SendCommand({"EVAL", "while true do end", "0"});
  EXPECT_THAT(KillScriptOf(client, other), HasSubstr("Script killed by user with SCRIPT KILL"));
  EXPECT_EQ(client.Ask({"EVAL", "return 1", "0"}), ":1\r\n");
  EXPECT_EQ(client.Ask({"SCRIPT", "KILL"}), "-NOTBUSY No scripts in execution right now.\r\n");
}

TEST(ScriptSession, LetsOthersReadBusyWhenItRunsForTooLong) {
  TestDaemon daemon(Impatient());
  TestClient client = daemon.Connect();
  TestClient others[] = {daemon.Connect(), daemon.Connect(), daemon.Connect()};
  client.SendCommand({"EVAL", "while true do end", "0"});
  AwaitBusy(others[0]);
  for (TestClient& other : others) {  // of every I/O thread
    EXPECT_EQ(other.Ask({"PING"}), kBusy);
    EXPECT_EQ(other.Ask({"INCR", "n"}), kBusy);
    EXPECT_EQ(other.Ask({"EVAL", "return 1", "0"}), kBusy);
    EXPECT_EQ(other.Ask({"MULTI"}), "+OK\r\n");
    EXPECT_EQ(other.Ask({"INCR", "n"}), kBusy);
    EXPECT_THAT(other.Ask({"EXEC"}), StartsWith("-EXECABORT"));
  }
  EXPECT_EQ(daemon.Connect().Ask({"DBSIZE"}), kBusy) << "new clients are told too";
  EXPECT_THAT(KillScriptOf(client, others[1]), HasSubstr("SCRIPT KILL"));
  EXPECT_EQ(others[0].Ask({"INCR", "n"}), ":1\r\n");
}

TEST(ScriptSession, MayTakeAsLongAsItLikes) {
  TestDaemon daemon(Impatient());
  TestClient client = daemon.Connect();
  TestClient other = daemon.Connect();
  // It may be over before the other has asked, where that one had to stand still: then a longer
  // one.
  std::string expected, answer;
  for (int64_t turns = 100'000'000; answer != kBusy; turns *= 2) {
    client.SendCommand(
        {"EVAL", "for i = 1, " + std::to_string(turns) + " do end return redis.call('incr', 'n')",
         "0"});
    const std::string before = expected;
    expected = std::to_string(expected.empty() ? 1 : std::stoi(expected) + 1);
    do {
      answer = other.Ask({"MGET", "n"});
    } while (answer == (before.empty() ? "*1\r\n$-1\r\n" : "*1\r\n$1\r\n" + before + "\r\n"));
    EXPECT_EQ(client.ReceiveReply(), ":" + expected + "\r\n");
  }
  EXPECT_EQ(other.Ask({"GET", "n"}), "$1\r\n" + expected + "\r\n");
}

TEST(ScriptSession, IsNotKilledOnceItHasWritten) {
  TestDaemon daemon(Impatient());
  TestClient client = daemon.Connect();
  TestClient other = daemon.Connect();
  client.SendCommand({"EVAL", "redis.call('set', 'k', '1') while true do end", "0"});
  AwaitBusy(other);
  EXPECT_THAT(other.Ask({"SCRIPT", "KILL"}), StartsWith("-UNKILLABLE"));
  other.SendCommand({"SHUTDOWN", "NOSAVE"});
  daemon.WaitForShutdown();
}

TEST(ScriptSession, LeavesNothingWhenItsNodeEnds) {
  const TempFolder folder;
  Settings settings = Impatient();
  settings.appendonly = true;
  settings.dir = folder.path();
  for (const bool transaction : {false, true}) {
    {
      TestDaemon daemon(settings);
      TestClient client = daemon.Connect();
      TestClient other = daemon.Connect();
      EXPECT_EQ(other.Ask({"SET", "before", "1"}), "+OK\r\n");
      if (transaction) {
        client.Ask({"MULTI"});
        client.Ask({"SET", "k", "2"});
      }
      const std::vector<std::string> script = {
          "EVAL", "redis.call('set', 'k', '1') while true do end", "0"};
      transaction ? (void)client.Ask(script) : client.SendCommand(script);
      if (transaction) client.SendCommand({"EXEC"});
      AwaitBusy(other);
    }
    TestDaemon again(settings);
    EXPECT_EQ(again.Connect().Ask({"MGET", "before", "k"}), "*2\r\n$1\r\n1\r\n$-1\r\n");
  }
}

TEST(ScriptSession, IsNoTroubleForWhoWatchesAndGoes) {
  TestDaemon daemon(Impatient());
  TestClient client = daemon.Connect();
  TestClient other = daemon.Connect();
  {
    TestClient watching[] = {daemon.Connect(), daemon.Connect()};
    for (TestClient& one : watching) EXPECT_EQ(one.Ask({"WATCH", "k"}), "+OK\r\n");
    client.SendCommand({"EVAL", "while true do end", "0"});
    AwaitBusy(other);
    EXPECT_EQ(watching[0].Ask({"UNWATCH"}), kBusy) << "what is watched is kept with the keys";
  }
  for (int i = 0; i < 4; ++i) EXPECT_EQ(daemon.Connect().Ask({"PING"}), kBusy);
  EXPECT_THAT(KillScriptOf(client, other), HasSubstr("SCRIPT KILL"));
  EXPECT_EQ(other.Ask({"PING"}), "+PONG\r\n");
}

TEST(ScriptSession, RefusesTransactionsOfThoseWhoWatch) {
  TestDaemon daemon(Impatient());
  TestClient client = daemon.Connect();
  TestClient others[] = {daemon.Connect(), daemon.Connect()};
  for (TestClient& other : others) {  // of every I/O thread
    EXPECT_EQ(other.Ask({"WATCH", "k"}), "+OK\r\n");
    EXPECT_EQ(other.Ask({"MULTI"}), "+OK\r\n");
    EXPECT_EQ(other.Ask({"INCR", "n"}), "+QUEUED\r\n");
  }
  client.SendCommand({"EVAL", "while true do end", "0"});
  TestClient another = daemon.Connect();
  AwaitBusy(another);
  for (TestClient& other : others) {
    EXPECT_THAT(other.Ask({"EXEC"}), StartsWith("-EXECABORT"));
    EXPECT_EQ(other.Ask({"PING"}), kBusy);
  }
  EXPECT_THAT(KillScriptOf(client, others[0]), HasSubstr("SCRIPT KILL"));
  EXPECT_EQ(others[1].Ask({"INCR", "n"}), ":1\r\n") << "nothing was run, nothing is open";
}

TEST(ScriptSession, DoesNotStandInTheWayOfWhoLooksAtOtherThreads) {
  TestDaemon daemon;
  std::atomic<bool> end = false;
  std::vector<std::thread> threads;
  const auto keep_asking = [&](const std::vector<std::string>& words) {
    threads.emplace_back([&daemon, &end, words] {
      TestClient client = daemon.Connect();
      while (!end) EXPECT_NE(client.Ask(words)[0], '-');
    });
  };
  for (int i = 0; i < 2; ++i) {
    keep_asking({"CLIENT", "LIST"});
    keep_asking({"INCR", "n"});
  }
  TestClient client = daemon.Connect();
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(client.Ask({"EVAL", "return 1", "0"}), ":1\r\n");
  end = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(ScriptSession, IsAnsweredInOrderWithWhatStandsAroundIt) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    client.SendCommand({"INCR", "n"});
    client.SendCommand({"EVAL", "return redis.call('incr', KEYS[1])", "1", "n"});
    client.SendCommand({"PING"});
    client.SendCommand({"GET", "n"});
    const std::string now = std::to_string(2 * i + 2);
    expected += ":" + std::to_string(2 * i + 1) + "\r\n:" + now + "\r\n+PONG\r\n$" +
                std::to_string(now.size()) + "\r\n" + now + "\r\n";
  }
  EXPECT_EQ(client.Receive(expected.size()), expected);
}

TEST(ScriptSession, IsKnownToAllClients) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  TestClient other = daemon.Connect();
  const std::string sha = client.Ask({"SCRIPT", "LOAD", "return 7"}).substr(5, 40);
  EXPECT_EQ(other.Ask({"EVALSHA", sha, "0"}), ":7\r\n");
}

TEST(ScriptSession, IsAtomicAmongManyClients) {
  TestDaemon daemon;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&daemon] {
      TestClient client = daemon.Connect();
      for (int n = 0; n < 300; ++n) {
        const std::string reply =
            client.Ask({"EVAL",
                        "local n = tonumber(redis.call('get', KEYS[1]) or 0) "
                        "redis.call('set', KEYS[1], n + 1) return redis.call('incr', 'm')",
                        "1", "n"});
        EXPECT_EQ(reply[0], ':') << reply;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(daemon.Connect().Ask({"MGET", "n", "m"}), "*2\r\n$4\r\n1200\r\n$4\r\n1200\r\n");
}

TEST(ScriptSession, WaitsWhileWritesArePaused) {
  TestDaemon daemon;
  TestClient operating = daemon.Connect();
  TestClient client = daemon.Connect();
  EXPECT_EQ(operating.Ask({"CLIENT", "PAUSE", "100000", "WRITE"}), "+OK\r\n");
  client.SendCommand({"EVAL", "return redis.call('set', 'a', '1')", "0"});
  EXPECT_EQ(operating.Ask({"GET", "a"}), "$-1\r\n");
  EXPECT_EQ(operating.Ask({"CLIENT", "UNPAUSE"}), "+OK\r\n");
  EXPECT_EQ(client.ReceiveReply(), "+OK\r\n");
}

}  // namespace
}  // namespace starling
