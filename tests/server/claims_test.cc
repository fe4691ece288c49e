/// Claims at a node that leads alone: what `SET NX` and its kin grant, and what later commands do
/// to it. Answers are Redis 7's.
#include <gtest/gtest.h>

#include <string>

#include "tests/server/embedded_node.h"
#include "tests/server/test_daemon.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

/// A daemon that meets in a folder of its own, and so leads.
class ClaimTest : public testing::Test {
 protected:
  ClaimTest() {
    EXPECT_TRUE(Eventually([&] { return Ask({"STARLING", "FENCE", "none"}) == kNil; }));
    // Refused until somebody leads.
    EXPECT_TRUE(Eventually([&] {
      const std::string granted = Ask({"SET", "probe", "x", "NX"});
      return granted == kOk || granted == kNil;
    }));
  }

  static Settings InFolder(const std::string& folder) {
    Settings settings = TestDaemon::Defaults();
    settings.meeting_folder = folder;
    return settings;
  }
  std::string Ask(const std::vector<std::string>& words) { return client_.Ask(words); }
  /// The fencing token of a claim; 0: the key is none.
  uint64_t Fence(const std::string& key) {
    const std::string reply = Ask({"STARLING", "FENCE", key});
    if (reply == kNil) return 0;
    return std::stoull(reply.substr(reply.find('\n') + 1));
  }

  /// How often a majority was asked.
  uint64_t Rounds() {
    const std::string info = Ask({"INFO", "starling"});
    const std::string name = "majority_rounds:";
    const size_t at = info.find(name);
    return at == std::string::npos ? 0 : std::stoull(info.substr(at + name.size()));
  }

  static constexpr const char* kOk = "+OK\r\n";
  static constexpr const char* kNil = "$-1\r\n";

  TempFolder folder_;
  TestDaemon daemon_{InFolder(folder_.path())};
  TestClient client_ = daemon_.Connect();
};

TEST_F(ClaimTest, IsGrantedOnceUntilItIsReleased) {
  EXPECT_EQ(Ask({"SET", "lock", "a", "NX", "PX", "60000"}), kOk);
  EXPECT_EQ(Ask({"SET", "lock", "b", "NX", "PX", "60000"}), kNil);
  EXPECT_EQ(Ask({"SETNX", "lock", "b"}), ":0\r\n");
  EXPECT_EQ(Ask({"GET", "lock"}), "$1\r\na\r\n");
  const uint64_t first = Fence("lock");
  EXPECT_GT(first, 0u);
  EXPECT_EQ(Ask({"DEL", "lock"}), ":1\r\n");
  EXPECT_EQ(Fence("lock"), 0u);
  EXPECT_EQ(Ask({"GET", "lock"}), kNil);
  EXPECT_EQ(Ask({"SETNX", "lock", "b"}), ":1\r\n");
  EXPECT_GT(Fence("lock"), first);
}

TEST_F(ClaimTest, LapsesByItself) {
  EXPECT_EQ(Ask({"SET", "lock", "a", "NX", "PX", "30"}), kOk);
  EXPECT_TRUE(Eventually([&] { return Ask({"GET", "lock"}) == kNil; }));
  EXPECT_EQ(Ask({"SET", "lock", "b", "NX", "PX", "60000"}), kOk);
}

TEST_F(ClaimTest, IsReleasedByTheUsualScriptOfItsHolderOnly) {
  const std::string script =
      "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return "
      "0";
  EXPECT_EQ(Ask({"SET", "lock", "token", "NX", "PX", "60000"}), kOk);
  EXPECT_EQ(Ask({"EVAL", script, "1", "lock", "another"}), ":0\r\n");
  EXPECT_EQ(Ask({"EVAL", script, "1", "lock", "token"}), ":1\r\n");
  EXPECT_EQ(Ask({"EXISTS", "lock"}), ":0\r\n");
}

