/// CLIENT UNBLOCK: who waits is told that its time is up, wherever it waits, and nothing is lost.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/server/three_daemons.h"

namespace starling {
namespace {

constexpr const char* kNilArray = "*-1\r\n";
constexpr const char* kUnblocked = "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n";

std::string IdOf(TestClient& client) {
  const std::string reply = client.Ask({"CLIENT", "ID"});
  return reply.substr(1, reply.size() - 3);
}

/// Sends what will wait, and returns when it does.
void Wait(TestClient& waits, const std::string& id, const std::vector<std::string>& words,
          TestClient& other) {
  waits.SendCommand(words);
  EXPECT_TRUE(Eventually([&] {
    const std::string list = other.Ask({"CLIENT", "LIST", "ID", id});
    return list.find(" flags=b ") != std::string::npos;
  })) << words[0];
}

TEST(Unblock, EndsAnyWaitAsAtItsTimeoutOrWithAnError) {
  TestDaemon daemon;
  TestClient waits = daemon.Connect();
  TestClient other = daemon.Connect();
  const std::string id = IdOf(waits);
  other.Ask({"SET", "lock", "another"});
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"BLPOP", "a", "b", "0"}, kNilArray},
      {{"BRPOP", "a", "0"}, kNilArray},
      {{"BLMOVE", "a", "t", "LEFT", "LEFT", "0"}, kNilArray},
      {{"BRPOPLPUSH", "a", "t", "0"}, kNilArray},
      {{"BLMPOP", "0", "1", "a", "LEFT"}, kNilArray},
      {{"BZPOPMIN", "a", "0"}, kNilArray},
      {{"BZMPOP", "0", "1", "a", "MIN"}, kNilArray},
      {{"STARLING", "ACQUIRE", "me", "1000", "60000", "lock"}, kNilArray},
      {{"WAIT", "1", "0"}, ":0\r\n"},
  };
  for (const auto& [words, at_timeout] : cases) {
    Wait(waits, id, words, other);
    EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", id}), ":1\r\n") << words[0];
    EXPECT_EQ(waits.ReceiveReply(), at_timeout) << words[0];
    Wait(waits, id, words, other);
    EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", id, "timeout"}), ":1\r\n") << words[0];
    EXPECT_EQ(waits.ReceiveReply(), at_timeout) << words[0];
    Wait(waits, id, words, other);
    EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", id, "ERROR"}), ":1\r\n") << words[0];
    EXPECT_EQ(waits.ReceiveReply(), kUnblocked) << words[0];
  }
  EXPECT_EQ(waits.Ask({"PING"}), "+PONG\r\n");
}

TEST(Unblock, AnswersNoughtForWhoDoesNotWait) {
  TestDaemon daemon;
  TestClient idle = daemon.Connect();
  TestClient other = daemon.Connect();
  EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", IdOf(idle)}), ":0\r\n");
  EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", IdOf(other)}), ":0\r\n");
  EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", "99999", "ERROR"}), ":0\r\n");
  EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", "-5"}), ":0\r\n");
}

TEST(Unblock, RefusesWhatRedisRefuses) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  EXPECT_EQ(client.Ask({"CLIENT", "UNBLOCK"}),
            "-ERR wrong number of arguments for 'client|unblock' command\r\n");
  EXPECT_EQ(client.Ask({"CLIENT", "UNBLOCK", "x"}),
            "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client.Ask({"CLIENT", "UNBLOCK", "1", "soon"}),
            "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
  EXPECT_EQ(client.Ask({"CLIENT", "UNBLOCK", "1", "ERROR", "x"}),
            "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. "
            "Try CLIENT HELP.\r\n");
}

TEST(Unblock, KeepsItsPlaceInAPipeline) {
  TestDaemon daemon;
  TestClient waits = daemon.Connect();
  TestClient other = daemon.Connect();
  const std::string id = IdOf(waits);
  Wait(waits, id, {"BLPOP", "q", "0"}, other);
  waits.Send("ECHO behind\r\n");
  other.Send("ECHO 1\r\nCLIENT UNBLOCK " + id + "\r\nECHO 2\r\nCLIENT REPLY SKIP\r\n" +
             "CLIENT UNBLOCK " + id + "\r\nCLIENT UNBLOCK " + id + "\r\nECHO 3\r\n");
  for (const char* reply : {"$1\r\n1\r\n", ":1\r\n", "$1\r\n2\r\n", ":0\r\n", "$1\r\n3\r\n"}) {
    EXPECT_EQ(other.ReceiveReply(), reply);
  }
  EXPECT_EQ(waits.ReceiveReply(), kNilArray);
  EXPECT_EQ(waits.ReceiveReply(), "$6\r\nbehind\r\n");
}

