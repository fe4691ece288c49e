/// Commands that wait, over real sockets. The texts and shapes are Redis 7's.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/server/test_daemon.h"

namespace starling {
namespace {

std::string Array(const std::vector<std::string>& texts) {
  std::string reply = "*" + std::to_string(texts.size()) + "\r\n";
  for (const std::string& text : texts) {
    reply += "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }
  return reply;
}

constexpr const char* kNilArray = "*-1\r\n";
constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

TEST(Blocking, TakesWhatIsThereAtOnce) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Ask({"RPUSH", "l", "a", "b", "c", "d"});
  EXPECT_EQ(client.Ask({"BLPOP", "none", "l", "0"}), Array({"l", "a"}));
  EXPECT_EQ(client.Ask({"BRPOP", "l", "0"}), Array({"l", "d"}));
  EXPECT_EQ(client.Ask({"BLMOVE", "l", "m", "RIGHT", "LEFT", "0"}), "$1\r\nc\r\n");
  EXPECT_EQ(client.Ask({"BRPOPLPUSH", "l", "m", "0"}), "$1\r\nb\r\n");
  EXPECT_EQ(client.Ask({"BLMPOP", "0", "2", "l", "m", "LEFT", "COUNT", "9"}),
            "*2\r\n$1\r\nm\r\n" + Array({"b", "c"}));
  client.Ask({"ZADD", "z", "1", "x", "2", "y", "3", "w"});
  EXPECT_EQ(client.Ask({"BZPOPMIN", "z", "0"}), Array({"z", "x", "1"}));
  EXPECT_EQ(client.Ask({"BZPOPMAX", "z", "0"}), Array({"z", "w", "3"}));
  EXPECT_EQ(client.Ask({"BZMPOP", "0", "1", "z", "MIN"}),
            "*2\r\n$1\r\nz\r\n*1\r\n" + Array({"y", "2"}));
}

TEST(Blocking, WaitsUntilSomethingComes) {
  TestDaemon daemon;
  TestClient waits = daemon.Connect();
  TestClient pushes = daemon.Connect();
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> cases = {
      {{"BLPOP", "a", "b", "0"}, {"RPUSH", "b", "v"}},
      {{"BRPOP", "a", "b", "0"}, {"LPUSH", "a", "v"}},
      {{"BLMOVE", "a", "t", "LEFT", "LEFT", "0"}, {"RPUSH", "a", "v"}},
      {{"BRPOPLPUSH", "a", "t", "0"}, {"RPUSH", "a", "v"}},
      {{"BLMPOP", "0", "2", "a", "b", "LEFT"}, {"RPUSH", "b", "v"}},
      {{"BZPOPMIN", "a", "b", "0"}, {"ZADD", "b", "1", "v"}},
      {{"BZPOPMAX", "a", "b", "0"}, {"ZADD", "a", "1", "v"}},
      {{"BZMPOP", "0", "2", "a", "b", "MAX"}, {"ZADD", "b", "1", "v"}},
  };
  for (const auto& [wait, push] : cases) {
    waits.SendCommand(wait);
    // Whichever comes first, the element is taken once.
    EXPECT_EQ(pushes.Ask(push), ":1\r\n") << wait[0];
    const std::string reply = waits.ReceiveReply();
    EXPECT_NE(reply.find("$1\r\nv\r\n"), std::string::npos) << wait[0] << " " << reply;
    EXPECT_EQ(pushes.Ask({"EXISTS", "a", "b"}), ":0\r\n") << wait[0];
  }
}

TEST(Blocking, ServesWhoCameFirst) {
  TestDaemon daemon;
  TestClient pushes = daemon.Connect();
  std::vector<TestClient> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(daemon.Connect());
    waiting.back().SendCommand({"BLPOP", "q", "0"});
    EXPECT_TRUE(AreWaiting(pushes, i + 1));
  }
  EXPECT_EQ(pushes.Ask({"RPUSH", "q", "0", "1", "2", "3", "4"}), ":5\r\n");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(waiting[static_cast<size_t>(i)].ReceiveReply(), Array({"q", std::to_string(i)}));
  }
}

TEST(Blocking, AnswersNilWhenItsTimeIsUp) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"BLPOP", "l", "0.01"},
                                                {"BLMOVE", "l", "m", "LEFT", "LEFT", "0.01"},
                                                {"BRPOPLPUSH", "l", "m", "0.01"},
                                                {"BLMPOP", "0.01", "1", "l", "LEFT"},
                                                {"BZPOPMAX", "z", "0.01"},
                                                {"BZMPOP", "0.01", "1", "z", "MIN"}}) {
    EXPECT_EQ(client.Ask(words), kNilArray) << words[0];
  }
  client.Ask({"HELLO", "3"});
  EXPECT_EQ(client.Ask({"BLPOP", "l", "0.01"}), "_\r\n");
}