TEST_F(ClaimTest, IsReleasedAndRewrittenByComparison) {
  EXPECT_EQ(Ask({"SET", "lock", "a", "NX", "PX", "60000"}), kOk);
  const uint64_t token = Fence("lock");
  EXPECT_EQ(Ask({"SET", "lock", "b", "IFEQ", "x"}), kNil);
  EXPECT_EQ(Ask({"SET", "lock", "b", "IFEQ", "a", "PX", "60000"}), kOk);
  EXPECT_EQ(Fence("lock"), token);
  EXPECT_EQ(Ask({"DELIFEQ", "lock", "a"}), ":0\r\n");
  EXPECT_EQ(Ask({"DELEX", "lock", "IFEQ", "b"}), ":1\r\n");
  EXPECT_EQ(Fence("lock"), 0u);
}

TEST_F(ClaimTest, KeepsItsTokenWhileItIsRewritten) {
  EXPECT_EQ(Ask({"SET", "window", "0", "EX", "60", "NX"}), kOk);
  const uint64_t token = Fence("window");
  EXPECT_EQ(Ask({"INCR", "window"}), ":1\r\n");
  EXPECT_EQ(Ask({"INCRBY", "window", "4"}), ":5\r\n");
  EXPECT_EQ(Ask({"APPEND", "window", "0"}), ":2\r\n");
  EXPECT_EQ(Ask({"SET", "window", "7", "XX", "KEEPTTL"}), kOk);
  EXPECT_EQ(Ask({"PEXPIRE", "window", "900000"}), ":1\r\n");
  EXPECT_EQ(Ask({"GET", "window"}), "$1\r\n7\r\n");
  EXPECT_EQ(Fence("window"), token);
  const std::string left = Ask({"PTTL", "window"});
  EXPECT_GT(std::stoll(left.substr(1)), 800'000) << left;
  EXPECT_EQ(Ask({"PERSIST", "window"}), ":1\r\n");
  EXPECT_EQ(Ask({"TTL", "window"}), ":-1\r\n");
}

TEST_F(ClaimTest, IsEndedByAPlainSet) {
  EXPECT_EQ(Ask({"SETNX", "k", "claimed"}), ":1\r\n");
  EXPECT_EQ(Ask({"SET", "k", "plain"}), kOk);
  EXPECT_EQ(Ask({"GET", "k"}), "$5\r\nplain\r\n");
  EXPECT_EQ(Fence("k"), 0u);
}

TEST_F(ClaimTest, IsEndedByWhateverReplacesIt) {
  const std::vector<std::vector<std::string>> replacing = {
      {"GETSET", "lock", "b"}, {"RENAME", "other", "lock"}, {"FLUSHDB"}, {"GETDEL", "lock"}};
  for (const std::vector<std::string>& words : replacing) {
    Ask({"DEL", "lock"});
    Ask({"SET", "other", "b"});
    EXPECT_EQ(Ask({"SET", "lock", "a", "NX", "PX", "60000"}), kOk);
    EXPECT_GT(Fence("lock"), 0u);
    EXPECT_NE(Ask(words)[0], '-') << words[0];
    EXPECT_EQ(Fence("lock"), 0u) << words[0];
  }
}

TEST_F(ClaimTest, StandsInTheWayOfNobodyWhoLists) {
  EXPECT_EQ(Ask({"FLUSHALL"}), kOk);
  EXPECT_EQ(Ask({"SET", "lock", "a", "NX", "PX", "60000"}), kOk);
  EXPECT_EQ(Ask({"KEYS", "*"}), "*1\r\n$4\r\nlock\r\n");
  EXPECT_EQ(Ask({"DBSIZE"}), ":1\r\n");
  EXPECT_EQ(Ask({"RANDOMKEY"}), "$4\r\nlock\r\n");
  EXPECT_EQ(Ask({"SCAN", "0"}), "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nlock\r\n");
}

TEST_F(ClaimTest, IsNotWhatHsetnxMakes) {
  EXPECT_EQ(Ask({"HSETNX", "hash", "field", "a"}), ":1\r\n");
  EXPECT_EQ(Ask({"HSETNX", "hash", "field", "b"}), ":0\r\n");
  EXPECT_EQ(Fence("hash"), 0u);
}

TEST_F(ClaimTest, TakesItsTransactionAlong) {
  client_.Send("MULTI\r\nSET l t NX\r\nSET d 1\r\nINCR n\r\nEXEC\r\n");
  for (int i = 0; i < 4; ++i) client_.ReceiveReply();
  EXPECT_EQ(client_.ReceiveReply(), "*3\r\n+OK\r\n+OK\r\n:1\r\n");
  EXPECT_EQ(Ask({"MGET", "l", "d", "n"}), "*3\r\n$1\r\nt\r\n$1\r\n1\r\n$1\r\n1\r\n");
  EXPECT_GT(Fence("l"), 0u);
  const std::string once =
      "if redis.call('SET', KEYS[1], '1', 'NX', 'EX', 60) then redis.call('INCR', KEYS[2]) return "
      "1 "
      "end return 0";
  EXPECT_EQ(Ask({"EVAL", once, "2", "id", "balance"}), ":1\r\n");
  EXPECT_EQ(Ask({"EVAL", once, "2", "id", "balance"}), ":0\r\n");
  EXPECT_EQ(Ask({"GET", "balance"}), "$1\r\n1\r\n");
}

TEST_F(ClaimTest, IsChangedByTransactionsAndTheirScripts) {
  const auto in_transaction = [&](const std::vector<std::string>& words) {
    Ask({"MULTI"});
    Ask(words);
    return Ask({"EXEC"});
  };
  EXPECT_EQ(Ask({"SET", "k", "0", "EX", "60", "NX"}), kOk);
  const uint64_t token = Fence("k");
  EXPECT_EQ(in_transaction({"INCR", "k"}), "*1\r\n:1\r\n");
  EXPECT_EQ(in_transaction({"EVAL", "return redis.call('INCR', KEYS[1])", "1", "k"}),
            "*1\r\n:2\r\n");
  EXPECT_EQ(Fence("k"), token);
  EXPECT_EQ(in_transaction({"SET", "k", "31", "EX", "90"}), "*1\r\n+OK\r\n");
  EXPECT_EQ(Fence("k"), 0u);
  EXPECT_EQ(in_transaction({"SET", "k", "v", "NX"}), "*1\r\n$-1\r\n");
  EXPECT_EQ(in_transaction({"DEL", "k"}), "*1\r\n:1\r\n");
  EXPECT_EQ(in_transaction({"EVAL", "return redis.call('SETNX', KEYS[1], 1)", "1", "k"}),
            "*1\r\n:1\r\n");
  EXPECT_GT(Fence("k"), token);
}

TEST_F(ClaimTest, LeavesTheConnectionAsItWasWhereATransactionIsRunAgain) {
  client_.Send("MULTI\r\nSET here 1\r\nSELECT 1\r\nSETNX there 1\r\nEXEC\r\nGET there\r\n");
  for (int i = 0; i < 4; ++i) client_.ReceiveReply();
  EXPECT_EQ(client_.ReceiveReply(), "*3\r\n+OK\r\n+OK\r\n:1\r\n");
  EXPECT_EQ(client_.ReceiveReply(), "$1\r\n1\r\n");
  EXPECT_EQ(Ask({"EXISTS", "here"}), ":0\r\n");
  EXPECT_EQ(Ask({"SELECT", "0"}), kOk);
  EXPECT_EQ(Ask({"EXISTS", "here"}), ":1\r\n");
  EXPECT_EQ(Ask({"CLIENT", "SETNAME", "one"}), kOk);
  client_.Send("MULTI\r\nCLIENT GETNAME\r\nSETNX n 1\r\nCLIENT SETNAME two\r\nEXEC\r\n");
  for (int i = 0; i < 4; ++i) client_.ReceiveReply();
  EXPECT_EQ(client_.ReceiveReply(), "*3\r\n$3\r\none\r\n:1\r\n+OK\r\n");
  EXPECT_EQ(Ask({"CLIENT", "GETNAME"}), "$3\r\ntwo\r\n");
}

TEST_F(ClaimTest, IsSeenByWatch) {
  EXPECT_EQ(Ask({"SETNX", "k", "v"}), ":1\r\n");
  EXPECT_EQ(Ask({"WATCH", "k"}), kOk);
  TestClient other = daemon_.Connect();
  EXPECT_EQ(other.Ask({"DEL", "k"}), ":1\r\n");
  client_.Send("MULTI\r\nSETNX k w\r\nEXEC\r\n");
  client_.ReceiveReply();
  client_.ReceiveReply();
  EXPECT_EQ(client_.ReceiveReply(), "*-1\r\n");
  EXPECT_EQ(Ask({"WATCH", "k"}), kOk);
  client_.Send("MULTI\r\nSETNX k w\r\nEXEC\r\n");
  client_.ReceiveReply();
  client_.ReceiveReply();
  EXPECT_EQ(client_.ReceiveReply(), "*1\r\n:1\r\n");
}

TEST_F(ClaimTest, IsOneOfAllOrNoneInMsetnx) {
  EXPECT_EQ(Ask({"MSETNX", "a", "1", "b", "2", "a", "3"}), ":1\r\n");
  EXPECT_EQ(Ask({"MGET", "a", "b"}), "*2\r\n$1\r\n3\r\n$1\r\n2\r\n");
  EXPECT_EQ(Ask({"MSETNX", "c", "1", "b", "2"}), ":0\r\n");
  EXPECT_EQ(Ask({"EXISTS", "c"}), ":0\r\n");
}

TEST_F(ClaimTest, OfARenamedKeyOrACopyHasOneWinner) {
  Ask({"SET", "from", "v"});
  EXPECT_EQ(Ask({"RENAMENX", "from", "to"}), ":1\r\n");
  EXPECT_EQ(Ask({"COPY", "to", "copy"}), ":1\r\n");
  EXPECT_EQ(Ask({"COPY", "to", "copy"}), ":0\r\n");
  EXPECT_EQ(Ask({"MGET", "to", "copy"}), "*2\r\n$1\r\nv\r\n$1\r\nv\r\n");
}

TEST_F(ClaimTest, IsChangedByNoLocalWrite) {
  EXPECT_EQ(Ask({"SETNX", "k", "v"}), ":1\r\n");
  EXPECT_EQ(Ask({"STARLING", "LEVEL", "local"}), kOk);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"SET", "k", "w"},
        {"DEL", "k"},
        {"INCR", "k"},
        {"EXPIRE", "k", "1"},
        {"GETDEL", "k"},
        {"FLUSHDB"},
        {"MSET", "other", "1", "k", "2"},
        {"EVAL", "return redis.call('DEL', KEYS[1])", "1", "k"}}) {
    EXPECT_TRUE(Ask(words).starts_with("-CLAIMED ")) << words[0];
  }
  client_.Send("MULTI\r\nSET other 1\r\nDEL k\r\nEXEC\r\n");
  for (int i = 0; i < 3; ++i) client_.ReceiveReply();
  EXPECT_TRUE(client_.ReceiveReply().starts_with("-CLAIMED "));
  EXPECT_EQ(Ask({"GET", "k"}), "$1\r\nv\r\n");
  EXPECT_EQ(Ask({"EXISTS", "other"}), ":0\r\n");
  // Where nobody leads, nothing is claimed.
  EXPECT_EQ(Ask({"SETNX", "mine", "v"}), ":1\r\n");
  EXPECT_EQ(Ask({"DEL", "mine"}), ":1\r\n");
}

