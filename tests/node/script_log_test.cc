// redis.log: what a script says stands in the node's log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>

#include "node/scripting/scripting.h"
#include "tests/node/two_nodes.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ScriptLogTest : public TwoNodesTest {
 protected:
  ScriptLogTest() {
    log_->set_level(spdlog::level::debug);
    log_->set_pattern("%l %v");
    a_.services().scripting().SetLog(log_);
  }
  /// What the script has logged.
  std::string Log(const std::string& script) {
    text_.str("");
    EXPECT_EQ(a_.Do({"EVAL", script + " return 1", "0"}), ":1\r\n");
    return text_.str();
  }

  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> log_ = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
};

TEST_F(ScriptLogTest, WritesALineAtItsLevel) {
  EXPECT_EQ(Log("redis.log(redis.LOG_DEBUG, 'a')"), "debug event=script_log text=\"a\"\n");
  EXPECT_EQ(Log("redis.log(redis.LOG_VERBOSE, 'a')"), "debug event=script_log text=\"a\"\n");
  EXPECT_EQ(Log("redis.log(redis.LOG_NOTICE, 'a')"), "info event=script_log text=\"a\"\n");
  EXPECT_EQ(Log("redis.log(redis.LOG_WARNING, 'a')"), "warning event=script_log text=\"a\"\n");
}

TEST_F(ScriptLogTest, JoinsWordsAndLeavesOutWhatIsNoText) {
  EXPECT_EQ(Log("redis.log(redis.LOG_NOTICE, 'n', 7, {}, 'x')"),
            "info event=script_log text=\"n 7 x\"\n");
}

TEST_F(ScriptLogTest, IsOneLineWhateverTheScriptSays) {  // I11
  EXPECT_EQ(Log("redis.log(3, 'a\\r\\nevent=forged \\0 \"b\" {} %s')"),
            "warning event=script_log text=\"a  event=forged   'b' {} %s\"\n");
}

TEST_F(ScriptLogTest, IsBoundedInLengthAndInLines) {  // I9
  const std::string line = Log("redis.log(3, string.rep('x', 1e6), string.rep('y', 1e6))");
  EXPECT_EQ(line, "warning event=script_log text=\"" + std::string(1024, 'x') + "\"\n");
  const std::string lines = Log("for i = 1, 1000 do redis.log(3, i) end");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 100);
  EXPECT_THAT(lines, HasSubstr("text=\"100 (no more of this script's)\""));
  EXPECT_THAT(Log("redis.log(3, 'next')"), HasSubstr("next")) << "of each run";
}

TEST_F(ScriptLogTest, RefusesWhatRedisRefuses) {
  const auto refused = [&](const std::string& script) { return a_.Do({"EVAL", script, "0"}); };
  EXPECT_THAT(refused("redis.log(3)"),
              StartsWith("-ERR redis.log() requires two arguments or more."));
  EXPECT_THAT(refused("redis.log('x', 'y')"),
              StartsWith("-ERR First argument must be a number (log level)."));
  EXPECT_THAT(refused("redis.log(4, 'y')"), StartsWith("-ERR Invalid debug level."));
}

}  // namespace
}  // namespace starling