TEST(Blocking, RefusesWhatRedisRefuses) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Ask({"SET", "s", "v"});
  client.Ask({"RPUSH", "l", "v"});
  EXPECT_EQ(client.Ask({"BLPOP", "l", "x"}), "-ERR timeout is not a float or out of range\r\n");
  EXPECT_EQ(client.Ask({"BLPOP", "l", "-1"}), "-ERR timeout is negative\r\n");
  EXPECT_EQ(client.Ask({"BLPOP", "l", "1e20"}), "-ERR timeout is negative\r\n");
  EXPECT_EQ(client.Ask({"BLPOP", "s", "l", "0"}), kWrongType);
  EXPECT_EQ(client.Ask({"BLMOVE", "l", "s", "LEFT", "LEFT", "0"}), kWrongType);
  EXPECT_EQ(client.Ask({"BLMOVE", "l", "m", "x", "LEFT", "y"}), "-ERR syntax error\r\n");
  EXPECT_EQ(client.Ask({"BLMPOP", "0", "0", "l", "LEFT"}),
            "-ERR numkeys should be greater than 0\r\n");
  EXPECT_EQ(client.Ask({"WAIT", "x", "1"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client.Ask({"WAIT", "1", "x"}), "-ERR timeout is not an integer or out of range\r\n");
  EXPECT_EQ(client.Ask({"WAIT", "0", "-1"}), "-ERR timeout is negative\r\n");
}

TEST(Blocking, NeverWaitsWithinATransactionOrScript) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send(
      "MULTI\r\nBLPOP a 0\r\nBLMOVE a b LEFT LEFT 0\r\nBLMPOP 0 1 a LEFT\r\nBZPOPMIN z 0\r\n"
      "WAIT 1 0\r\nEXEC\r\n");
  for (int i = 0; i < 6; ++i) client.ReceiveReply();
  EXPECT_EQ(client.ReceiveReply(), "*5\r\n*-1\r\n$-1\r\n*-1\r\n*-1\r\n:0\r\n");
  EXPECT_EQ(client.Ask({"EVAL", "return {redis.pcall('blmpop', 0, 1, 'q', 'LEFT')}", "0"}),
            "*1\r\n$-1\r\n");
}

TEST(Blocking, GoesOnWaitingWhileTheKeyIsOfAnotherType) {
  TestDaemon daemon;
  TestClient waits = daemon.Connect();
  TestClient other = daemon.Connect();
  waits.SendCommand({"BLPOP", "k", "k2", "0"});
  EXPECT_TRUE(AreWaiting(other, 1));
  other.Ask({"SET", "k", "text"});
  other.Ask({"BLPOP", "settle", "0.01"});  // it has been tried by then
  EXPECT_EQ(other.Ask({"RPUSH", "k2", "v"}), ":1\r\n");
  EXPECT_EQ(waits.ReceiveReply(), Array({"k2", "v"}));
}

TEST(Blocking, TakesNothingForAClientThatHasHungUp) {
  TestDaemon daemon;
  TestClient other = daemon.Connect();
  {
    TestClient gone = daemon.Connect();
    gone.SendCommand({"BLPOP", "q", "0"});
    EXPECT_TRUE(AreWaiting(other, 1));
  }
  EXPECT_TRUE(AreWaiting(other, 0));
  other.Ask({"RPUSH", "q", "kept"});
  EXPECT_EQ(other.Ask({"LRANGE", "q", "0", "-1"}), Array({"kept"}));
}

TEST(Blocking, KeepsTheOrderOfAPipeline) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Send("RPUSH p 1 2\r\nBLPOP p 0\r\nBLPOP p 0\r\nPING\r\nBLPOP p 0.01\r\nECHO x\r\n");
  const std::string expected =
      ":2\r\n" + Array({"p", "1"}) + Array({"p", "2"}) + "+PONG\r\n" + kNilArray + "$1\r\nx\r\n";
  EXPECT_EQ(client.Receive(expected.size()), expected);
}

TEST(Blocking, WaitCountsNobodyWhereThereIsNobody) {
  TestDaemon daemon;
  TestClient client = daemon.Connect();
  client.Ask({"SET", "k", "v"});
  EXPECT_EQ(client.Ask({"WAIT", "0", "0"}), ":0\r\n");
  EXPECT_EQ(client.Ask({"WAIT", "1", "10"}), ":0\r\n");
}

}  // namespace
}  // namespace starling
