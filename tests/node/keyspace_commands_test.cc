// Keys, sets and iterations on one node, where the differential test does not look.
#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <set>

#include "tests/node/test_node.h"

namespace starling {
namespace {

/// A SCAN reply of RESP2: where to go on, and what was found.
struct ScanStep {
  std::string cursor;
  std::vector<std::string> names;
};

ScanStep ParseScan(const std::string& reply) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < reply.size();) {
    size_t end = reply.find("\r\n", at);
    lines.push_back(reply.substr(at, end - at));
    at = end + 2;
  }
  // *2 $n cursor *m then $n name each.
  ScanStep step{lines.at(2), {}};
  for (size_t i = 5; i < lines.size(); i += 2) step.names.push_back(lines[i]);
  return step;
}

class KeyspaceCommandsTest : public ::testing::Test {
 protected:
  /// Every name that a whole iteration shows; `between` runs after each step.
  std::multiset<std::string> Iterate(
      const std::string& command, const std::string& options,
      const std::function<void()>& between = [] {}) {
    std::multiset<std::string> found;
    std::string cursor = "0";
    do {
      ScanStep step = ParseScan(node_.Do(command + " " + cursor + options));
      found.insert(step.names.begin(), step.names.end());
      cursor = step.cursor;
      between();
    } while (cursor != "0");
    return found;
  }

  ManualTime time_;
  TestNode node_{"alone", time_};
};

TEST_F(KeyspaceCommandsTest, ScanShowsEveryKeyThatStaysWhileOthersComeAndGo) {
  for (int i = 0; i < 500; ++i) node_.Do("SET stays:" + std::to_string(i) + " v");
  int churn = 0;
  std::multiset<std::string> found = Iterate("SCAN", " COUNT 7 MATCH stays:*", [&] {
    for (int i = 0; i < 20; ++i) node_.Do("SET comes:" + std::to_string(churn + i) + " v");
    node_.Do("DEL comes:" + std::to_string(churn));
    churn += 20;
  });
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(found.count("stays:" + std::to_string(i)) > 0, true) << i;
  }
}

TEST_F(KeyspaceCommandsTest, ScanFiltersByType) {
  node_.Do("SET string v");
  node_.Do("SADD set x");
  EXPECT_EQ(Iterate("SCAN", " TYPE set"), std::multiset<std::string>{"set"});
  EXPECT_EQ(Iterate("SCAN", " TYPE STRING"), std::multiset<std::string>{"string"});
  EXPECT_TRUE(Iterate("SCAN", " TYPE nonsense").empty());
}

TEST_F(KeyspaceCommandsTest, SScanShowsEveryMember) {
  for (int i = 0; i < 300; ++i) node_.Do("SADD s m" + std::to_string(i));
  std::multiset<std::string> found = Iterate("SSCAN s", " COUNT 9");
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), 300u);
}

TEST_F(KeyspaceCommandsTest, KeysNamesEachKeyOnceAndOnlyOfItsDatabase) {
  for (int i = 0; i < 300; ++i) node_.Do("SET k" + std::to_string(i) + " v");
  node_.client().database = 1;
  node_.Do("SET elsewhere v");
  EXPECT_EQ(node_.Do("KEYS *"), "*1\r\n$9\r\nelsewhere\r\n");
  node_.client().database = 0;
  EXPECT_TRUE(node_.Do("KEYS k*").starts_with("*300\r\n"));
}

TEST_F(KeyspaceCommandsTest, AnExpiredKeyIsNeverShown) {
  node_.Do("SET k v PX 10");
  node_.Do("SADD s x");
  node_.Do("PEXPIRE s 10");
  time_.Advance(std::chrono::milliseconds(20));
  for (const char* line : {"EXISTS k s", "DEL k s", "SCARD s", "EXPIRE k 10", "PERSIST s"}) {
    EXPECT_EQ(node_.Do(line), ":0\r\n") << line;
  }
  EXPECT_EQ(node_.Do("TTL k"), ":-2\r\n");
  EXPECT_EQ(node_.Do("TYPE k"), "+none\r\n");
  EXPECT_EQ(node_.Do("KEYS *"), "*0\r\n");
  EXPECT_EQ(node_.Do("RANDOMKEY"), "$-1\r\n");
  EXPECT_TRUE(Iterate("SCAN", "").empty());
}

