// Lists: replies word for word as Redis 7 gives them, and what two nodes make of them.
#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

class ListCommandsTest : public TwoNodesTest {};

TEST_F(ListCommandsTest, PushesAndPopsAtBothEnds) {
  EXPECT_EQ(a_.Do("RPUSH l b c"), ":2\r\n");
  EXPECT_EQ(a_.Do("LPUSH l a 0"), ":4\r\n");
  EXPECT_EQ(a_.Do("LRANGE l 0 -1"), "*4\r\n$1\r\n0\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
  EXPECT_EQ(a_.Do("LPOP l"), "$1\r\n0\r\n");
  EXPECT_EQ(a_.Do("RPOP l 2"), "*2\r\n$1\r\nc\r\n$1\r\nb\r\n");
  EXPECT_EQ(a_.Do("LPOP l 9"), "*1\r\n$1\r\na\r\n");
  EXPECT_EQ(a_.Do("EXISTS l"), ":0\r\n");
  EXPECT_EQ(a_.Do("LPOP l"), "$-1\r\n");
  EXPECT_EQ(a_.Do("LPOP l 1"), "*-1\r\n");
  EXPECT_EQ(a_.Do("LPUSHX l x"), ":0\r\n");
  EXPECT_EQ(a_.Do("LPOP l 1 2"), "-ERR wrong number of arguments for 'lpop' command\r\n");
}

TEST_F(ListCommandsTest, PlacesAreReadReplacedAndCut) {
  a_.Do("RPUSH l a b c d e");
  EXPECT_EQ(a_.Do("LINDEX l -1"), "$1\r\ne\r\n");
  EXPECT_EQ(a_.Do("LINDEX l 9"), "$-1\r\n");
  EXPECT_EQ(a_.Do("LSET l 1 B"), "+OK\r\n");
  EXPECT_EQ(a_.Do("LSET l 9 x"), "-ERR index out of range\r\n");
  EXPECT_EQ(a_.Do("LSET none 0 x"), "-ERR no such key\r\n");
  EXPECT_EQ(a_.Do("LTRIM l 1 -2"), "+OK\r\n");
  EXPECT_EQ(a_.Do("LRANGE l 0 -1"), "*3\r\n$1\r\nB\r\n$1\r\nc\r\n$1\r\nd\r\n");
  EXPECT_EQ(a_.Do("LTRIM l 5 9"), "+OK\r\n");
  EXPECT_EQ(a_.Do("EXISTS l"), ":0\r\n");
}

TEST_F(ListCommandsTest, ElementsAreFoundInsertedAndRemovedByTheirText) {
  a_.Do("RPUSH l a b a c a");
  EXPECT_EQ(a_.Do("LPOS l a RANK 2"), ":2\r\n");
  EXPECT_EQ(a_.Do("LPOS l a RANK -1 COUNT 2"), "*2\r\n:4\r\n:2\r\n");
  EXPECT_EQ(a_.Do("LPOS l a COUNT 0 MAXLEN 3"), "*2\r\n:0\r\n:2\r\n");
  EXPECT_EQ(a_.Do("LPOS l none"), "$-1\r\n");
  EXPECT_EQ(a_.Do("LINSERT l BEFORE b x"), ":6\r\n");
  EXPECT_EQ(a_.Do("LINSERT l AFTER none x"), ":-1\r\n");
  EXPECT_EQ(a_.Do("LREM l -2 a"), ":2\r\n");
  EXPECT_EQ(a_.Do("LRANGE l 0 -1"), "*4\r\n$1\r\na\r\n$1\r\nx\r\n$1\r\nb\r\n$1\r\nc\r\n");
}

TEST_F(ListCommandsTest, MovingAroundItselfKeepsAListAndItsDeadline) {
  a_.Do("RPUSH l a b");
  a_.Do("EXPIRE l 100");
  EXPECT_EQ(a_.Do("RPOPLPUSH l l"), "$1\r\nb\r\n");
  EXPECT_EQ(a_.Do("LMOVE l l LEFT RIGHT"), "$1\r\nb\r\n");
  EXPECT_EQ(a_.Do("LMOVE l l LEFT LEFT"), "$1\r\na\r\n");
  EXPECT_EQ(a_.Do("LRANGE l 0 -1"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  a_.Do("LPOP l");
  EXPECT_EQ(a_.Do("LMOVE l l RIGHT LEFT"), "$1\r\nb\r\n");
  EXPECT_EQ(a_.Do("TTL l"), ":100\r\n");
  EXPECT_EQ(a_.Do("LMOVE l t RIGHT UP"), "-ERR syntax error\r\n");
}

TEST_F(ListCommandsTest, LMPopTakesFromTheFirstListThatHasAny) {
  a_.Do("RPUSH l a b c");
  EXPECT_EQ(a_.Do("LMPOP 2 none l RIGHT COUNT 2"), "*2\r\n$1\r\nl\r\n*2\r\n$1\r\nc\r\n$1\r\nb\r\n");
  EXPECT_EQ(a_.Do("LMPOP 1 none LEFT"), "*-1\r\n");
  EXPECT_EQ(a_.Do("LMPOP 0 l LEFT"), "-ERR numkeys should be greater than 0\r\n");
  EXPECT_EQ(a_.Do("LMPOP 1 l LEFT COUNT 0"), "-ERR count should be greater than 0\r\n");
}

TEST_F(ListCommandsTest, ListsThatGrewOnTwoNodesKeepAllElementsInOneOrder_I1) {
  a_.Do("RPUSH l a");
  Exchange(a_, b_);
  time_.Advance(std::chrono::milliseconds(5));
  a_.Do("RPUSH l b");
  time_.Advance(std::chrono::milliseconds(5));
  b_.Do("RPUSH l c");
  b_.Do("LPUSH l 0");
  Exchange(a_, b_);
  ExpectBoth("LRANGE l 0 -1", "*4\r\n$1\r\n0\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
}

}  // namespace
}  // namespace starling
