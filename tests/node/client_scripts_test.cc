// What lock and rate-limit libraries do by scripts, in the forms in which they do it.
#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

class ClientScriptTest : public TwoNodesTest {
 protected:
  std::string Eval(const std::string& script, std::vector<std::string> keys,
                   const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {"EVAL", script, std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    return a_.Do(words);
  }
};

TEST_F(ClientScriptTest, ReleasesALockOnlyForItsHolder) {
  const std::string release =
      "local holder = redis.call('get', KEYS[1])\n"
      "if holder ~= ARGV[1] then return 0 end\n"
      "return redis.call('del', KEYS[1])";
  EXPECT_EQ(a_.Do("SET lock mine NX PX 10000"), "+OK\r\n");
  EXPECT_EQ(Eval(release, {"lock"}, {"other"}), ":0\r\n");
  EXPECT_EQ(a_.Do("GET lock"), "$4\r\nmine\r\n");
  EXPECT_EQ(Eval(release, {"lock"}, {"mine"}), ":1\r\n");
  EXPECT_EQ(Eval(release, {"lock"}, {"mine"}), ":0\r\n");
}

TEST_F(ClientScriptTest, ExtendsALockByWhatIsLeft) {
  const std::string extend =
      "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end\n"
      "local left = redis.call('pttl', KEYS[1])\n"
      "if not left or left < 0 then return 0 end\n"
      "redis.call('pexpire', KEYS[1], left + ARGV[2])\n"
      "return 1";
  a_.Do("SET lock mine NX PX 10000");
  EXPECT_EQ(Eval(extend, {"lock"}, {"other", "5000"}), ":0\r\n");
  EXPECT_EQ(Eval(extend, {"lock"}, {"mine", "5000"}), ":1\r\n");
  EXPECT_EQ(a_.Do("PTTL lock"), ":15000\r\n");
  a_.Do("PERSIST lock");
  EXPECT_EQ(Eval(extend, {"lock"}, {"mine", "5000"}), ":0\r\n");
}

TEST_F(ClientScriptTest, TakesLocksOnSeveralKeysOrNone) {
  const std::string acquire =
      "for i, key in ipairs(KEYS) do\n"
      "  if redis.call('exists', key) == 1 then return 0 end\n"
      "end\n"
      "for i, key in ipairs(KEYS) do redis.call('set', key, ARGV[1], 'PX', ARGV[2]) end\n"
      "return #KEYS";
  EXPECT_EQ(Eval(acquire, {"a", "b"}, {"mine", "1000"}), ":2\r\n");
  EXPECT_EQ(Eval(acquire, {"c", "b"}, {"other", "1000"}), ":0\r\n");
  EXPECT_EQ(a_.Do("EXISTS c"), ":0\r\n");
}

TEST_F(ClientScriptTest, CountsPointsInAWindow) {
  const std::string consume =
      "redis.call('set', KEYS[1], 0, 'EX', ARGV[2], 'NX')\n"
      "local consumed = redis.call('incrby', KEYS[1], ARGV[1])\n"
      "local left = redis.call('pttl', KEYS[1])\n"
      "if left == -1 then redis.call('expire', KEYS[1], ARGV[2]) left = 1000 * ARGV[2] end\n"
      "return {consumed, left}";
  EXPECT_EQ(Eval(consume, {"k"}, {"1", "10"}), "*2\r\n:1\r\n:10000\r\n");
  time_.Advance(std::chrono::milliseconds(4000));
  EXPECT_EQ(Eval(consume, {"k"}, {"2", "10"}), "*2\r\n:3\r\n:6000\r\n");
  time_.Advance(std::chrono::milliseconds(6001));
  EXPECT_EQ(Eval(consume, {"k"}, {"1", "10"}), "*2\r\n:1\r\n:10000\r\n");
}

TEST_F(ClientScriptTest, SlidesAWindow) {
  const std::string hit =
      "local now = tonumber(ARGV[1])\n"
      "redis.call('zremrangebyscore', KEYS[1], 0, now - ARGV[2])\n"
      "local count = redis.call('zcard', KEYS[1])\n"
      "if count >= tonumber(ARGV[3]) then return {0, count} end\n"
      "redis.call('zadd', KEYS[1], now, ARGV[4])\n"
      "redis.call('pexpire', KEYS[1], ARGV[2])\n"
      "return {1, count + 1}";
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(Eval(hit, {"w"}, {std::to_string(i), "100", "3", std::to_string(i)}),
              "*2\r\n:1\r\n:" + std::to_string(i) + "\r\n");
  }
  EXPECT_EQ(Eval(hit, {"w"}, {"50", "100", "3", "x"}), "*2\r\n:0\r\n:3\r\n");
  EXPECT_EQ(Eval(hit, {"w"}, {"102", "100", "3", "y"}), "*2\r\n:1\r\n:2\r\n");
}

}  // namespace
}  // namespace starling
