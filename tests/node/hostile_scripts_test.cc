// Scripts that try to crash the node, to take all its memory, or to get out of the sandbox (I11).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class HostileScriptTest : public TwoNodesTest {
 protected:
  std::string Eval(const std::string& script) { return a_.Do({"EVAL", script, "0"}); }
  void TearDown() override {
    EXPECT_EQ(Eval("return #string.rep('x', 1000)"), ":1000\r\n") << "the next script suffers";
  }
};

TEST_F(HostileScriptTest, FindNoWayToChangeWhatOthersUse) {
  for (const char* script :
       {"x = 1", "string.x = 1", "redis.call = nil", "_G.x = 1", "getmetatable('').__index = 1",
        "rawset(_G, 'x', 1)", "KEYS = {}", "_G.KEYS = {}", "cjson.encode = nil"}) {
    EXPECT_THAT(Eval(script), HasSubstr("Attempt to modify a readonly table")) << script;
  }
  for (const char* script :
       {"setmetatable(_G, {})", "rawset(string, 'x', 1)", "table.insert(redis, 1)",
        "setmetatable(redis, {})", "setmetatable('', {})"}) {
    EXPECT_THAT(Eval(script), StartsWith("-ERR")) << script;
  }
  EXPECT_EQ(Eval("getmetatable('').__index = nil return ('x'):rep(2)")[0], '-');
  EXPECT_EQ(Eval("return ('x'):rep(2)"), "$2\r\nxx\r\n");
  EXPECT_EQ(Eval("KEYS[1] = 'x' rawset(KEYS, 'y', 1) return 1"), ":1\r\n");
  EXPECT_EQ(Eval("return KEYS.y"), "$-1\r\n");
}

TEST_F(HostileScriptTest, FindNothingThatReachesOut) {
  for (const char* name : {"os", "io", "debug", "require", "package", "dofile", "loadfile", "print",
                           "getfenv", "setfenv", "newproxy", "module"}) {
    EXPECT_THAT(Eval(std::string("return ") + name),
                HasSubstr("Script attempted to access nonexistent global variable '" +
                          std::string(name) + "'"));
  }
  EXPECT_THAT(Eval("return tostring(getmetatable(_G))"), "$5\r\nfalse\r\n");
  EXPECT_THAT(Eval("return tostring(getmetatable(redis))"), "$5\r\nfalse\r\n");
}

TEST_F(HostileScriptTest, LoadNoBytecode) {
  EXPECT_THAT(Eval("\x1bLua"), HasSubstr("bytecode is not allowed"));
  EXPECT_THAT(Eval("return {loadstring(string.dump(function() end)) == nil}"), "*1\r\n:1\r\n");
  EXPECT_EQ(Eval("local f, e = loadstring('\\27Lua') return e"),
            "$23\r\nbytecode is not allowed\r\n");
  EXPECT_EQ(
      Eval("local n = 0 local f, e = load(function() n = n + 1 return n < 3 and '\\27' or nil "
           "end) return e"),
      "$23\r\nbytecode is not allowed\r\n");
  EXPECT_EQ(Eval("return loadstring('return 1 + 1')()"), ":2\r\n");
  EXPECT_THAT(Eval("loadstring('x = 1')()"), HasSubstr("readonly"));
}

