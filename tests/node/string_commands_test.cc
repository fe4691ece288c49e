// Strings on one node, where the differential test does not look: limits, representations, exact
// sums.
#include <gtest/gtest.h>

#include "tests/node/test_node.h"

namespace starling {
namespace {

using Words = std::vector<std::string>;

class StringCommandsTest : public ::testing::Test {
 protected:
  ManualTime time_;
  TestNode node_{"alone", time_};
};

TEST_F(StringCommandsTest, ObjectEncodingFollowsRedisThresholds) {
  node_.Do("SET int 12345");
  node_.Do(Words{"SET", "embedded", std::string(44, 'x')});
  node_.Do(Words{"SET", "raw", std::string(45, 'x')});
  EXPECT_EQ(node_.Do("OBJECT ENCODING int"), "$3\r\nint\r\n");
  EXPECT_EQ(node_.Do("OBJECT ENCODING embedded"), "$6\r\nembstr\r\n");
  EXPECT_EQ(node_.Do("OBJECT ENCODING raw"), "$3\r\nraw\r\n");
  EXPECT_EQ(node_.Do("OBJECT ENCODING none"), "$-1\r\n");
}

TEST_F(StringCommandsTest, ObjectIdletimeCountsSecondsSinceTheLastUse) {
  node_.Do("SET k v");
  time_.Advance(std::chrono::seconds(7));
  EXPECT_EQ(node_.Do("OBJECT IDLETIME k"), ":7\r\n");
  EXPECT_EQ(node_.Do("TOUCH k none"), ":1\r\n");
  EXPECT_EQ(node_.Do("OBJECT IDLETIME k"), ":0\r\n");
}

TEST_F(StringCommandsTest, ObjectEncodingOfACollectionIsNoUseOfIt) {
  node_.Do("HSET h f v");
  time_.Advance(std::chrono::seconds(7));
  EXPECT_EQ(node_.Do("OBJECT ENCODING h"), "$8\r\nlistpack\r\n");
  EXPECT_EQ(node_.Do("OBJECT IDLETIME h"), ":7\r\n");
  node_.Do("HGET h f");
  EXPECT_EQ(node_.Do("OBJECT IDLETIME h"), ":0\r\n");
}

TEST_F(StringCommandsTest, NoStringGrowsBeyond512Megabytes) {
  const std::string error = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
  EXPECT_EQ(node_.Do("SETRANGE k 536870912 x"), error);
  EXPECT_EQ(node_.Do("SETRANGE k 9223372036854775807 x"), error);
  EXPECT_EQ(node_.Do("EXISTS k"), ":0\r\n");
  EXPECT_EQ(node_.Do("SETRANGE k 9 x"), ":10\r\n");
}

TEST_F(StringCommandsTest, SetRangeFillsTheGapWithZeroBytes) {
  node_.Do("SET k ab");
  EXPECT_EQ(node_.Do("SETRANGE k 4 z"), ":5\r\n");
  EXPECT_EQ(node_.Do("GET k"), std::string("$5\r\nab\0\0z\r\n", 11));
}

TEST_F(StringCommandsTest, ChangesInPlaceKeepTheTimeToLive) {
  for (const char* change : {"APPEND k 1", "SETRANGE k 0 1", "INCR k", "INCRBYFLOAT k 0.5"}) {
    node_.Do("SET k 10 EX 100");
    node_.Do(change);
    EXPECT_EQ(node_.Do("TTL k"), ":100\r\n") << change;
  }
}

TEST_F(StringCommandsTest, FloatIncrementsAreExactDecimals) {
  node_.Do("SET k 0.1");
  for (int i = 0; i < 9; ++i) node_.Do("INCRBYFLOAT k 0.1");
  EXPECT_EQ(node_.Do("GET k"), "$1\r\n1\r\n");
  EXPECT_EQ(node_.Do("INCR k"), ":2\r\n");
  EXPECT_EQ(node_.Do("INCRBYFLOAT k 5.0e3"), "$4\r\n5002\r\n");
  EXPECT_EQ(node_.Do("INCRBYFLOAT k -5002.25"), "$5\r\n-0.25\r\n");
}

TEST_F(StringCommandsTest, FloatsThatAreNoExactDecimalsAreAddedAsRedisAddsThem) {
  EXPECT_EQ(node_.Do("INCRBYFLOAT k 0x10"), "$2\r\n16\r\n");
  EXPECT_EQ(node_.Do("INCRBYFLOAT big 1e20"), "$21\r\n100000000000000000000\r\n");
  EXPECT_EQ(node_.Do("GET big"), "$21\r\n100000000000000000000\r\n");
  EXPECT_EQ(node_.Do("INCR big"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(node_.Do("INCRBYFLOAT big inf"), "-ERR increment would produce NaN or Infinity\r\n");
  EXPECT_EQ(node_.Do("INCRBYFLOAT big nan"), "-ERR value is not a valid float\r\n");
}

TEST_F(StringCommandsTest, CountersRefuseWhatWouldOverflow) {
  node_.Do("SET k 9223372036854775807");
  EXPECT_EQ(node_.Do("INCR k"), "-ERR increment or decrement would overflow\r\n");
  EXPECT_EQ(node_.Do("DECRBY k -9223372036854775808"), "-ERR decrement would overflow\r\n");
  EXPECT_EQ(node_.Do("GET k"), "$19\r\n9223372036854775807\r\n");
}

TEST_F(StringCommandsTest, OptionsOfOneKindReplaceEachOtherAndOfTwoKindsClash) {
  EXPECT_EQ(node_.Do("SET k v EX 10 EX 20"), "+OK\r\n");
  EXPECT_EQ(node_.Do("TTL k"), ":20\r\n");
  EXPECT_EQ(node_.Do("SET k v EX 10 PX 10"), "-ERR syntax error\r\n");
  EXPECT_EQ(node_.Do("SET k v EX 10 KEEPTTL"), "-ERR syntax error\r\n");
  EXPECT_EQ(node_.Do("SET k v NX XX"), "-ERR syntax error\r\n");
}

TEST_F(StringCommandsTest, LcsRefusesTablesBeyondTheLimit) {
  node_.Do(Words{"SET", "a", std::string(20000, 'a')});
  node_.Do(Words{"SET", "b", std::string(20000, 'b')});
  EXPECT_EQ(node_.Do("LCS a b LEN"),
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n");
}

TEST_F(StringCommandsTest, LcsFindsTheLongestCommonSubsequence) {
  node_.Do("MSET a ohmytext b mynewtext");
  EXPECT_EQ(node_.Do("LCS a b"), "$6\r\nmytext\r\n");
  EXPECT_EQ(node_.Do("LCS a b LEN"), ":6\r\n");
  node_.client().protocol = 3;
  EXPECT_EQ(node_.Do("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN"),
            "%2\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n"
            "$3\r\nlen\r\n:6\r\n");
}

// Redis 8.4's and Valkey's, which redis-server 7 does not know.
TEST_F(StringCommandsTest, SetComparesWithThePresentValue) {
  EXPECT_EQ(node_.Do("SET k v IFEQ x"), "$-1\r\n") << "what is absent equals nothing";
  EXPECT_EQ(node_.Do("EXISTS k"), ":0\r\n");
  EXPECT_EQ(node_.Do("SET k v IFNE x"), "+OK\r\n") << "and differs from everything";
  EXPECT_EQ(node_.Do("SET k w IFEQ x"), "$-1\r\n");
  EXPECT_EQ(node_.Do("SET k w IFEQ v EX 100"), "+OK\r\n");
  EXPECT_EQ(node_.Do("TTL k"), ":100\r\n");
  EXPECT_EQ(node_.Do("SET k x ifne w"), "$-1\r\n");
  EXPECT_EQ(node_.Do("SET k x IFEQ nothing GET"), "$1\r\nw\r\n") << "the value, set or not";
  EXPECT_EQ(node_.Do("GET k"), "$1\r\nw\r\n");
  EXPECT_EQ(node_.Do("SET k 5 IFEQ w KEEPTTL GET"), "$1\r\nw\r\n");
  EXPECT_EQ(node_.Do("TTL k"), ":100\r\n");
  EXPECT_EQ(node_.Do("SET k 6 IFEQ 5"), "+OK\r\n") << "a number compares as its text";
  EXPECT_EQ(node_.Do("SET k nx IFEQ 6"), "+OK\r\n");
  for (const char* wrong :
       {"SET k v IFEQ", "SET k v NX IFEQ x", "SET k v IFEQ x XX", "SET k v IFEQ x IFNE y"}) {
    EXPECT_EQ(node_.Do(wrong), "-ERR syntax error\r\n") << wrong;
  }
  node_.Do("SADD set a");
  EXPECT_TRUE(node_.Do("SET set v IFEQ a").starts_with("-WRONGTYPE"));
}

TEST_F(StringCommandsTest, DeletesComparedWithThePresentValue) {
  node_.Do("SET k v");
  EXPECT_EQ(node_.Do("DELIFEQ k w"), ":0\r\n");
  EXPECT_EQ(node_.Do("DELIFEQ k v"), ":1\r\n");
  EXPECT_EQ(node_.Do("DELIFEQ k v"), ":0\r\n");
  node_.Do("SET k v");
  EXPECT_EQ(node_.Do("DELEX k IFNE v"), ":0\r\n");
  EXPECT_EQ(node_.Do("DELEX k IFEQ w"), ":0\r\n");
  EXPECT_EQ(node_.Do("DELEX k IFEQ v"), ":1\r\n");
  EXPECT_EQ(node_.Do("DELEX k IFNE v"), ":0\r\n") << "nothing to delete";
  node_.Do("SADD set a");
  EXPECT_TRUE(node_.Do("DELIFEQ set a").starts_with("-WRONGTYPE"));
  EXPECT_TRUE(node_.Do("DELEX set IFEQ a").starts_with("-WRONGTYPE"));
  EXPECT_EQ(node_.Do("DELEX set"), ":1\r\n") << "without a condition it is DEL";
  EXPECT_EQ(node_.Do("DELEX k IFEQ"), "-ERR syntax error\r\n");
  EXPECT_EQ(node_.Do("DELEX k IFEQ a b"), "-ERR syntax error\r\n");
}

TEST_F(StringCommandsTest, DigestsCompareAsTheValuesDo) {
  EXPECT_EQ(node_.Do("DIGEST k"), "$-1\r\n");
  node_.Do(Words{"SET", "empty", ""});
  EXPECT_EQ(node_.Do("DIGEST empty"), "$16\r\n2d06800538d394c2\r\n")
      << "as xxhash's own tests have it";
  node_.Do("SET k v");
  const std::string digest = node_.Do("DIGEST k").substr(5, 16);
  EXPECT_EQ(node_.Do("SET k w IFDNE " + digest), "$-1\r\n");
  EXPECT_EQ(node_.Do("SET k w IFDEQ " + digest), "+OK\r\n");
  EXPECT_EQ(node_.Do("DELEX k IFDEQ " + digest), ":0\r\n");
  EXPECT_EQ(node_.Do("DELEX k IFDNE " + digest), ":1\r\n");
  EXPECT_EQ(node_.Do("DELEX k IFDEQ 12"), ":0\r\n") << "nothing to compare";
  EXPECT_EQ(node_.Do("SET k v IFDEQ 12"), "$-1\r\n");
  EXPECT_EQ(node_.Do("SET k v IFDNE 12"), "+OK\r\n");
  const std::string wrong = "-ERR must be exactly 16 hexadecimal characters\r\n";
  EXPECT_EQ(node_.Do("SET k v IFDNE 12"), wrong);
  EXPECT_EQ(node_.Do("DELEX k IFDEQ 12"), wrong);
  EXPECT_EQ(node_.Do(Words{"DELEX", "k", "IFDEQ", ""}), wrong);
  std::string upper = node_.Do("DIGEST k").substr(5, 16);
  std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
  EXPECT_EQ(node_.Do("DELEX k IFDEQ " + upper), ":1\r\n") << "in capitals, too";
  node_.Do("SADD set a");
  EXPECT_TRUE(node_.Do("DELEX set IFDEQ 12").starts_with("-WRONGTYPE")) << "the type comes first";
}

}  // namespace
}  // namespace starling
