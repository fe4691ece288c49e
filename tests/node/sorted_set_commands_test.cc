// Sorted sets: replies word for word as Redis 7 gives them, and what two nodes make of them.
#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

class SortedSetCommandsTest : public TwoNodesTest {};

TEST_F(SortedSetCommandsTest, ZAddObeysItsOptions) {
  EXPECT_EQ(a_.Do("ZADD z 1 a 2 b"), ":2\r\n");
  EXPECT_EQ(a_.Do("ZADD z NX 5 a 3 c"), ":1\r\n");
  EXPECT_EQ(a_.Do("ZADD z XX CH 5 a 6 d"), ":1\r\n");
  EXPECT_EQ(a_.Do("ZADD z GT CH 4 a 4 b"), ":1\r\n");
  EXPECT_EQ(a_.Do("ZADD z LT CH 4 a 9 b"), ":1\r\n");
  EXPECT_EQ(a_.Do("ZADD z INCR 0.5 a"), "$3\r\n4.5\r\n");
  EXPECT_EQ(a_.Do("ZADD z NX INCR 1 a"), "$-1\r\n");
  EXPECT_EQ(a_.Do("ZMSCORE z a b c d"), "*4\r\n$3\r\n4.5\r\n$1\r\n4\r\n$1\r\n3\r\n$-1\r\n");
}

TEST_F(SortedSetCommandsTest, ZAddRefusesContradictionsAndChangesNothing_I13) {
  EXPECT_EQ(a_.Do("ZADD z NX XX 1 a"),
            "-ERR XX and NX options at the same time are not compatible\r\n");
  EXPECT_EQ(a_.Do("ZADD z GT LT 1 a"),
            "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n");
  EXPECT_EQ(a_.Do("ZADD z INCR 1 a 2 b"),
            "-ERR INCR option supports a single increment-element pair\r\n");
  EXPECT_EQ(a_.Do("ZADD z 1 a x b"), "-ERR value is not a valid float\r\n");
  EXPECT_EQ(a_.Do("ZADD z 1 a 2"), "-ERR syntax error\r\n");
  EXPECT_EQ(a_.Do("EXISTS z"), ":0\r\n");
}

TEST_F(SortedSetCommandsTest, InfinitiesCancelToAnError) {
  a_.Do("ZADD z inf a");
  EXPECT_EQ(a_.Do("ZINCRBY z -inf a"), "-ERR resulting score is not a number (NaN)\r\n");
  EXPECT_EQ(a_.Do("ZSCORE z a"), "$3\r\ninf\r\n");
}

