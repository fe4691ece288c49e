// What one Redis cannot show: commands on two nodes that have not heard of each other yet.
#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

class CommandMergeTest : public TwoNodesTest {
 protected:
  void Pass(std::chrono::milliseconds time) { time_.Advance(time); }
};

TEST_F(CommandMergeTest, IncrementsOfBothNodesAddUp_I2) {
  a_.Do("INCRBY hits 3");
  b_.Do("INCRBY hits 4");
  b_.Do("DECR hits");
  Exchange(a_, b_);
  ExpectBoth("GET hits", "$1\r\n6\r\n");
}

TEST_F(CommandMergeTest, GetSetOnACounterKeepsConcurrentIncrements_I2) {
  a_.Do("INCRBY hits 10");
  Exchange(a_, b_);
  EXPECT_EQ(a_.Do("GETSET hits 0"), "$2\r\n10\r\n");
  b_.Do("INCRBY hits 5");
  Exchange(a_, b_);
  ExpectBoth("GET hits", "$1\r\n5\r\n");
}

TEST_F(CommandMergeTest, SetGetOnACounterKeepsConcurrentIncrements_I2) {
  a_.Do("INCRBY hits 10");
  Exchange(a_, b_);
  EXPECT_EQ(a_.Do("SET hits 100 GET"), "$2\r\n10\r\n");
  b_.Do("INCRBY hits 5");
  Exchange(a_, b_);
  ExpectBoth("GET hits", "$3\r\n105\r\n");
}

TEST_F(CommandMergeTest, GetSetDropsTheTimeToLiveAndSetGetMayKeepIt) {
  a_.Do("INCR hits");
  a_.Do("EXPIRE hits 100");
  a_.Do("SET hits 7 GET KEEPTTL");
  EXPECT_EQ(a_.Do("TTL hits"), ":100\r\n");
  a_.Do("GETSET hits 0");
  EXPECT_EQ(a_.Do("TTL hits"), ":-1\r\n");
}

TEST_F(CommandMergeTest, APlainSetEndsTheCounterItHasSeen) {
  a_.Do("INCRBY hits 10");
  Exchange(a_, b_);
  a_.Do("SET hits 1");
  Exchange(a_, b_);
  b_.Do("INCR hits");
  Exchange(a_, b_);
  ExpectBoth("GET hits", "$1\r\n2\r\n");
}

TEST_F(CommandMergeTest, DecimalIncrementsAddUpExactlyInAnyOrder_I2) {
  for (int i = 0; i < 10; ++i) {
    a_.Do("INCRBYFLOAT balance 0.1");
    b_.Do("INCRBYFLOAT balance 0.2");
  }
  Exchange(a_, b_);
  ExpectBoth("GET balance", "$1\r\n3\r\n");
}

TEST_F(CommandMergeTest, TheLaterSetWinsOnBothNodes_I1) {
  a_.Do("SET k from-a");
  Pass(std::chrono::milliseconds(5));
  b_.Do("SET k from-b");
  Exchange(a_, b_);
  ExpectBoth("GET k", "$6\r\nfrom-b\r\n");
}

TEST_F(CommandMergeTest, SetsMergeMemberByMember) {
  a_.Do("SADD s x y");
  Exchange(a_, b_);
  a_.Do("SREM s x");
  b_.Do("SADD s z");
  Exchange(a_, b_);
  ExpectBoth("SISMEMBER s x", ":0\r\n");
  ExpectBoth("SMISMEMBER s y z", "*2\r\n:1\r\n:1\r\n");
  ExpectBoth("SCARD s", ":2\r\n");
}

TEST_F(CommandMergeTest, ADeleteHidesWhatItHasSeenAndNothingLater_I8) {
  a_.Do("SADD s x");
  Exchange(a_, b_);
  a_.Do("DEL s");
  Pass(std::chrono::milliseconds(5));
  b_.Do("SADD s y");
  Exchange(a_, b_);
  ExpectBoth("SMEMBERS s", "*1\r\n$1\r\ny\r\n");
}

