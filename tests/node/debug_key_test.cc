// STARLING DEBUG KEY: what a key is made of, as an operator sees it.
#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

class DebugKeyTest : public TwoNodesTest {
 protected:
  /// Whether the reply holds a pair of a name and an integer.
  static bool Says(const std::string& reply, const std::string& name, int64_t number) {
    return reply.find("\r\n" + name + "\r\n:" + std::to_string(number) + "\r\n") !=
           std::string::npos;
  }
};

TEST_F(DebugKeyTest, ShowsLiveAndRemovedElementsAndTheirSlots) {
  a_.Do("HSET h f v g 1");
  a_.Do("HINCRBY h g 2");
  a_.Do("HDEL h f");
  a_.client().protocol = 3;
  const std::string reply = a_.Do("STARLING DEBUG KEY h");
  EXPECT_TRUE(reply.starts_with("%10\r\n")) << reply;
  EXPECT_TRUE(Says(reply, "live", 1)) << reply;
  EXPECT_TRUE(Says(reply, "removed", 1)) << reply;
  EXPECT_TRUE(Says(reply, "numeric", 1)) << reply;
  EXPECT_TRUE(Says(reply, "tombstones", 1)) << reply;
}

TEST_F(DebugKeyTest, ShowsWhatEachNodeAddedToACounter) {
  a_.Do("INCRBY n 5");
  b_.Do("INCRBY n 7");
  Exchange(a_, b_);
  const std::string reply = a_.Do("STARLING DEBUG KEY n");
  EXPECT_NE(reply.find("$3\r\nnet\r\n$1\r\n5\r\n"), std::string::npos) << reply;
  EXPECT_NE(reply.find("$3\r\nnet\r\n$1\r\n7\r\n"), std::string::npos) << reply;
}

TEST_F(DebugKeyTest, ShowsTheCutOfADeletedKeyAndNothingOfAnUnknownOne) {
  a_.Do("SET k v");
  a_.Do("DEL k");
  EXPECT_NE(a_.Do("STARLING DEBUG KEY k").find("$3\r\ncut\r\n*6\r\n"), std::string::npos);
  EXPECT_EQ(a_.Do("STARLING DEBUG KEY none"), "$-1\r\n");
  EXPECT_EQ(a_.Do("STARLING DEBUG FOO k"), "-ERR syntax error\r\n");
}

}  // namespace
}  // namespace starling
