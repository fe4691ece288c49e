// MULTI, EXEC, DISCARD, WATCH: on one client, on two of the same node, and between nodes.
#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

class TransactionTest : public TwoNodesTest {
 protected:
  /// Runs a line per command; the last one's reply.
  std::string Run(std::initializer_list<std::string_view> lines) {
    std::string reply;
    for (const std::string_view line : lines) reply = a_.Do(line);
    return reply;
  }
};

constexpr const char* kNil = "*-1\r\n";

TEST_F(TransactionTest, RunsWhatWasQueuedAndAnswersAllAtOnce) {
  EXPECT_EQ(a_.Do("MULTI"), "+OK\r\n");
  EXPECT_EQ(a_.Do("SET k 1"), "+QUEUED\r\n");
  EXPECT_EQ(a_.Do("INCR k"), "+QUEUED\r\n");
  EXPECT_EQ(a_.Do("GET k"), "+QUEUED\r\n");
  EXPECT_EQ(a_.Do("EXEC"), "*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n");
  EXPECT_EQ(a_.Do("EXEC"), "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(Run({"MULTI", "EXEC"}), "*0\r\n");
}

TEST_F(TransactionTest, GoesOnAfterACommandThatFails) {
  EXPECT_EQ(Run({"MULTI", "SADD s x", "INCR s", "SCARD s", "EXEC"}),
            "*3\r\n:1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
            ":1\r\n");
}

TEST_F(TransactionTest, RefusesAllWhenOneCouldNotBeQueued) {
  for (const char* bad : {"nosuch", "GET", "OBJECT foo k", "SHUTDOWN"}) {
    EXPECT_EQ(Run({"MULTI", "SET k 1"}), "+QUEUED\r\n");
    EXPECT_EQ(a_.Do(bad)[0], '-') << bad;
    EXPECT_EQ(a_.Do("SET k 2"), "+QUEUED\r\n");
    EXPECT_EQ(a_.Do("EXEC"), "-EXECABORT Transaction discarded because of previous errors.\r\n");
    EXPECT_EQ(a_.Do("GET k"), "$-1\r\n");
  }
  EXPECT_EQ(Run({"MULTI", "EXEC now"}),
            "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' "
            "command\r\n");
  EXPECT_EQ(a_.Do("PING"), "+PONG\r\n");
}

TEST_F(TransactionTest, DoesNotNest) {
  EXPECT_EQ(Run({"MULTI", "MULTI"}), "-ERR MULTI calls can not be nested\r\n");
  EXPECT_EQ(a_.Do("WATCH k"), "-ERR WATCH inside MULTI is not allowed\r\n");
  EXPECT_EQ(Run({"SET k 1", "EXEC"}), "*1\r\n+OK\r\n");
}

TEST_F(TransactionTest, IsForgottenByDiscardAndReset) {
  EXPECT_EQ(a_.Do("DISCARD"), "-ERR DISCARD without MULTI\r\n");
  EXPECT_EQ(Run({"MULTI", "SET k 1", "DISCARD"}), "+OK\r\n");
  EXPECT_EQ(Run({"MULTI", "SET k 1", "RESET"}), "+RESET\r\n");
  EXPECT_EQ(a_.Do("EXEC"), "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(a_.Do("GET k"), "$-1\r\n");
}

TEST_F(TransactionTest, SeesItsOwnWritesInWholeDatabaseCommands) {
  EXPECT_EQ(Run({"MULTI", "SET k 1", "DBSIZE", "KEYS *", "FLUSHDB", "DBSIZE", "EXEC"}),
            "*5\r\n+OK\r\n:1\r\n*1\r\n$1\r\nk\r\n+OK\r\n:0\r\n");
}

TEST_F(TransactionTest, FollowsASelectWithin) {
  EXPECT_EQ(
      Run({"MULTI", "SET k 0", "SELECT 1", "SET k 1", "MOVE k 2", "SELECT 2", "GET k", "EXEC"}),
      "*6\r\n+OK\r\n+OK\r\n+OK\r\n:1\r\n+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(Run({"SELECT 0", "GET k"}), "$1\r\n0\r\n");
}

TEST_F(TransactionTest, PutsRepliesOfCommandsThatAskAroundWhereTheyBelong) {
  EXPECT_EQ(Run({"MULTI", "CLIENT LIST", "SET k 1", "INFO", "GET k", "CLIENT UNPAUSE", "EXEC"}),
            "*5\r\n$0\r\n\r\n+OK\r\n$0\r\n\r\n$1\r\n1\r\n+OK\r\n");
}

TEST_F(TransactionTest, AnswersInRESP3) {
  a_.Do("HELLO 3");
  EXPECT_EQ(Run({"MULTI", "HSET h f v", "HGETALL h", "GET no", "EXEC"}),
            "*3\r\n:1\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\n_\r\n");
  EXPECT_EQ(Run({"WATCH h", "HSET h f w", "MULTI", "PING", "EXEC"}), "_\r\n");
}

TEST_F(TransactionTest, StaysSilentWhileRepliesAreOff) {
  EXPECT_EQ(Run({"CLIENT REPLY OFF"}), "");
  for (const char* line : {"MULTI", "SET k 1", "EXEC"}) EXPECT_EQ(a_.Do(line), "");
  EXPECT_EQ(a_.Do("CLIENT REPLY ON"), "+OK\r\n");
  EXPECT_EQ(a_.Do("GET k"), "$1\r\n1\r\n");
  // Every command has a place in the reply.
  EXPECT_EQ(Run({"MULTI", "CLIENT REPLY SKIP", "GET k", "EXEC"}), "*2\r\n$-1\r\n$1\r\n1\r\n");
}

TEST_F(TransactionTest, TravelsToPeersWhole) {
  Run({"MULTI", "SET a 1", "SADD b x", "LPUSH c y", "EXEC"});
  EXPECT_EQ(a_.TakeBatches().size(), 1U);
}

TEST_F(TransactionTest, CountsItsCommands) {
  Run({"MULTI", "SET k 1", "INCR k", "INCR k", "EXEC"});
  EXPECT_EQ(a_.services().counted[std::pair("incr", CommandOutcome::kDone)], 2);
  EXPECT_EQ(a_.services().counted[std::pair("exec", CommandOutcome::kDone)], 1);
}

TEST_F(TransactionTest, DoesNothingAfterAWatchedKeyWasWritten) {
  for (const char* write : {"SET k 2", "INCR k", "DEL k", "EXPIRE k 100", "RENAME k l", "FLUSHDB",
                            "FLUSHALL", "APPEND k x", "COPY other k REPLACE"}) {
    Run({"FLUSHALL", "SET other 5", "SET k 1", "WATCH k"});
    a_.Do(write);
    EXPECT_EQ(Run({"MULTI", "SET done 1", "EXEC"}), kNil) << write;
    EXPECT_EQ(a_.Do("EXISTS done"), ":0\r\n");
    EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), "*1\r\n+PONG\r\n") << "the watch is over";
  }
}

TEST_F(TransactionTest, NoticesWritesToElementsOfWatchedKeys) {
  for (const char* write :
       {"HSET h f w", "HDEL h f", "HINCRBY h n 1", "SADD s y", "SREM s x", "SPOP s", "ZADD z 2 m",
        "ZINCRBY z 1 m", "ZREM z m", "ZPOPMIN z", "RPUSH l y", "LPOP l", "LSET l 0 z",
        "LINSERT l BEFORE x w", "LTRIM l 1 0", "LREM l 0 x", "LMOVE l other LEFT RIGHT",
        "SMOVE s other x", "ZREMRANGEBYRANK z 0 -1"}) {
    Run({"FLUSHALL", "HSET h f v n 1", "SADD s x", "ZADD z 1 m", "RPUSH l x", "WATCH h s z l"});
    EXPECT_EQ(a_.Do(write).find("ERR"), std::string::npos) << write;
    EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), kNil) << write;
  }
}