TEST_F(SortedSetCommandsTest, RangesByPlaceScoreAndMember) {
  a_.Do("ZADD z 1 a 2 b 3 c 4 d");
  EXPECT_EQ(a_.Do("ZRANGE z 1 -2"), "*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
  EXPECT_EQ(a_.Do("ZRANGE z 0 0 REV WITHSCORES"), "*2\r\n$1\r\nd\r\n$1\r\n4\r\n");
  EXPECT_EQ(a_.Do("ZRANGE z (1 3 BYSCORE"), "*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
  EXPECT_EQ(a_.Do("ZRANGE z +inf 2 BYSCORE REV LIMIT 1 1"), "*1\r\n$1\r\nc\r\n");
  EXPECT_EQ(a_.Do("ZREVRANGEBYSCORE z 2 -inf"), "*2\r\n$1\r\nb\r\n$1\r\na\r\n");
  EXPECT_EQ(a_.Do("ZCOUNT z (1 (4"), ":2\r\n");
  a_.Do("ZADD lex 0 a 0 b 0 c");
  EXPECT_EQ(a_.Do("ZRANGEBYLEX lex [b +"), "*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
  EXPECT_EQ(a_.Do("ZLEXCOUNT lex - (c"), ":2\r\n");
  EXPECT_EQ(a_.Do("ZREMRANGEBYLEX lex (a [c"), ":2\r\n");
  EXPECT_EQ(a_.Do("ZREMRANGEBYRANK z 0 1"), ":2\r\n");
  EXPECT_EQ(a_.Do("ZREMRANGEBYSCORE z 3 3"), ":1\r\n");
  EXPECT_EQ(a_.Do("ZRANGE z 0 -1"), "*1\r\n$1\r\nd\r\n");
}

TEST_F(SortedSetCommandsTest, RangesNameWhatIsWrongWithThem) {
  EXPECT_EQ(a_.Do("ZRANGE z 0 1 LIMIT 0 1"),
            "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
            "BYLEX\r\n");
  EXPECT_EQ(a_.Do("ZRANGE z - + BYLEX WITHSCORES"),
            "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n");
  EXPECT_EQ(a_.Do("ZCOUNT z a b"), "-ERR min or max is not a float\r\n");
  EXPECT_EQ(a_.Do("ZLEXCOUNT z a b"), "-ERR min or max not valid string range item\r\n");
  EXPECT_EQ(a_.Do("ZUNION 0 z"), "-ERR at least 1 input key is needed for 'zunion' command\r\n");
  EXPECT_EQ(a_.Do("ZUNION 1 z WEIGHTS x"), "-ERR weight value is not a float\r\n");
}

TEST_F(SortedSetCommandsTest, ScoresAreDoublesAndNestedInResp3) {
  a_.Do("ZADD z 1.5 a");
  a_.client().protocol = 3;
  EXPECT_EQ(a_.Do("ZSCORE z a"), ",1.5\r\n");
  EXPECT_EQ(a_.Do("ZRANGE z 0 -1 WITHSCORES"), "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n");
  EXPECT_EQ(a_.Do("ZRANDMEMBER z 1 WITHSCORES"), "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n");
  EXPECT_EQ(a_.Do("ZMPOP 2 none z MAX"), "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n");
  EXPECT_EQ(a_.Do("ZMPOP 2 none z MAX"), "_\r\n");
  EXPECT_EQ(a_.Do("ZADD z XX INCR 1 a"), "_\r\n");
}

TEST_F(SortedSetCommandsTest, SetsAreCombinedWithTheirWeights) {
  a_.Do("ZADD z 1 a 2 b");
  a_.Do("ZADD y 10 b 20 c");
  a_.Do("SADD s b");
  EXPECT_EQ(a_.Do("ZUNION 2 z y WEIGHTS 2 1 WITHSCORES"),
            "*6\r\n$1\r\na\r\n$1\r\n2\r\n$1\r\nb\r\n$2\r\n14\r\n$1\r\nc\r\n$2\r\n20\r\n");
  EXPECT_EQ(a_.Do("ZINTER 2 z y AGGREGATE MAX WITHSCORES"), "*2\r\n$1\r\nb\r\n$2\r\n10\r\n");
  EXPECT_EQ(a_.Do("ZDIFF 2 z s"), "*1\r\n$1\r\na\r\n");
  EXPECT_EQ(a_.Do("ZINTERCARD 3 z y s LIMIT 5"), ":1\r\n");
  EXPECT_EQ(a_.Do("ZUNIONSTORE z 2 z s"), ":2\r\n");
  EXPECT_EQ(a_.Do("ZSCORE z b"), "$1\r\n3\r\n");
  EXPECT_EQ(a_.Do("ZINTERSTORE z 2 z none"), ":0\r\n");
  EXPECT_EQ(a_.Do("EXISTS z"), ":0\r\n");
}

TEST_F(SortedSetCommandsTest, ScoreIncrementsOfBothNodesAddUp_I2) {
  a_.Do("ZINCRBY z 1.5 m");
  b_.Do("ZINCRBY z 2 m");
  b_.Do("ZADD z 1 other");
  Exchange(a_, b_);
  ExpectBoth("ZSCORE z m", "$3\r\n3.5\r\n");
  ExpectBoth("ZRANGE z 0 -1", "*2\r\n$5\r\nother\r\n$1\r\nm\r\n");
}

TEST_F(SortedSetCommandsTest, FieldIncrementsOfBothNodesAddUp_I2) {
  a_.Do("HSET h f 10");
  Exchange(a_, b_);
  a_.Do("HINCRBY h f 5");
  b_.Do("HINCRBY h f -1");
  b_.Do("HINCRBYFLOAT h g 0.1");
  a_.Do("HINCRBYFLOAT h g 0.2");
  Exchange(a_, b_);
  ExpectBoth("HMGET h f g", "*2\r\n$2\r\n14\r\n$3\r\n0.3\r\n");
  a_.Do("HSET h text x");
  EXPECT_EQ(a_.Do("HINCRBY h text 1"), "-ERR hash value is not an integer\r\n");
  EXPECT_EQ(a_.Do("HINCRBYFLOAT h text 1"), "-ERR hash value is not a float\r\n");
}

}  // namespace
}  // namespace starling
