/// Scripts over real sockets: threads, kills, pauses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/server/test_daemon.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

TEST(ScriptSession, EndsWhenAnotherClientKillsIt) {
  TestDaemon daemon;  // two I/O threads: the two clients are on different ones
  TestClient client = daemon.Connect();
  TestClient other = daemon.Connect();
  std::atomic<bool> ended = false;
  bool killed = false;
  std::thread killer([&] {
    while (!ended) killed = other.Ask({"SCRIPT", "KILL"}) == "+OK\r\n" || killed;
  });
  // The answer to a KILL that came too early may wait, for the log, until the script's own time is
  // up: then once more.
  std::string reply;
  do {
    reply = client.Ask({"EVAL", "while true do end", "0"});
  } while (reply.find("ran for longer than scripts may") != std::string::npos);
  ended = true;
  killer.join();
  EXPECT_TRUE(killed);
  EXPECT_THAT(reply, HasSubstr("Script killed by user with SCRIPT KILL"));
  EXPECT_EQ(client.Ask({"EVAL", "return 1", "0"}), ":1\r\n");
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