// 256 MB by default. TearDown shows that the node lives on and the next script has room.
TEST_F(HostileScriptTest, AreEndedWhereTheyTakeTooMuchMemory) {
  for (const char* script :
       {"return string.rep('x', 1e10)", "local t = {} while true do t[#t+1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "local s = string.rep('x', 1e6) local t = {} for i = 1, 1e6 do t[i] = s end "
        "return table.concat(t)",
        "local s = string.rep('x', 1e6) local t = {} for i = 1, 1e6 do t[i] = s end "
        "return cjson.encode(t)",
        "local t = {1} for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
        "cjson.encode_sparse_array(false, 0) return cjson.encode({[1e9] = 1})",
        "cjson.encode_sparse_array(false, 2, 2^31 - 1) return cjson.encode({[1e9] = 1})",
        "local s = string.rep('x', 1e6) local t = {} for i = 1, 1e5 do t[i] = s end "
        "return cmsgpack.pack(t)"}) {
    const std::string reply = Eval(script);
    EXPECT_THAT(reply, StartsWith("-ERR")) << script;
    EXPECT_THAT(reply, HasSubstr("not enough memory")) << script;
  }
  EXPECT_THAT(Eval("return unpack({}, 1, 1e9)"), HasSubstr("too many results to unpack"));
  for (const char* range : {"0, 2147483647", "-2147483648, 2147483647", "-1, 2147483646"}) {
    EXPECT_THAT(Eval("return unpack({}, " + std::string(range) + ")"),
                HasSubstr("too many results to unpack"));
  }
  EXPECT_THAT(Eval("local s = string.rep('x', 1e7) local t = {} for i = 1, 7000 do t[i] = s end "
                   "return redis.call('RPUSH', 'l', unpack(t))"),
              HasSubstr("arguments must not exceed 512 MB in total"));
  EXPECT_THAT(Eval("return struct.pack('c2000000000', 'x')"), HasSubstr("integral size overflow"));
}

// What unpack does is Lua's, whose own is not used.
TEST_F(HostileScriptTest, UnpackTables) {
  EXPECT_EQ(Eval("return {unpack({1, 2, 3})}"), "*3\r\n:1\r\n:2\r\n:3\r\n");
  EXPECT_EQ(Eval("return {unpack({1, 2, 3}, 2)}"), "*2\r\n:2\r\n:3\r\n");
  EXPECT_EQ(Eval("return {unpack({1, 2, 3}, 2, 2)}"), "*1\r\n:2\r\n");
  EXPECT_EQ(Eval("return {unpack({1, 2, 3}, 3, 2)}"), "*0\r\n");
  EXPECT_EQ(Eval("return select('#', unpack({}, -1, 1))"), ":3\r\n");
  EXPECT_EQ(Eval("return select('#', unpack({}, 2147483646, 2147483647))"), ":2\r\n");
  EXPECT_THAT(Eval("return unpack('x')"), HasSubstr("table expected"));
}

// Chunks are parsed while the collector is about to run.
TEST_F(HostileScriptTest, LoadChunksBesideTheCollector) {
  EXPECT_EQ(Eval("local n = 0 for i = 1, 20000 do "
                 "local f = loadstring('local x = {} return function() return ' .. i .. ' end', "
                 "'name' .. i) n = n + f()() - i end return n"),
            ":0\r\n");
}

// What cjson writes as an object has no holes to fill.
TEST_F(HostileScriptTest, MayEncodeTablesWithLargeIndexes) {
  EXPECT_THAT(Eval("cjson.encode_sparse_array(false, 2, 10) return cjson.encode({[1e9] = 1})"),
              HasSubstr("excessively sparse array"));
  EXPECT_THAT(Eval("cjson.encode_sparse_array(true) return cjson.encode({[1e9] = 1})"),
              HasSubstr(R"({"1000000000":1})"));
}

// CVE-2024-31449
TEST_F(HostileScriptTest, WriteNoDigitsPastTheBuffer) {
  EXPECT_THAT(Eval("return bit.tohex(255, -2^31)"), HasSubstr("000000FF"));
  EXPECT_THAT(Eval("return bit.tohex(255, 2^31)"), HasSubstr("000000FF"));
  EXPECT_THAT(Eval("return bit.tohex(255, -3)"), HasSubstr("0FF"));
  EXPECT_THAT(Eval("return bit.tohex(255, 2^32 + 4)"), HasSubstr("00ff"));
  EXPECT_THAT(Eval("return bit.tohex(255, 'x')"), HasSubstr("number expected, got string"));
}

TEST_F(HostileScriptTest, MayTakeAsMuchMemoryAsTheLimitLeaves) {
  EXPECT_EQ(Eval("return #string.rep('x', 4e7)"), ":40000000\r\n");
  EXPECT_THAT(Eval("return #string.rep('x', 3e8)"), HasSubstr("not enough memory"));
}