TEST_F(ClaimTest, OtherKeysWaitForAMajorityWhereTheirLevelSaysSo) {
  EXPECT_EQ(Ask({"STARLING", "LEVEL", "majority"}), kOk);
  client_.Send("SET k 1\r\nINCR k\r\nINCR k\r\nGET k\r\nRPUSH list a b\r\nPING\r\n");
  const std::string expected = "+OK\r\n:2\r\n:3\r\n$1\r\n3\r\n:2\r\n+PONG\r\n";
  EXPECT_EQ(client_.Receive(expected.size()), expected);
  EXPECT_EQ(Ask({"BLPOP", "list", "1"}), "*2\r\n$4\r\nlist\r\n$1\r\na\r\n");
  EXPECT_EQ(Ask({"EVAL", "return redis.call('INCR', KEYS[1])", "1", "k"}), ":4\r\n");
  EXPECT_EQ(Ask({"WATCH", "k"}), kOk);
  client_.Send("MULTI\r\nINCR k\r\nLPOP list\r\nEXEC\r\n");
  for (int i = 0; i < 3; ++i) client_.ReceiveReply();
  EXPECT_EQ(client_.ReceiveReply(), "*2\r\n:5\r\n$1\r\nb\r\n");
  EXPECT_EQ(Ask({"LPUSH", "k", "x"}).substr(0, 10), "-WRONGTYPE");
  EXPECT_EQ(Fence("k"), 0u) << "no claim: any level may write it";
}