// Counterexamples 3 to 5: both nodes cut at the deadline itself, so no increment after it is lost.
TEST_F(CommandMergeTest, AnExpiredCounterStartsAgainOnBothNodesAndKeepsBothIncrements_I2) {
  a_.Do("INCRBY hits 50");
  a_.Do("PEXPIRE hits 1000");
  Exchange(a_, b_);
  Pass(std::chrono::milliseconds(2000));
  EXPECT_EQ(a_.Do("GET hits"), "$-1\r\n");
  EXPECT_EQ(a_.Do("INCR hits"), ":1\r\n");
  EXPECT_EQ(b_.Do("INCR hits"), ":1\r\n");
  Exchange(a_, b_);
  ExpectBoth("GET hits", "$1\r\n2\r\n");
  ExpectBoth("TTL hits", ":-1\r\n");
}

// Counterexample 45.
TEST_F(CommandMergeTest, ADeadlineLongPastIsADeleteAndHidesNothingLater) {
  a_.Do("INCR k");
  EXPECT_EQ(a_.Do("EXPIREAT k 1"), ":1\r\n");
  EXPECT_EQ(a_.Do("EXISTS k"), ":0\r\n");
  a_.Do("INCR k");
  Exchange(a_, b_);
  ExpectBoth("GET k", "$1\r\n1\r\n");
}

// Counterexample 6: a deadline is the hybrid clock's, also where the wall clock is behind it.
TEST_F(CommandMergeTest, AKeyExpiresAlthoughTheWallClockStepsBack) {
  a_.Do("SET warm up");
  time_.StepWall(std::chrono::milliseconds(-60000));
  a_.Do("SET k v PX 1000");
  EXPECT_EQ(a_.Do("EXISTS k"), ":1\r\n");
  Pass(std::chrono::milliseconds(60000 + 2000));
  EXPECT_EQ(a_.Do("EXISTS k"), ":0\r\n");
}

TEST_F(CommandMergeTest, RenameWritesTheObservedStateWithNewStamps) {
  a_.Do("INCRBY from 5");
  a_.Do("PEXPIRE from 100000");
  Exchange(a_, b_);
  Pass(std::chrono::milliseconds(5));
  b_.Do("SET to other");
  Exchange(a_, b_);
  Pass(std::chrono::milliseconds(5));
  EXPECT_EQ(a_.Do("RENAME from to"), "+OK\r\n");
  Exchange(a_, b_);
  ExpectBoth("EXISTS from", ":0\r\n");
  ExpectBoth("GET to", "$1\r\n5\r\n");
  ExpectBoth("PTTL to", ":99990\r\n");
}

TEST_F(CommandMergeTest, AnIncrementConcurrentWithARenameStaysAtTheOldName) {
  a_.Do("INCRBY from 5");
  Exchange(a_, b_);
  a_.Do("RENAME from to");
  Pass(std::chrono::milliseconds(5));
  b_.Do("INCR other");  // unrelated
  Exchange(a_, b_);
  b_.Do("INCR from");
  Exchange(a_, b_);
  ExpectBoth("GET to", "$1\r\n5\r\n");
  ExpectBoth("GET from", "$1\r\n1\r\n");
}

TEST_F(CommandMergeTest, CopyTakesASetWithItsDeadlineIntoAnotherDatabase) {
  a_.Do("SADD s x y");
  a_.Do("EXPIRE s 100");
  EXPECT_EQ(a_.Do("COPY s s DB 1"), ":1\r\n");
  EXPECT_EQ(a_.Do("COPY s s DB 1"), ":0\r\n");
  a_.Do("SREM s x");
  Exchange(a_, b_);
  b_.client().database = 1;
  EXPECT_EQ(b_.Do("SCARD s"), ":2\r\n");
  EXPECT_EQ(b_.Do("TTL s"), ":100\r\n");
}

TEST_F(CommandMergeTest, FlushDbDeletesWhatItHasSeenOfItsDatabaseOnly) {
  a_.Do("SET k v");
  a_.client().database = 1;
  a_.Do("SET k v");
  Exchange(a_, b_);
  a_.Do("FLUSHDB");
  Pass(std::chrono::milliseconds(5));
  b_.client().database = 1;
  b_.Do("SET later v");
  Exchange(a_, b_);
  ExpectBoth("EXISTS k later", ":1\r\n");
  a_.client().database = b_.client().database = 0;
  ExpectBoth("EXISTS k", ":1\r\n");
}

TEST_F(CommandMergeTest, EmptyingASetClearsItsDeadline) {
  a_.Do("SADD s x");
  a_.Do("EXPIRE s 100");
  a_.Do("SREM s x");
  a_.Do("SADD s y");
  Exchange(a_, b_);
  ExpectBoth("TTL s", ":-1\r\n");
}

