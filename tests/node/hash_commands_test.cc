// Hashes and the commands on several sets: replies word for word as Redis 7 gives them.
#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

class HashCommandsTest : public TwoNodesTest {};

TEST_F(HashCommandsTest, HSetCountsNewFieldsAndHGetReadsThem) {
  EXPECT_EQ(a_.Do("HSET h f 1 g two f 3"), ":2\r\n");
  EXPECT_EQ(a_.Do("HGET h f"), "$1\r\n3\r\n");
  EXPECT_EQ(a_.Do("HMGET h g none f"), "*3\r\n$3\r\ntwo\r\n$-1\r\n$1\r\n3\r\n");
  EXPECT_EQ(a_.Do("HSTRLEN h g"), ":3\r\n");
  EXPECT_EQ(a_.Do("HLEN h"), ":2\r\n");
  EXPECT_EQ(a_.Do("HSETNX h f 9"), ":0\r\n");
  EXPECT_EQ(a_.Do("HDEL h f g none"), ":2\r\n");
  EXPECT_EQ(a_.Do("EXISTS h"), ":0\r\n");
}

TEST_F(HashCommandsTest, AFieldWithoutAValueIsRefusedAndNothingIsSet_I13) {
  EXPECT_EQ(a_.Do("HSET h f 1 g"), "-ERR wrong number of arguments for 'hset' command\r\n");
  EXPECT_EQ(a_.Do("HMSET h f 1 g"), "-ERR wrong number of arguments for 'hmset' command\r\n");
  EXPECT_EQ(a_.Do("EXISTS h"), ":0\r\n");
}