TEST_F(ClaimTest, IsWaitedForInTurn) {
  const std::string held = Ask({"STARLING", "ACQUIRE", "t1", "60000", "0", "lock"});
  EXPECT_TRUE(held.starts_with("*2\r\n$4\r\nlock\r\n$")) << held;
  EXPECT_EQ(Ask({"STARLING", "ACQUIRE", "t2", "60000", "0", "lock"}), "*-1\r\n");
  EXPECT_EQ(Ask({"STARLING", "ACQUIRE", "t2", "60000", "20", "lock"}), "*-1\r\n");
  TestClient second = daemon_.Connect();
  TestClient third = daemon_.Connect();
  second.SendCommand({"STARLING", "ACQUIRE", "t2", "60000", "30000", "lock"});
  EXPECT_TRUE(AreWaiting(client_, 1));
  third.SendCommand({"STARLING", "ACQUIRE", "t3", "60000", "30000", "lock"});
  EXPECT_TRUE(AreWaiting(client_, 2));
  EXPECT_EQ(Ask({"STARLING", "EXTEND", "lock", "t2", "60000"}), ":0\r\n");
  EXPECT_EQ(Ask({"STARLING", "EXTEND", "lock", "t1", "60000"}), ":1\r\n");
  EXPECT_EQ(Ask({"STARLING", "RELEASE", "lock", "t2"}), ":0\r\n");
  EXPECT_EQ(Ask({"STARLING", "RELEASE", "lock", "t1"}), ":1\r\n");
  EXPECT_TRUE(second.ReceiveReply().starts_with("*2"));
  EXPECT_EQ(Ask({"GET", "lock"}), "$2\r\nt2\r\n");
  EXPECT_EQ(Ask({"DEL", "lock"}), ":1\r\n");
  EXPECT_TRUE(third.ReceiveReply().starts_with("*2"));
  EXPECT_EQ(Ask({"GET", "lock"}), "$2\r\nt3\r\n");
}