TEST_F(TransactionTest, RunsAfterWhatDoesNotChangeAWatchedKey) {
  for (const char* other : {"GET k", "SET other 1", "DEL nosuch", "SADD s x", "EXPIRE nosuch 10",
                            "SETNX k 5", "SREM s nosuch"}) {
    Run({"FLUSHALL", "SET k 1", "SADD s x", "WATCH k nosuch s"});
    a_.Do(other);
    EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), "*1\r\n+PONG\r\n") << other;
  }
  Run({"WATCH k", "UNWATCH", "SET k 2"});
  EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), "*1\r\n+PONG\r\n");
  Run({"WATCH k", "MULTI", "DISCARD", "SET k 2"});
  EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), "*1\r\n+PONG\r\n");
  Run({"SELECT 1", "WATCH k", "SELECT 0", "SET k 3", "FLUSHDB"});
  EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), "*1\r\n+PONG\r\n") << "another database's key";
}

TEST_F(TransactionTest, DoesNothingAfterAMissingKeyWasMadeEvenIfItIsGoneAgain) {
  EXPECT_EQ(Run({"WATCH k", "SET k 1", "DEL k", "MULTI", "PING", "EXEC"}), kNil);
}

TEST_F(TransactionTest, DoesNothingAfterAWatchedKeyExpired) {
  Run({"SET k 1 PX 50", "WATCH k", "MULTI", "PING"});
  time_.Advance(std::chrono::milliseconds(51));
  EXPECT_EQ(a_.Do("EXEC"), kNil);
  Run({"SET k 1 PX 50", "WATCH k"});
  time_.Advance(std::chrono::milliseconds(51));
  a_.store().keyspace().DeleteExpired(100, std::chrono::milliseconds(0));
  EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), kNil);
}

TEST_F(TransactionTest, RunsThoughAKeyThatHadExpiredBeforeIsDeleted) {
  Run({"SET k 1 PX 50"});
  time_.Advance(std::chrono::milliseconds(51));
  a_.Do("WATCH k");
  a_.store().keyspace().DeleteExpired(100, std::chrono::milliseconds(0));
  EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), "*1\r\n+PONG\r\n");
}

TEST_F(TransactionTest, DoesNothingAfterAPeersWriteToAWatchedKeyArrived) {
  for (const char* write : {"SET k 2", "INCR k", "DEL k", "SADD s x", "FLUSHALL"}) {
    Run({"FLUSHALL", "SET k 1"});
    Exchange(a_, b_);
    a_.Do("WATCH k s");
    b_.Do(write);
    Exchange(a_, b_);
    EXPECT_EQ(Run({"MULTI", "PING", "EXEC"}), kNil) << write;
  }
}

TEST_F(TransactionTest, LimitsWhatItTellsOfItsMemory) {
  ClientTransaction transaction(a_.store().keyspace());
  EXPECT_EQ(transaction.bytes(), 0U);
  const CommandSpec* row = a_.services().commands().Find("set");
  const std::string value(1000, 'v');
  const std::string_view words[] = {"SET", "k", value};
  transaction.Begin();
  for (int i = 0; i < 100; ++i) transaction.Queue(*row, *row, words);
  EXPECT_GE(transaction.bytes(), 100 * 1000U);
  EXPECT_EQ(transaction.At(99).words[2], value);
  transaction.Discard();
  EXPECT_EQ(transaction.bytes(), 0U);
}

}  // namespace
}  // namespace starling