TEST_F(HashCommandsTest, HGetAllIsAMapInResp3) {
  a_.Do("HSET h f v");
  EXPECT_EQ(a_.Do("HGETALL h"), "*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
  EXPECT_EQ(a_.Do("HGETALL none"), "*0\r\n");
  a_.client().protocol = 3;
  EXPECT_EQ(a_.Do("HGETALL h"), "%1\r\n$1\r\nf\r\n$1\r\nv\r\n");
  EXPECT_EQ(a_.Do("HGETALL none"), "%0\r\n");
}

TEST_F(HashCommandsTest, HRandFieldNestsPairsInResp3Only) {
  a_.Do("HSET h f v");
  EXPECT_EQ(a_.Do("HRANDFIELD h"), "$1\r\nf\r\n");
  EXPECT_EQ(a_.Do("HRANDFIELD h 5 WITHVALUES"), "*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
  EXPECT_EQ(a_.Do("HRANDFIELD h -2"), "*2\r\n$1\r\nf\r\n$1\r\nf\r\n");
  a_.client().protocol = 3;
  EXPECT_EQ(a_.Do("HRANDFIELD h 5 WITHVALUES"), "*1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
}

TEST_F(HashCommandsTest, HRandFieldRefusesRepliesWithoutBound_I11) {
  a_.Do("HSET h f v");
  EXPECT_EQ(a_.Do("HRANDFIELD h -9223372036854775807"), "-ERR value is out of range\r\n");
  a_.Do({"HSET", "h", "f", std::string(1 << 20, 'x')});
  EXPECT_EQ(a_.Do("HRANDFIELD h -10000000 WITHVALUES"), "-ERR value is out of range\r\n");
}

TEST_F(HashCommandsTest, HScanShowsEveryFieldWithItsValue) {
  for (int i = 0; i < 300; ++i) a_.Do("HSET h f" + std::to_string(i) + " " + std::to_string(i));
  EXPECT_EQ(a_.Do("HSCAN h 0 MATCH f7 COUNT 1000"),
            "*2\r\n$1\r\n0\r\n*2\r\n$2\r\nf7\r\n$1\r\n7\r\n");
}

TEST_F(HashCommandsTest, OtherTypesAreRefused) {
  a_.Do("SET k v");
  a_.Do("SADD s x");
  for (const char* line : {"HSET k f v", "HGET s f", "HDEL k f", "HGETALL s", "HSETNX k f v",
                           "HRANDFIELD k", "HSCAN k 0", "SINTER s k", "SUNION none k",
                           "SMOVE k s x", "SMOVE s k x", "SDIFFSTORE t s k"}) {
    EXPECT_EQ(a_.Do(line), kWrongType) << line;
  }
  EXPECT_EQ(a_.Do("SMEMBERS s"), "*1\r\n$1\r\nx\r\n");
}

TEST_F(HashCommandsTest, HashesMergeFieldByField) {
  a_.Do("HSET h f 1 g 1");
  Exchange(a_, b_);
  a_.Do("HDEL h f");
  time_.Advance(std::chrono::milliseconds(5));
  b_.Do("HSET h g 2 i 3");
  Exchange(a_, b_);
  ExpectBoth("HMGET h f g i", "*3\r\n$-1\r\n$1\r\n2\r\n$1\r\n3\r\n");
  ExpectBoth("HLEN h", ":2\r\n");
}

TEST_F(HashCommandsTest, SetsAreCombined) {
  a_.Do("SADD s 1 2 3");
  a_.Do("SADD t 2 3");
  a_.Do("SADD u 3");
  EXPECT_EQ(a_.Do("SINTER s t u"), "*1\r\n$1\r\n3\r\n");
  EXPECT_EQ(a_.Do("SINTER s none"), "*0\r\n");
  EXPECT_EQ(a_.Do("SDIFF s t"), "*1\r\n$1\r\n1\r\n");
  EXPECT_EQ(a_.Do("SUNIONSTORE s s t u"), ":3\r\n");
  EXPECT_EQ(a_.Do("SINTERCARD 2 s t"), ":2\r\n");
  EXPECT_EQ(a_.Do("SINTERCARD 2 s t LIMIT 1"), ":1\r\n");
  EXPECT_EQ(a_.Do("SINTERCARD 2 s t LIMIT -1"), "-ERR LIMIT can't be negative\r\n");
  EXPECT_EQ(a_.Do("SINTERCARD 0 s"), "-ERR numkeys should be greater than 0\r\n");
  EXPECT_EQ(a_.Do("SINTERCARD 3 s t"),
            "-ERR Number of keys can't be greater than number of args\r\n");
  a_.client().protocol = 3;
  EXPECT_EQ(a_.Do("SINTER s t u"), "~1\r\n$1\r\n3\r\n");
}

TEST_F(HashCommandsTest, SetsOfVeryDifferentSizeAreCombined) {
  for (int i = 0; i < 100; ++i) a_.Do("SADD large " + std::to_string(i));
  a_.Do("SADD small 5 77 200");
  a_.Do("SADD other 77 5 300");
  EXPECT_EQ(a_.Do("SINTERCARD 3 large small other"), ":2\r\n");
  EXPECT_EQ(a_.Do("SDIFF small large"), "*1\r\n$3\r\n200\r\n");
  EXPECT_EQ(a_.Do("SDIFF small large other small"), "*0\r\n");
  EXPECT_EQ(a_.Do("SDIFFSTORE rest large small other"), ":98\r\n");
}

TEST_F(HashCommandsTest, AnEmptyResultDeletesTheTargetWhateverItHeld) {
  a_.Do("SADD s 1");
  a_.Do("SET target text");
  EXPECT_EQ(a_.Do("SINTERSTORE target s none"), ":0\r\n");
  EXPECT_EQ(a_.Do("EXISTS target"), ":0\r\n");
}

TEST_F(HashCommandsTest, SMoveOntoItselfOnlyLooks) {
  a_.Do("SADD s 1");
  EXPECT_EQ(a_.Do("SMOVE s s 1"), ":1\r\n");
  EXPECT_EQ(a_.Do("SMOVE s s 2"), ":0\r\n");
  EXPECT_EQ(a_.Do("SMOVE s t 1"), ":1\r\n");
  EXPECT_EQ(a_.Do("EXISTS s t"), ":1\r\n");
}

TEST_F(HashCommandsTest, GetKeysFindsCountedKeys) {
  EXPECT_EQ(a_.Do("COMMAND GETKEYS SINTERCARD 2 a b LIMIT 1"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(a_.Do("COMMAND GETKEYS SINTERCARD 9 a b"),
            "-ERR Invalid arguments specified for command\r\n");
}

}  // namespace
}  // namespace starling