// Who has waited longest takes it in the record that ends it: one majority is asked for both.
TEST_F(ClaimTest, IsHandedOverInTheRoundThatReleasesIt) {
  const std::string compare_and_delete =
      "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end";
  const std::vector<std::vector<std::string>> ways = {
      {"STARLING", "RELEASE", "lock", "t1"},
      {"DEL", "lock", "none"},
      {"EVAL", compare_and_delete, "1", "lock", "t1"},
      {"DELEX", "lock", "IFEQ", "t1"},
  };
  for (const std::vector<std::string>& release : ways) {
    SCOPED_TRACE(release[0]);
    ASSERT_TRUE(Ask({"STARLING", "ACQUIRE", "t1", "60000", "0", "lock"}).starts_with("*2"));
    const uint64_t before = Fence("lock");
    TestClient next = daemon_.Connect();
    // Another place is free to wait for, too: it is told which one it got.
    ASSERT_TRUE(Ask({"STARLING", "ACQUIRE", "t1", "60000", "0", "taken"}).starts_with("*2"));
    next.SendCommand({"STARLING", "ACQUIRE", "t2", "60000", "30000", "taken", "lock"});
    EXPECT_TRUE(AreWaiting(client_, 1));
    const uint64_t rounds = Rounds();
    EXPECT_EQ(Ask(release), ":1\r\n");
    const std::string granted = next.ReceiveReply();
    EXPECT_EQ(Rounds(), rounds + 1);
    EXPECT_EQ(Ask({"GET", "lock"}), "$2\r\nt2\r\n");
    const std::string fence = std::to_string(Fence("lock"));
    EXPECT_GT(Fence("lock"), before);
    EXPECT_EQ(granted,
              "*2\r\n$4\r\nlock\r\n$" + std::to_string(fence.size()) + "\r\n" + fence + "\r\n");
    EXPECT_GT(std::stoll(Ask({"PTTL", "lock"}).substr(1)), 30'000);
    EXPECT_EQ(Ask({"DEL", "lock", "taken"}), ":2\r\n");
  }
}

TEST_F(ClaimTest, IsHandedOverToOneOfThoseWhoWaitAndOthersAreServedNext) {
  ASSERT_TRUE(Ask({"STARLING", "ACQUIRE", "t1", "60000", "0", "a"}).starts_with("*2"));
  ASSERT_TRUE(Ask({"STARLING", "ACQUIRE", "t1", "60000", "0", "b"}).starts_with("*2"));
  TestClient for_a = daemon_.Connect();
  TestClient for_b = daemon_.Connect();
  for_a.SendCommand({"STARLING", "ACQUIRE", "t2", "60000", "30000", "a"});
  for_b.SendCommand({"STARLING", "ACQUIRE", "t3", "60000", "30000", "b"});
  EXPECT_TRUE(AreWaiting(client_, 2));
  EXPECT_EQ(Ask({"DEL", "a", "b"}), ":2\r\n");
  EXPECT_TRUE(for_a.ReceiveReply().starts_with("*2\r\n$1\r\na\r\n"));
  EXPECT_TRUE(for_b.ReceiveReply().starts_with("*2\r\n$1\r\nb\r\n"));
  EXPECT_EQ(Ask({"MGET", "a", "b"}), "*2\r\n$2\r\nt2\r\n$2\r\nt3\r\n");
}

TEST_F(ClaimTest, IsHandedOverToNobodyWhereItIsNotReleased) {
  ASSERT_TRUE(Ask({"STARLING", "ACQUIRE", "t1", "60000", "0", "lock"}).starts_with("*2"));
  TestClient waits = daemon_.Connect();
  waits.SendCommand({"STARLING", "ACQUIRE", "t2", "60000", "30000", "lock"});
  EXPECT_TRUE(AreWaiting(client_, 1));
  EXPECT_EQ(Ask({"STARLING", "EXTEND", "lock", "t1", "60000"}), ":1\r\n");
  EXPECT_EQ(Ask({"SET", "lock", "plain"}), kOk);
  EXPECT_EQ(Ask({"GET", "lock"}), "$5\r\nplain\r\n");
  EXPECT_TRUE(AreWaiting(client_, 1));
  EXPECT_EQ(Ask({"DEL", "lock"}), ":1\r\n");
  EXPECT_TRUE(waits.ReceiveReply().starts_with("*2"));
}

TEST_F(ClaimTest, IsTakenBeforeThoseWhoWaitByWhoeverComesAsItIsFree) {
  EXPECT_TRUE(Ask({"STARLING", "ACQUIRE", "t1", "60000", "0", "lock"}).starts_with("*2"));
  TestClient waits = daemon_.Connect();
  waits.SendCommand({"STARLING", "ACQUIRE", "t2", "60000", "30000", "lock"});
  EXPECT_TRUE(AreWaiting(client_, 1));
  EXPECT_EQ(Ask({"MULTI"}), kOk);
  EXPECT_EQ(Ask({"DEL", "lock"}), "+QUEUED\r\n");
  EXPECT_EQ(Ask({"SET", "lock", "t3", "NX"}), "+QUEUED\r\n");
  EXPECT_EQ(Ask({"EXEC"}), "*2\r\n:1\r\n+OK\r\n");
  EXPECT_EQ(Ask({"GET", "lock"}), "$2\r\nt3\r\n");
  EXPECT_EQ(Ask({"DEL", "lock"}), ":1\r\n");
  EXPECT_TRUE(waits.ReceiveReply().starts_with("*2"));
  EXPECT_EQ(Ask({"GET", "lock"}), "$2\r\nt2\r\n");
}

TEST_F(ClaimTest, RefusesLocksThatMakeNoSense) {
  EXPECT_EQ(Ask({"STARLING", "ACQUIRE", "t", "0", "0", "lock"}),
            "-ERR a time to live is 1 to 31622400000000 milliseconds\r\n");
  EXPECT_EQ(Ask({"STARLING", "ACQUIRE", "t", "1", "-1", "lock"}),
            "-ERR a time to wait is 0 to 31622400000000 milliseconds\r\n");
  EXPECT_EQ(Ask({"STARLING", "ACQUIRE", "", "1", "0", "lock"}), "-ERR a token is not empty\r\n");
  EXPECT_EQ(Ask({"STARLING", "EXTEND", "lock", "t", "x"}),
            "-ERR value is not an integer or out of range\r\n");
}

TEST_F(ClaimTest, GoesWithItsDatabase) {
  EXPECT_EQ(Ask({"SETNX", "k", "v"}), ":1\r\n");
  EXPECT_EQ(Ask({"FLUSHALL"}), kOk);
  EXPECT_EQ(Ask({"EXISTS", "k"}), ":0\r\n");
  EXPECT_EQ(Ask({"SETNX", "k", "w"}), ":1\r\n");
}

TEST_F(ClaimTest, StarlingClaimTellsWhoWasFirst) {
  const auto claim = [&](const char* by) {
    return Ask({"STARLING", "CLAIM", "event", by, "60000"});
  };
  const std::string first = claim("me");
  const std::string token = std::to_string(Fence("event"));
  const std::string rest = "$" + std::to_string(token.size()) + "\r\n" + token + "\r\n$2\r\nme\r\n";
  EXPECT_EQ(first, "*3\r\n:1\r\n" + rest);
  EXPECT_EQ(claim("you"), "*3\r\n:0\r\n" + rest);
  EXPECT_EQ(claim("me"), "*3\r\n:0\r\n" + rest) << "it is not the first twice";
  EXPECT_EQ(Ask({"SET", "plain", "x"}), kOk);
  EXPECT_EQ(Ask({"STARLING", "CLAIM", "plain", "me", "60000"}), "*3\r\n:0\r\n$-1\r\n$1\r\nx\r\n");
  EXPECT_EQ(Ask({"SADD", "set", "x"}), ":1\r\n");
  EXPECT_EQ(Ask({"STARLING", "CLAIM", "set", "me", "60000"}), "*3\r\n:0\r\n$-1\r\n$-1\r\n");
  EXPECT_EQ(Ask({"STARLING", "CLAIM", "k", "me", "0"})[0], '-');
}

TEST_F(ClaimTest, AnswersAWholePipelineInOrder) {
  client_.Send("SETNX p 1\r\nSETNX p 2\r\nINCR q\r\nGET p\r\nDEL p\r\nGET p\r\nPING\r\n");
  const std::string expected = ":1\r\n:0\r\n:1\r\n$1\r\n1\r\n:1\r\n$-1\r\n+PONG\r\n";
  EXPECT_EQ(client_.Receive(expected.size()), expected);
}

TEST(ClaimPatternsTest, KeysThatArePatternedOutAreNoClaims) {
  TempFolder folder;
  Settings settings = TestDaemon::Defaults();
  settings.meeting_folder = folder.path();
  settings.claims = {"rl:keep=yes", "rl:*=no"};
  TestDaemon daemon(settings);
  TestClient client = daemon.Connect();
  const auto fence = [&](const char* key) { return client.Ask({"STARLING", "FENCE", key}); };
  const std::string none = "$-1\r\n";
  EXPECT_TRUE(Eventually([&] {  // somebody leads
    client.Ask({"SET", "lock", "x", "NX"});
    return fence("lock") != none;
  }));
  const std::vector<std::vector<std::string>> plain = {
      {"SET", "rl:a", "0", "EX", "60", "NX"},
      {"SETNX", "rl:b", "0"},
      {"MSETNX", "rl:c", "0", "rl:d", "0"},
      {"RENAMENX", "rl:b", "rl:e"},
      {"COPY", "rl:a", "rl:f"},
      {"EVAL", "return redis.call('SET', KEYS[1], '0', 'NX')", "1", "rl:g"}};
  for (const auto& words : plain) EXPECT_NE(client.Ask(words)[0], '-') << words[0];
  for (const char* key : {"rl:a", "rl:c", "rl:d", "rl:e", "rl:f", "rl:g"}) {
    EXPECT_EQ(client.Ask({"GET", key}), "$1\r\n0\r\n") << key;
    EXPECT_EQ(fence(key), none) << key;
  }
  EXPECT_EQ(client.Ask({"SET", "rl:a", "1", "NX"}), none) << "it still looks before";
  EXPECT_EQ(client.Ask({"SETNX", "rl:keep", "1"}), ":1\r\n");
  EXPECT_NE(fence("rl:keep"), none) << "the first pattern that fits counts";
  EXPECT_EQ(client.Ask({"MSETNX", "rl:h", "1", "other", "1"}), ":1\r\n");
  EXPECT_EQ(fence("rl:h"), none);
  EXPECT_NE(fence("other"), none);
  EXPECT_EQ(client.Ask({"STARLING", "ACQUIRE", "token", "60000", "0", "rl:lock"})[0], '*');
  EXPECT_NE(fence("rl:lock"), none) << "a lock is a claim by its name";
  // Level local writes to what is no claim.
  EXPECT_EQ(client.Ask({"STARLING", "LEVEL", "local"}), "+OK\r\n");
  EXPECT_EQ(client.Ask({"INCR", "rl:a"}), ":1\r\n");
}

// The leaseholder's patterns count, also where that is a service's own node.
TEST(ClaimPatternsTest, AnEmbeddedLeaseholderHasThemToo) {
  TempFolder folder;
  const EmbeddedNode leader(folder.path(), {"rl:keep=yes", "rl:*=no"});
  Settings settings = TestDaemon::Defaults();
  settings.meeting_folder = folder.path();
  TestDaemon daemon(settings);
  ASSERT_TRUE(Eventually([&] { return leader.members_alive() == 2; }));
  TestClient client = daemon.Connect();
  ASSERT_TRUE(Eventually([&] { return client.Ask({"SETNX", "lock", "x"}) == ":1\r\n"; }));
  const auto fence = [&](const char* key) { return client.Ask({"STARLING", "FENCE", key}); };
  EXPECT_NE(fence("lock"), "$-1\r\n");
  EXPECT_EQ(client.Ask({"SETNX", "rl:a", "0"}), ":1\r\n");
  EXPECT_EQ(fence("rl:a"), "$-1\r\n");
  EXPECT_EQ(client.Ask({"SETNX", "rl:keep", "0"}), ":1\r\n");
  EXPECT_NE(fence("rl:keep"), "$-1\r\n");
}

}  // namespace
}  // namespace starling