TEST(Unblock, TakesNothingFromWhoWaitsNext) {
  TestDaemon daemon;
  TestClient first = daemon.Connect();
  TestClient second = daemon.Connect();
  TestClient other = daemon.Connect();
  const std::string id = IdOf(first);
  Wait(first, id, {"BLPOP", "q", "0"}, other);
  Wait(second, IdOf(second), {"BLPOP", "q", "0"}, other);
  EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", id}), ":1\r\n");
  EXPECT_EQ(other.Ask({"RPUSH", "q", "v"}), ":1\r\n");
  EXPECT_EQ(second.ReceiveReply(), "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
  EXPECT_EQ(first.ReceiveReply(), kNilArray);
}

class UnblockTest : public ThreeDaemons {};

TEST_F(UnblockTest, TakesBackWhatWaitsAtTheLeaseholder) {
  for (size_t i = 0; i < kDaemons; ++i) {
    TestClient waits = Connect(i);
    TestClient other = Connect(i);
    const std::string id = IdOf(waits);
    Write(other, "lock");
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"BLPOP", "q", "0"},
          {"STARLING", "ACQUIRE", "me", "1000", "60000", "lock"}}) {
      Wait(waits, id, words, other);
      EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", id}), ":1\r\n") << i;
      EXPECT_EQ(waits.ReceiveReply(), kNilArray);
      Wait(waits, id, words, other);
      EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", id, "ERROR"}), ":1\r\n") << i;
      EXPECT_EQ(waits.ReceiveReply(), kUnblocked);
    }
    TestClient counts = Connect(i);  // it has written nothing: all hold that
    const std::string its_id = IdOf(counts);
    Wait(counts, its_id, {"WAIT", "3", "0"}, other);
    EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", its_id}), ":1\r\n") << i;
    EXPECT_EQ(counts.ReceiveReply(), Count(2));
    EXPECT_EQ(other.Ask({"RPUSH", "q", "v"}), Count(1));
    EXPECT_EQ(other.Ask({"DEL", "q"}), Count(1)) << "nobody waits for it any more";
  }
}

TEST_F(UnblockTest, EitherAnswersWhatWasPoppedOrTakesTheWaitBack) {
  const size_t leader = HolderAt(0);
  TestClient pushes = Connect(leader);
  for (const size_t at : {leader, Follower(leader)}) {
    TestClient waits = Connect(at);
    TestClient other = Connect(at);
    const std::string id = IdOf(waits);
    int popped = 0;
    for (int i = 0; i < 200; ++i) {
      const std::string value = std::to_string(i);
      Wait(waits, id, {"BLPOP", "q", "0"}, other);
      pushes.SendCommand({"RPUSH", "q", value});
      const std::string unblocked = other.Ask({"CLIENT", "UNBLOCK", id});
      EXPECT_EQ(pushes.ReceiveReply(), ":1\r\n");
      const std::string reply = waits.ReceiveReply();
      if (unblocked == ":1\r\n") {
        EXPECT_EQ(reply, kNilArray);
        EXPECT_EQ(other.Ask({"LPOP", "q"}),
                  "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n");
      } else {
        ++popped;
        EXPECT_EQ(unblocked, ":0\r\n");
        EXPECT_NE(reply.find(value), std::string::npos) << reply;
      }
    }
    RecordProperty("popped", popped);
  }
}

TEST_F(UnblockTest, ReachesWhoWaitsThroughATakeOver) {
  const size_t leader = HolderAt(0);
  const size_t asked = Follower(leader);
  TestClient waits = Connect(asked);
  TestClient other = Connect(asked);
  const std::string id = IdOf(waits);
  Wait(waits, id, {"BLPOP", "q", "0"}, other);
  Stop(leader);
  EXPECT_EQ(other.Ask({"CLIENT", "UNBLOCK", id}), ":1\r\n");
  EXPECT_EQ(waits.ReceiveReply(), kNilArray);
}

}  // namespace
}  // namespace starling