TEST_F(KeyspaceCommandsTest, SPopDrawsEveryMemberAboutEquallyOften) {
  std::map<std::string, int> drawn;
  for (int round = 0; round < 4000; ++round) {
    node_.Do("SADD s a b c d");
    ++drawn[node_.Do("SPOP s")];
  }
  EXPECT_EQ(drawn.size(), 4u);
  for (const auto& [member, times] : drawn) {
    EXPECT_GT(times, 800) << member;
    EXPECT_LT(times, 1200) << member;
  }
}

TEST_F(KeyspaceCommandsTest, SRandMemberRepeatsOnlyWhereTheCountIsNegative) {
  for (int i = 0; i < 10; ++i) node_.Do("SADD s " + std::to_string(i));
  for (int count : {1, 3, 9, 10, 50}) {
    std::string reply = node_.Do("SRANDMEMBER s " + std::to_string(count));
    EXPECT_TRUE(reply.starts_with("*" + std::to_string(std::min(count, 10)) + "\r\n")) << reply;
    for (int member = 0; member < 10; ++member) {
      std::string bulk = "\r\n" + std::to_string(member) + "\r\n";
      size_t first = reply.find(bulk);
      if (first != std::string::npos) {
        EXPECT_EQ(reply.find(bulk, first + 1), std::string::npos);
      }
    }
  }
  EXPECT_TRUE(node_.Do("SRANDMEMBER s -50").starts_with("*50\r\n"));
}

TEST_F(KeyspaceCommandsTest, SRandMemberRefusesRepliesWithoutBound_I11) {
  node_.Do("SADD s x");
  EXPECT_EQ(node_.Do("SRANDMEMBER s -9223372036854775807"), "-ERR value is out of range\r\n");
}

TEST_F(KeyspaceCommandsTest, SMembersIsASetInResp3) {
  node_.client().protocol = 3;
  node_.Do("SADD s x");
  EXPECT_EQ(node_.Do("SMEMBERS s"), "~1\r\n$1\r\nx\r\n");
  EXPECT_EQ(node_.Do("SPOP s 5"), "~1\r\n$1\r\nx\r\n");
  EXPECT_EQ(node_.Do("SPOP s"), "_\r\n");
}

TEST_F(KeyspaceCommandsTest, MoveTakesTheKeyWithItsDeadlineAndNeverOverwrites) {
  node_.Do("SET k v EX 100");
  EXPECT_EQ(node_.Do("MOVE k 3"), ":1\r\n");
  EXPECT_EQ(node_.Do("EXISTS k"), ":0\r\n");
  node_.Do("SET k other");
  EXPECT_EQ(node_.Do("MOVE k 3"), ":0\r\n");
  node_.client().database = 3;
  EXPECT_EQ(node_.Do("GET k"), "$1\r\nv\r\n");
  EXPECT_EQ(node_.Do("TTL k"), ":100\r\n");
}

TEST_F(KeyspaceCommandsTest, RenameOntoItselfChangesNothing) {
  node_.Do("SET k v EX 100");
  EXPECT_EQ(node_.Do("RENAME k k"), "+OK\r\n");
  EXPECT_EQ(node_.Do("TTL k"), ":100\r\n");
  EXPECT_EQ(node_.Do("RENAMENX k k"), ":0\r\n");
  EXPECT_EQ(node_.Do("RENAME none none"), "-ERR no such key\r\n");
}

TEST_F(KeyspaceCommandsTest, FlushAllEmptiesEveryDatabase) {
  node_.Do("SET k v");
  node_.client().database = 9;
  node_.Do("SET k v");
  EXPECT_EQ(node_.Do("FLUSHALL ASYNC"), "+OK\r\n");
  EXPECT_EQ(node_.Do("DBSIZE"), ":0\r\n");
  node_.client().database = 0;
  EXPECT_EQ(node_.Do("DBSIZE"), ":0\r\n");
}

TEST_F(KeyspaceCommandsTest, ObjectEncodingOfSetsFollowsRedisThresholds) {
  for (int i = 0; i < 512; ++i) node_.Do("SADD s " + std::to_string(i));
  EXPECT_EQ(node_.Do("OBJECT ENCODING s"), "$6\r\nintset\r\n");
  node_.Do("SADD s 512");
  EXPECT_EQ(node_.Do("OBJECT ENCODING s"), "$9\r\nhashtable\r\n");
  node_.Do("SADD words x");
  EXPECT_EQ(node_.Do("OBJECT ENCODING words"), "$9\r\nhashtable\r\n");
}

}  // namespace
}  // namespace starling
