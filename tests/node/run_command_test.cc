#include <gtest/gtest.h>

#include <cstring>

#include "tests/node/test_node.h"

namespace starling {
namespace {

class RunCommandTest : public ::testing::Test {
 protected:
  ManualTime time_;
  TestNode node_{"alone", time_};
};

TEST_F(RunCommandTest, FindsCommandsInAnyCase) {
  EXPECT_EQ(node_.Do("SeT k v"), "+OK\r\n");
  EXPECT_EQ(node_.Do("gEt k"), "$1\r\nv\r\n");
}

TEST_F(RunCommandTest, RefusesUnknownCommandsAndRepeatsTheirWords) {
  EXPECT_EQ(node_.Do("foo a b"),
            "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n");
  EXPECT_EQ(node_.Do(std::vector<std::string>{"foo\r\nbar"}),
            "-ERR unknown command 'foo  bar', with args beginning with: \r\n");
  // A subcommand's row is no command of its own.
  EXPECT_EQ(node_.Do("object|help"),
            "-ERR unknown command 'object|help', with args beginning with: \r\n");
}

TEST_F(RunCommandTest, RefusesUnknownSubcommands) {
  EXPECT_EQ(node_.Do("object foo k"), "-ERR unknown subcommand 'foo'. Try OBJECT HELP.\r\n");
}

TEST_F(RunCommandTest, ChecksTheNumberOfWords) {
  EXPECT_EQ(node_.Do("GET"), "-ERR wrong number of arguments for 'get' command\r\n");
  EXPECT_EQ(node_.Do("GET a b"), "-ERR wrong number of arguments for 'get' command\r\n");
  EXPECT_EQ(node_.Do("OBJECT"), "-ERR wrong number of arguments for 'object' command\r\n");
  EXPECT_EQ(node_.Do("OBJECT ENCODING"),
            "-ERR wrong number of arguments for 'object|encoding' command\r\n");
}

TEST_F(RunCommandTest, RefusesStrangersWhereAPasswordIsSet) {
  node_.client().authenticated = false;
  EXPECT_EQ(node_.Do("GET k"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(node_.services().counted[std::pair("get", CommandOutcome::kRejected)], 1);
}

TEST_F(RunCommandTest, CountsWhatRanAndHowItEnded) {
  node_.Do("SADD s x");
  node_.Do("INCR s");
  EXPECT_EQ(node_.services().counted[std::pair("sadd", CommandOutcome::kDone)], 1);
  EXPECT_EQ(node_.services().counted[std::pair("incr", CommandOutcome::kFailed)], 1);
}

TEST_F(RunCommandTest, StaysSilentWhileRepliesAreOff) {
  node_.client().reply_mode = ClientState::ReplyMode::kOff;
  EXPECT_EQ(node_.Do("SET k v"), "");
  EXPECT_EQ(node_.Do("nonsense"), "");
  node_.client().reply_mode = ClientState::ReplyMode::kSkipNext;
  EXPECT_EQ(node_.Do("GET k"), "");
  EXPECT_EQ(node_.Do("GET k"), "$1\r\nv\r\n");
}

TEST(CommandTable, KnowsEveryRowByNameAndKeepsThemSorted) {
  CommandTable table;
  const char* last = "";
  for (const CommandSpec* command : table.all()) {
    EXPECT_LT(std::strcmp(last, command->name), 0) << command->name;
    last = command->name;
    EXPECT_EQ(table.Find(command->name), command);
    EXPECT_EQ(command->run == nullptr, std::strchr(command->name, '|') != nullptr) << command->name;
    // Redis: what may run without AUTH is not about keys.
    EXPECT_FALSE((command->flags & kNoAuth) != 0 && command->first_key != 0) << command->name;
  }
  EXPECT_EQ(table.Find("nosuch"), nullptr);
  EXPECT_EQ(table.Find(std::string(1000, 'x')), nullptr);
}

TEST(CommandTable, ResolvesSubcommandsWithinTheirContainer) {
  CommandTable table;
  const CommandSpec* object = table.Find("OBJECT");
  ASSERT_NE(object, nullptr);
  EXPECT_TRUE(table.IsContainer(*object));
  EXPECT_FALSE(table.IsContainer(*table.Find("get")));
  EXPECT_STREQ(table.FindSubcommand(*object, "Encoding")->name, "object|encoding");
  EXPECT_EQ(table.FindSubcommand(*object, "nosuch"), nullptr);
}

}  // namespace
}  // namespace starling
