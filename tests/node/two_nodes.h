/// Two nodes that hear of each other when the test says so (Exchange), for tests of what commands
/// on both come to. Not thread-safe.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "tests/node/test_node.h"

namespace starling {

class TwoNodesTest : public ::testing::Test {
 protected:
  /// Both nodes answer the same.
  void ExpectBoth(std::string_view command, std::string_view reply) {
    EXPECT_EQ(a_.Do(command), reply) << "at a: " << command;
    EXPECT_EQ(b_.Do(command), reply) << "at b: " << command;
  }

  ManualTime time_;
  TestNode a_{"a", time_};
  TestNode b_{"b", time_};
};

}  // namespace starling
