/// Sessions over real loopback sockets: pipelining, inline commands, limits, pauses, ends.
#include "server/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>

#include "tests/server/test_daemon.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Session, AnswersAPipelineInOrder) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  std::string requests;
  std::string replies;
  for (int i = 0; i < 1000; ++i) {
    requests += "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";
    replies += ":" + std::to_string(i + 1) + "\r\n";
  }
  client.Send(requests);
  EXPECT_EQ(client.Receive(replies.size()), replies);
}

TEST(Session, TakesInlineCommandsAndArraysMixed) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("PING\r\nSET \"a b\" 'c'\r\n*2\r\n$3\r\nGET\r\n$3\r\na b\r\nECHO \"\\x41\"\n");
  const std::string expected = "+PONG\r\n+OK\r\n$1\r\nc\r\n$1\r\nA\r\n";
  EXPECT_EQ(client.Receive(expected.size()), expected);
}

TEST(Session, TakesRequestsByteByByte) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  for (char c : std::string("*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n")) {
    client.Send(std::string_view(&c, 1));
  }
  EXPECT_EQ(client.ReceiveReply(), "$5\r\nhello\r\n");
}

TEST(Session, CarriesValuesOfManyMegabytes) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  std::string value(20 << 20, 'x');
  value[12345] = '\0';
  EXPECT_EQ(client.Ask({"SET", "big", value}), "+OK\r\n");
  EXPECT_EQ(client.Ask({"GET", "big"}),
            "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n");
}

TEST(Session, SendsManyLargeRepliesToAReaderThatStartsLate) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  const std::string value(1 << 20, 'x');
  EXPECT_EQ(client.Ask({"SET", "big", value}), "+OK\r\n");
  for (int i = 0; i < 50; ++i) client.SendCommand({"GET", "big"});
  const std::string reply = "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  for (int i = 0; i < 50; ++i) ASSERT_EQ(client.Receive(reply.size()), reply) << i;
}

TEST(Session, TellsProtocolErrorsAfterEarlierRepliesAndHangsUp) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("*1\r\n$4\r\nPING\r\n*1\r\nfoo\r\nPING\r\n");
  EXPECT_EQ(client.ReceiveLine(), "+PONG\r\n");
  EXPECT_EQ(client.ReceiveLine(), "-ERR Protocol error: expected '$', got 'f'\r\n");
  EXPECT_TRUE(client.Ended());
}

TEST(Session, HangsUpOnHttp) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: here\r\n\r\nSET a b\r\n");
  EXPECT_TRUE(client.Ended());
  EXPECT_EQ(daemon.Connect().Ask({"GET", "a"}), "$-1\r\n");
}

TEST(Session, RefusesWordsAboveTheLimit) {
  Settings settings = TestDaemon::Defaults();
  settings.proto_max_bulk_len = 1 << 20;
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  client.Send("*2\r\n$4\r\nECHO\r\n$1048577\r\n");
  EXPECT_EQ(client.ReceiveLine(), "-ERR Protocol error: invalid bulk length\r\n");
  EXPECT_TRUE(client.Ended());
}

TEST(Session, CutsOffRequestsAboveTheQueryBufferLimit) {
  Settings settings = TestDaemon::Defaults();
  settings.client_query_buffer_limit = 1 << 20;
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  client.Send("*3\r\n$5\r\nMGET1\r\n$1000000\r\n" + std::string(1'000'000, 'x') +
              "\r\n$1000000\r\n" + std::string(1'000'000, 'x'));
  EXPECT_TRUE(client.Ended());
}

TEST(Session, CutsOffAReaderThatIsTooSlow) {
  Settings settings = TestDaemon::Defaults();
  settings.output_limit.hard = 4 << 20;
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"SET", "big", std::string(1 << 20, 'x')}), "+OK\r\n");
  // Never reads: kernel buffers fill, then the session's.
  for (int i = 0; i < 64; ++i) client.SendCommand({"GET", "big"});
  TestClient other = daemon.Connect();
  std::string info;
  do {
    info = other.Ask({"INFO", "stats"});
  } while (info.find("client_limit_disconnections:1") == std::string::npos);
  SUCCEED();
}

long PeakKilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(Session, CutsOffOneReplyAboveTheOutputLimitBeforeItIsWhole) {  // I9
  Settings settings = TestDaemon::Defaults();
  settings.output_limit.hard = 4 << 20;
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"SET", "big", std::string(1 << 20, 'x')}), "+OK\r\n");
  std::vector<std::string> request(1000, "big");
  request[0] = "MGET";
  const long before = PeakKilobytes();
  client.SendCommand(request);
  EXPECT_TRUE(client.Ended());
  EXPECT_LT(PeakKilobytes() - before, 200 << 10) << "the whole reply is a gigabyte";
}

TEST(Session, CutsOffAnIdleClient) {
  Settings settings = TestDaemon::Defaults();
  settings.timeout = std::chrono::seconds(1);
  const auto began = std::chrono::steady_clock::now();
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  EXPECT_TRUE(client.Ended());
  EXPECT_GE(std::chrono::steady_clock::now() - began, settings.timeout);
}

TEST(Session, RefusesClientsAboveTheMaximum) {
  Settings settings = TestDaemon::Defaults();
  settings.maxclients = 1;
  TestDaemon daemon(settings);
  TestClient first = daemon.Connect();
  EXPECT_EQ(first.Ask({"PING"}), "+PONG\r\n");
  TestClient second = daemon.Connect();
  EXPECT_EQ(second.ReceiveLine(), "-ERR max number of clients reached\r\n");
  EXPECT_TRUE(second.Ended());
  EXPECT_EQ(first.Ask({"CONFIG", "SET", "maxclients", "2"}), "+OK\r\n");
  TestClient third = daemon.Connect();
  EXPECT_EQ(third.Ask({"PING"}), "+PONG\r\n");
}