TEST_F(HostileScriptTest, AreEndedWhereTheirReplyIsTooLarge) {
  EXPECT_THAT(Eval("local s = string.rep('x', 1e7) local t = {} for i = 1, 1000 do t[i] = s end "
                   "return t"),
              StartsWith("-ERR"));
}

TEST_F(HostileScriptTest, AreEndedWhereTheyRecurseWithoutEnd) {
  EXPECT_THAT(Eval("local function f() return f() + 1 end return f()"),
              HasSubstr("stack overflow"));
  EXPECT_EQ(Eval("local t = {} setmetatable(t, {__index = function(t, k) return t[k] end}) "
                 "return t.x")[0],
            '-');
  EXPECT_THAT(Eval("local t = {} for i = 1, 1e5 do t = {t} end return t"),
              HasSubstr("ERR reached lua stack limit"));
  EXPECT_THAT(Eval("local t = 7 for i = 1, 900 do t = {t} end return t"), HasSubstr(":7"));
  EXPECT_EQ(Eval("local t = {} for i = 1, 1e5 do t = {t} end return cjson.encode(t)")[0], '-');
  EXPECT_EQ(Eval("return cjson.decode(string.rep('[', 1e6))")[0], '-');
  EXPECT_EQ(Eval("return cmsgpack.unpack(string.rep('\\145', 1e6))")[0], '-');
  EXPECT_EQ(Eval("return ('a'):rep(1e6):find(('a?'):rep(1e6))")[0], '-');
  EXPECT_EQ(Eval("return loadstring('return ' .. ('('):rep(1e6))")[0], '$');
}

/// Calls `step` again and again on another thread until it is let go.
class Repeating {
 public:
  explicit Repeating(std::function<void()> step)
      : thread_([this, step = std::move(step)] {
          while (!stop_) step();
        }) {}
  ~Repeating() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

constexpr const char* kEndless[] = {
    "while true do end", "while true do pcall(function() while true do end end) end",
    "local function f() while true do end end while true do coroutine.wrap(f)() end",
    "while true do pcall(redis.call, 'get', 'k') end"};

TEST_F(HostileScriptTest, AreEndedByScriptKill) {
  const Repeating killing([this] { a_.services().scripting().Kill(); });
  for (const char* script : kEndless) {
    EXPECT_THAT(Eval(script), HasSubstr("Script killed by user with SCRIPT KILL")) << script;
  }
}

TEST_F(HostileScriptTest, AreNotKilledOnceTheyHaveWritten) {
  std::atomic<bool> refused = false;
  const Repeating killing([&] {
    if (a_.services().scripting().Kill() == Scripting::KillOutcome::kHasWritten) refused = true;
  });
  // The kill may come before the write: then it has not written.
  while (!refused) Eval("redis.call('set', 'k', '1') for i = 1, 1e7 do end");
  EXPECT_EQ(a_.Do("GET k"), "$1\r\n1\r\n");
}

TEST_F(HostileScriptTest, AreEndedWhenTheNodeEndsWhateverTheyHaveDone) {
  for (const char* script : kEndless) {
    TestNode node("stopping", time_);
    const Repeating stopping([&] {
      if (node.services().scripting().running()) node.services().scripting().Stop();
    });
    EXPECT_THAT(node.Do({"EVAL", std::string("redis.call('set', 'k', '1') ") + script, "0"}),
                HasSubstr("This node stops"))
        << script;
  }
}

// It leads until another can: a lock that is released meanwhile is free.
TEST_F(HostileScriptTest, ButShortOnesStillRunWhileTheNodeEnds) {
  a_.services().scripting().Stop();
  EXPECT_EQ(Eval("return redis.call('set', 'k', '1')"), "+OK\r\n");
  EXPECT_EQ(a_.Do("GET k"), "$1\r\n1\r\n");
}

}  // namespace
}  // namespace starling