// An EXPIRE that was later than the DEL it did not know outlives the key on all nodes for a while.
TEST_F(CommandMergeTest, AKeyMadeAnewHasNoDeadlineOfTheOldOne_I8) {
  for (const char* make : {"SADD k x", "INCR k", "INCRBYFLOAT k 0.5", "HSET k f v", "HINCRBY k f 1",
                           "ZADD k 1 m", "ZINCRBY k 1 m", "RPUSH k x", "SET k v", "SET k v KEEPTTL",
                           "APPEND k v", "SETRANGE k 1 v", "GETSET k v"}) {
    a_.Do("SADD k x");
    Exchange(a_, b_);
    b_.Do("DEL k");
    Pass(std::chrono::milliseconds(5));
    a_.Do("EXPIRE k 100");
    Exchange(a_, b_);
    ExpectBoth("EXISTS k", ":0\r\n");
    b_.Do(make);
    Exchange(a_, b_);
    ExpectBoth("TTL k", ":-1\r\n");
    b_.Do("DEL k");
    Exchange(a_, b_);
  }
}

TEST_F(CommandMergeTest, OfTwoStoresAtOnceTheLaterStaysAlone) {
  a_.Do("SADD s x");
  a_.Do("SADD t y");
  a_.Do("ZADD z 1 x");
  a_.Do("RPUSH l 1");
  Exchange(a_, b_);
  const std::pair<const char*, const char*> stores[] = {
      {"SUNIONSTORE new s", "SUNIONSTORE new t"},
      {"ZRANGESTORE new z 0 -1", "ZUNIONSTORE new 1 t"},
      {"SORT l STORE new", "SORT t ALPHA STORE new"},
      {"RENAME s new", "COPY t new"},
      {"SADD new w", "COPY t new"},
  };
  for (const auto& [first, second] : stores) {
    a_.Do(first);
    Pass(std::chrono::milliseconds(5));
    b_.Do(second);
    const std::string content = b_.Do("DUMP new");
    Exchange(a_, b_);
    ExpectBoth("DUMP new", content);
    a_.Do("DEL new");
    Exchange(a_, b_);
  }
}

TEST_F(CommandMergeTest, ATrimThatLeavesNothingLeavesWhatOthersPush) {
  a_.Do("RPUSH l x y");
  Exchange(a_, b_);
  a_.Do("RPUSH l z");
  Pass(std::chrono::milliseconds(5));
  b_.Do("LTRIM l 2 -1");
  EXPECT_EQ(b_.Do("EXISTS l"), ":0\r\n");
  Exchange(a_, b_);
  ExpectBoth("LRANGE l 0 -1", "*1\r\n$1\r\nz\r\n");
}

TEST_F(CommandMergeTest, WhereTypesMeetTheLatestShows_I1) {
  a_.Do("SET k v");
  Pass(std::chrono::milliseconds(5));
  b_.Do("SADD k member");
  Exchange(a_, b_);
  ExpectBoth("TYPE k", "+set\r\n");
  ExpectBoth("GET k", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
}

// Counterexample 12: every write of one command draws its own stamp.
TEST_F(CommandMergeTest, MSetOfOneKeyTwiceKeepsTheLastValue_I6) {
  a_.Do("MSET k 1 k 2");
  Exchange(a_, b_);
  ExpectBoth("GET k", "$1\r\n2\r\n");
}

TEST_F(CommandMergeTest, ARefusedCommandWritesNothing_I13) {
  a_.Do("SADD s x");
  a_.TakeBatches();
  for (const char* line :
       {"SET s v GET", "INCR s", "APPEND s v", "MSETNX new 1 s 2", "SET k v EX 0", "GETSET s 0",
        "EXPIRE s 10 NX XX", "SETRANGE s 0 x", "COPY s s", "MSET a 1 b", "INCRBYFLOAT s 1",
        "SPOP s -1", "GETEX s EX 10", "RENAMENX s s", "EXPIRE nokey 10", "DEL nokey"}) {
    a_.Do(line);
    EXPECT_TRUE(a_.TakeBatches().empty()) << line;
  }
  EXPECT_EQ(a_.Do("SMEMBERS s"), "*1\r\n$1\r\nx\r\n");
}

}  // namespace
}  // namespace starling
