/// Transactions over real sockets: pipelines, several I/O threads, limits, pauses, CLIENT LIST.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/server/test_daemon.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

TEST(TransactionSession, TakesAWholeTransactionInOnePipeline) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("MULTI\r\nSET a 1\r\nINCR a\r\nEXEC\r\nGET a\r\nMULTI\r\nINCR a\r\nEXEC\r\n");
  const std::string expected =
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n$1\r\n2\r\n+OK\r\n+QUEUED\r\n*1\r\n:3\r\n";
  EXPECT_EQ(client.Receive(expected.size()), expected);
}

TEST(TransactionSession, IsShownInTheListOfClients) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  TestClient other = daemon.Connect();
  EXPECT_EQ(client.Ask({"CLIENT", "SETNAME", "mine"}), "+OK\r\n");
  EXPECT_EQ(client.Ask({"WATCH", "k"}), "+OK\r\n");
  EXPECT_EQ(client.Ask({"MULTI"}), "+OK\r\n");
  EXPECT_EQ(client.Ask({"SET", "k", "1"}), "+QUEUED\r\n");
  std::string list = other.Ask({"CLIENT", "LIST"});
  EXPECT_THAT(list, HasSubstr("flags=x "));
  EXPECT_THAT(list, HasSubstr(" multi=1 "));
  EXPECT_THAT(list, HasSubstr(" multi=-1 "));
  EXPECT_EQ(other.Ask({"SET", "k", "2"}), "+OK\r\n");
  EXPECT_THAT(other.Ask({"CLIENT", "LIST"}), HasSubstr("flags=xd "));
  EXPECT_EQ(client.Ask({"EXEC"}), "*-1\r\n");
}

TEST(TransactionSession, MayAskForAllClientsWithin) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  TestClient other = daemon.Connect();
  client.Send("MULTI\r\nINCR a\r\nCLIENT LIST\r\nINFO\r\nMEMORY STATS\r\nINCR a\r\nEXEC\r\n");
  for (int i = 0; i < 6; ++i) client.ReceiveReply();
  const std::string reply = client.ReceiveReply();
  EXPECT_TRUE(reply.starts_with("*5\r\n:1\r\n$")) << reply;
  EXPECT_TRUE(reply.ends_with("\r\n:2\r\n"));
}

TEST(TransactionSession, IsCutOffAboveTheQueryBufferLimit) {
  Settings settings = TestDaemon::Defaults();
  settings.client_query_buffer_limit = 1 << 20;
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"MULTI"}), "+OK\r\n");
  const std::string value(100'000, 'x');
  int queued = 0;
  try {
    while (queued < 100 && client.Ask({"SET", "k", value}) == "+QUEUED\r\n") ++queued;
  } catch (...) {
  }
  EXPECT_LT(queued, 11);
  EXPECT_TRUE(client.Ended());
  EXPECT_EQ(daemon.Connect().Ask({"GET", "k"}), "$-1\r\n");
}

TEST(TransactionSession, WaitsWithItsWritesWhileClientsArePaused) {
  TestDaemon daemon;
  TestClient operating = daemon.Connect();
  TestClient client = daemon.Connect();
  client.Send("MULTI\r\nSET a 1\r\n");
  client.ReceiveReply();
  client.ReceiveReply();
  EXPECT_EQ(operating.Ask({"CLIENT", "PAUSE", "100000", "WRITE"}), "+OK\r\n");
  client.Send("EXEC\r\n");
  EXPECT_EQ(operating.Ask({"GET", "a"}), "$-1\r\n");
  EXPECT_EQ(operating.Ask({"CLIENT", "UNPAUSE"}), "+OK\r\n");
  EXPECT_EQ(client.ReceiveReply(), "*1\r\n+OK\r\n");
}

TEST(TransactionSession, IsSeenWholeByAllThreads) {
  TestDaemon daemon;
  std::atomic<bool> stop = false;
  std::atomic<bool> whole = true;
  std::thread reader([&] {
    TestClient client = daemon.Connect();
    while (!stop) {
      client.SendCommand({"MGET", "a", "b", "c", "d", "e", "f"});
      const std::string reply = client.ReceiveReply();
      const std::string first = reply.substr(4, reply.find('$', 5) - 4);
      std::string same = "*6\r\n";
      for (int i = 0; i < 6; ++i) same += first;
      if (reply != same) whole = false;
    }
  });
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&daemon] {
      TestClient client = daemon.Connect();
      for (int i = 0; i < 300; ++i) {
        std::string lines = "MULTI\r\n";
        for (const char* key : {"f", "e", "d", "c", "b", "a"}) {
          lines += std::string("INCR ") + key + "\r\n";
        }
        // Every second one takes all shards.
        client.Send(lines + (i % 2 == 0 ? "EXEC\r\n" : "DBSIZE\r\nEXEC\r\n"));
        for (int reply = 0; reply < 8 + i % 2; ++reply) client.ReceiveReply();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  reader.join();
  EXPECT_TRUE(whole);
  EXPECT_EQ(daemon.Connect().Ask({"GET", "a"}), "$3\r\n900\r\n");
}

TEST(TransactionSession, LosesNoUpdateThatWatchGuards) {
  TestDaemon daemon;
  constexpr int kEach = 100;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&daemon] {
      TestClient client = daemon.Connect();
      for (int done = 0; done < kEach;) {
        client.Ask({"WATCH", "n"});
        const std::string reply = client.Ask({"GET", "n"});
        const int value = reply[1] == '-' ? 0 : std::stoi(reply.substr(reply.find('\n') + 1));
        client.Ask({"MULTI"});
        client.Ask({"SET", "n", std::to_string(value + 1)});
        done += client.Ask({"EXEC"}) == "*1\r\n+OK\r\n" ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(daemon.Connect().Ask({"GET", "n"}), "$3\r\n400\r\n");
}

}  // namespace
}  // namespace starling