TEST(Session, AsksForThePassword) {
  Settings settings = TestDaemon::Defaults();
  settings.requirepass = "secret";
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"GET", "a"}), "-NOAUTH Authentication required.\r\n");
  EXPECT_THAT(client.Ask({"AUTH", "wrong"}), StartsWith("-WRONGPASS "));
  EXPECT_THAT(client.Ask({"HELLO", "3"}), StartsWith("-NOAUTH HELLO must be called"));
  // AUTH counts for the next request of the same pipeline.
  client.Send("AUTH secret\r\n*12\r\n$3\r\nDEL\r\n" + [] {
    std::string keys;
    for (int i = 0; i < 11; ++i) keys += "$1\r\nk\r\n";
    return keys;
  }());
  EXPECT_EQ(client.ReceiveReply(), "+OK\r\n");
  EXPECT_EQ(client.ReceiveReply(), ":0\r\n");
  EXPECT_EQ(client.Ask({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(client.Ask({"PING"}), "-NOAUTH Authentication required.\r\n");
}

TEST(Session, LimitsRequestsBeforeAuthentication) {
  Settings settings = TestDaemon::Defaults();
  settings.requirepass = "secret";
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  client.Send("*11\r\n");
  EXPECT_EQ(client.ReceiveLine(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
  EXPECT_TRUE(client.Ended());
}

TEST(Session, SendsNoRepliesWhereTheClientWantsNone) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("CLIENT REPLY OFF\r\nINCR a\r\nPING\r\nCLIENT REPLY ON\r\n");
  EXPECT_EQ(client.ReceiveReply(), "+OK\r\n");
  client.Send("CLIENT REPLY SKIP\r\nINCR a\r\nGET a\r\n");
  EXPECT_EQ(client.ReceiveReply(), "$1\r\n2\r\n");
}

TEST(Session, HangsUpAfterQuit) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("PING\r\nQUIT\r\nPING\r\n");
  EXPECT_EQ(client.ReceiveReply(), "+PONG\r\n");
  EXPECT_EQ(client.ReceiveReply(), "+OK\r\n");
  EXPECT_TRUE(client.Ended());
}

TEST(Session, AnswersWhoSendsAndClosesItsSide) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("PING\r\n");
  ::shutdown(client.socket(), SHUT_WR);
  EXPECT_EQ(client.ReceiveReply(), "+PONG\r\n");
  EXPECT_TRUE(client.Ended());
}

TEST(Session, WaitsWhileClientsArePaused) {
  TestDaemon daemon;
  TestClient operating = daemon.Connect();
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"SET", "a", "1"}), "+OK\r\n");
  EXPECT_EQ(operating.Ask({"CLIENT", "PAUSE", "100000", "WRITE"}), "+OK\r\n");
  client.Send("GET a\r\nINCR a\r\nGET a\r\n");
  EXPECT_EQ(client.ReceiveReply(), "$1\r\n1\r\n");
  EXPECT_EQ(operating.Ask({"GET", "a"}), "$1\r\n1\r\n");
  EXPECT_EQ(operating.Ask({"CLIENT", "UNPAUSE"}), "+OK\r\n");
  EXPECT_EQ(client.ReceiveReply(), ":2\r\n");
  EXPECT_EQ(client.ReceiveReply(), "$1\r\n2\r\n");
}

TEST(Session, GoesOnWhenThePauseIsOver) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("CLIENT PAUSE 50\r\nPING\r\n");
  EXPECT_EQ(client.ReceiveReply(), "+OK\r\n");
  EXPECT_EQ(client.ReceiveReply(), "+PONG\r\n");
}

TEST(Session, IsListedAndKilledFromAnotherThread) {
  TestDaemon daemon;  // two I/O threads: the two clients are on different ones
  TestClient one = daemon.Connect();
  TestClient other = daemon.Connect();
  EXPECT_EQ(one.Ask({"CLIENT", "SETNAME", "one"}), "+OK\r\n");
  EXPECT_EQ(other.Ask({"CLIENT", "SETNAME", "other"}), "+OK\r\n");
  const std::string list = one.Ask({"CLIENT", "LIST"});
  EXPECT_THAT(list, HasSubstr(" name=one "));
  EXPECT_THAT(list, HasSubstr(" name=other "));
  const std::string id = other.Ask({"CLIENT", "ID"});
  EXPECT_EQ(one.Ask({"CLIENT", "KILL", "ID", id.substr(1, id.size() - 3)}), ":1\r\n");
  EXPECT_TRUE(other.Ended());
  EXPECT_EQ(one.Ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"}), ":1\r\n");
  EXPECT_TRUE(one.Ended());
}

TEST(Session, ListsClientsFromAllThreadsAtOnce) {
  TestDaemon daemon;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&daemon] {
      TestClient client = daemon.Connect();
      for (int n = 0; n < 200; ++n) {
        EXPECT_THAT(client.Ask({"CLIENT", "LIST"}), HasSubstr("cmd=client|list"));
        EXPECT_EQ(client.Ask({"CLIENT", "SETNAME", "name" + std::to_string(n)}), "+OK\r\n");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Session, CountsAllIncrementsOfManyClients) {
  TestDaemon daemon;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&daemon] {
      TestClient client = daemon.Connect();
      for (int n = 0; n < 500; ++n) (void)client.Ask({"INCR", "n"});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(daemon.Connect().Ask({"GET", "n"}), "$4\r\n4000\r\n");
}

}  // namespace
}  // namespace starling
