// EVAL and its kin on one node: replies, errors, flags, and what a script may do. The texts are
// those of redis-server 7.0.15.
#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace starling {
namespace {

class ScriptTest : public TwoNodesTest {
 protected:
  /// EVAL without keys, or with those given.
  std::string Eval(const std::string& script, std::vector<std::string> keys = {},
                   const std::vector<std::string>& arguments = {}) {
    std::vector<std::string> words = {"EVAL", script, std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    return a_.Do(words);
  }
  /// The error of a script of one line, with what Redis puts behind it.
  static std::string ErrorOf(const std::string& script, const std::string& text) {
    return "-" + text + " script: " + ScriptSha(script) + ", on @user_script:1.\r\n";
  }
  void ExpectError(const std::string& script, const std::string& text) {
    EXPECT_EQ(Eval(script), ErrorOf(script, text));
  }
};

TEST_F(ScriptTest, ErrorsOfLibrariesNameTheScriptsLine) {
  ExpectError("return cjson.encode(1/0)",
              "ERR user_script:1: Cannot serialise number: must not be NaN or Inf");
  ExpectError("return cjson.encode()",
              "ERR user_script:1: bad argument #1 to 'encode' (expected 1 argument)");
  ExpectError("return string.find('a', '[')", "ERR user_script:1: malformed pattern (missing ']')");
  ExpectError("return bit.tohex()",
              "ERR user_script:1: bad argument #1 to 'tohex' (number expected, got no value)");
  ExpectError("return redis.acl_check_cmd()",
              "ERR Please specify at least one argument for this redis lib call");
  ExpectError("error({err = 42})", "42");
}

TEST_F(ScriptTest, ErrorRepliesOfOneWordGetACode) {
  EXPECT_EQ(Eval("return redis.error_reply('word')"), "-ERR word\r\n");
  EXPECT_EQ(Eval("return redis.error_reply('-word')"), "-ERR word\r\n");
  EXPECT_EQ(Eval("return redis.error_reply('')"), "-ERR \r\n");
  EXPECT_EQ(Eval("return redis.error_reply('My Err')"), "-My Err\r\n");
}

TEST_F(ScriptTest, MessagePackUnpacksAllWhereNoLimitIsGiven) {
  EXPECT_EQ(Eval("return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2), 0)}"), "*2\r\n:1\r\n:2\r\n");
  EXPECT_EQ(Eval("return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 2)}"),
            "*3\r\n:2\r\n:1\r\n:2\r\n");
  EXPECT_EQ(Eval("return cmsgpack._NAME"), "$8\r\ncmsgpack\r\n");
}

TEST_F(ScriptTest, AnswersWithLuasValues) {
  EXPECT_EQ(Eval("return 1.9"), ":1\r\n");
  EXPECT_EQ(Eval("return 'x'"), "$1\r\nx\r\n");
  EXPECT_EQ(Eval("return true"), ":1\r\n");
  EXPECT_EQ(Eval("return false"), "$-1\r\n");
  EXPECT_EQ(Eval("return"), "$-1\r\n");
  EXPECT_EQ(Eval("return {1,2,nil,3}"), "*2\r\n:1\r\n:2\r\n");
  EXPECT_EQ(Eval("return {1,{'a',{}}}"), "*2\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n");
  EXPECT_EQ(Eval("return {ok='a\\r\\nb'}"), "+a  b\r\n");
  EXPECT_EQ(Eval("return redis.status_reply('fine')"), "+fine\r\n");
  EXPECT_EQ(Eval("return {err='My Err'}"), "-My Err\r\n");
  EXPECT_EQ(Eval("return redis.error_reply('-My Err')"), "-My Err\r\n");
  EXPECT_EQ(Eval("return {double=1.5}"), "$3\r\n1.5\r\n");
  EXPECT_EQ(Eval("return {map={a=1}}"), "*2\r\n$1\r\na\r\n:1\r\n");
  EXPECT_EQ(Eval("local t={} t[1]=t return t").find("-ERR reached lua stack limit"),
            Eval("local t={} t[1]=t return t").rfind('-'));
}

TEST_F(ScriptTest, AnswersInRESP3) {
  a_.Do("HELLO 3");
  EXPECT_EQ(Eval("return {true,false,{double=3.5},redis.call('get','zz')}"),
            "*4\r\n:1\r\n_\r\n,3.5\r\n_\r\n");
  a_.Do("HSET h f v");
  EXPECT_EQ(Eval("redis.setresp(3) return redis.call('hgetall','h')"),
            "%1\r\n$1\r\nf\r\n$1\r\nv\r\n");
  EXPECT_EQ(Eval("redis.setresp(3) return {true,false,{set={a=true}},{big_number='12'}}"),
            "*4\r\n#t\r\n#f\r\n~1\r\n$1\r\na\r\n(12\r\n");
  EXPECT_EQ(Eval("return {verbatim_string={string='x',format='txt'}}"), "=5\r\ntxt:x\r\n");
}

TEST_F(ScriptTest, RunsCommandsOnKeysDeclaredOrNot) {
  EXPECT_EQ(Eval("redis.call('set',KEYS[1],ARGV[1]) return redis.call('incrby',KEYS[1],5)", {"k"},
                 {"10"}),
            ":15\r\n");
  EXPECT_EQ(Eval("return {redis.call('get','k'), redis.call('get','no')}"),
            "*2\r\n$2\r\n15\r\n$-1\r\n");
  EXPECT_EQ(Eval("return redis.call('set','k',1e15)"), "+OK\r\n");
  EXPECT_EQ(a_.Do("GET k"), "$16\r\n1000000000000000\r\n");
  EXPECT_EQ(Eval("redis.call('set','k',1e25) return redis.call('get','k')"),
            "$22\r\n1.0000000000000001e+25\r\n");
  EXPECT_EQ(Eval("return redis.call('dbsize')"), ":1\r\n");
}

TEST_F(ScriptTest, KeepsTheCallersDatabase) {
  EXPECT_EQ(Eval("redis.call('select',3) return redis.call('set','k','three')"), "+OK\r\n");
  EXPECT_EQ(a_.Do("GET k"), "$-1\r\n");
  EXPECT_EQ(a_.Do("SELECT 3"), "+OK\r\n");
  EXPECT_EQ(a_.Do("GET k"), "$5\r\nthree\r\n");
}

TEST_F(ScriptTest, TellsErrorsWithScriptAndLine) {
  ExpectError("error('oops')", "ERR user_script:1: oops");
  ExpectError("error({err='CODE oops'})", "CODE oops");
  ExpectError("error()", "ERR nil");
  ExpectError("local a = nil; return a.b",
              "ERR user_script:1: attempt to index local 'a' (a nil value)");
  ExpectError("redis.call('foo')", "ERR Unknown Redis command called from script");
  ExpectError("redis.call()", "ERR Please specify at least one argument for this redis lib call");
  ExpectError("redis.call({})", "ERR Lua redis lib command arguments must be strings or integers");
  ExpectError("redis.call('get')", "ERR Wrong number of args calling Redis command from script");
  ExpectError("redis.call('set','k','v') redis.call('incr','k')",
              "ERR value is not an integer or out of range");
  ExpectError("redis.call('multi')", "ERR This Redis command is not allowed from script");
  ExpectError("redis.call('eval','return 1','0')",
              "ERR This Redis command is not allowed from script");
  ExpectError("redis.setresp(4)", "ERR RESP version must be 2 or 3.");
  EXPECT_EQ(Eval("return bad syntax"),
            "-ERR Error compiling script (new function): user_script:1: '<eof>' expected near "
            "'syntax'\r\n");
  EXPECT_EQ(Eval("return redis.pcall('foo')"), "-ERR Unknown Redis command called from script\r\n");
  EXPECT_EQ(Eval("local ok, e = pcall(redis.call, 'foo') return {tostring(ok), e}"),
            "*2\r\n$5\r\nfalse\r\n$44\r\nERR Unknown Redis command called from script\r\n");
}

TEST_F(ScriptTest, ChecksTheNumberOfKeys) {
  EXPECT_EQ(a_.Do({"EVAL", "return 1", "2", "a"}),
            "-ERR Number of keys can't be greater than number of args\r\n");
  EXPECT_EQ(a_.Do({"EVAL", "return 1", "-1"}), "-ERR Number of keys can't be negative\r\n");
  EXPECT_EQ(a_.Do({"EVAL", "return 1", "x"}), "-ERR value is not an integer or out of range\r\n");
}

TEST_F(ScriptTest, KnowsScriptsByTheirName) {
  const std::string script = "return KEYS[1]";
  EXPECT_EQ(a_.Do({"EVALSHA", ScriptSha(script), "0"}),
            "-NOSCRIPT No matching script. Please use EVAL.\r\n");
  EXPECT_EQ(a_.Do({"SCRIPT", "LOAD", script}), "$40\r\n" + ScriptSha(script) + "\r\n");
  EXPECT_EQ(a_.Do({"EVALSHA", ScriptSha(script), "1", "k"}), "$1\r\nk\r\n");
  EXPECT_EQ(a_.Do({"SCRIPT", "EXISTS", ScriptSha(script), "abc"}), "*2\r\n:1\r\n:0\r\n");
  EXPECT_EQ(a_.Do("SCRIPT FLUSH NOW"), "-ERR SCRIPT FLUSH only support SYNC|ASYNC option\r\n");
  EXPECT_EQ(a_.Do("SCRIPT FLUSH"), "+OK\r\n");
  EXPECT_EQ(a_.Do({"SCRIPT", "EXISTS", ScriptSha(script)}), "*1\r\n:0\r\n");
  EXPECT_EQ(a_.Do("SCRIPT KILL"), "-NOTBUSY No scripts in execution right now.\r\n");
  EXPECT_EQ(a_.Do({"SCRIPT", "LOAD", "return bad syn"}),
            "-ERR Error compiling script (new function): user_script:1: '<eof>' expected near "
            "'syn'\r\n");
}

TEST_F(ScriptTest, RefusesWritesOfReadOnlyScripts) {
  const std::string writes = "return redis.call('set','a','b')";
  EXPECT_EQ(a_.Do({"EVAL_RO", writes, "0"}),
            ErrorOf(writes, "ERR Write commands are not allowed from read-only scripts."));
  const std::string flagged = "#!lua flags=no-writes\n" + writes;
  EXPECT_EQ(Eval(flagged), "-ERR Write commands are not allowed from read-only scripts. script: " +
                               ScriptSha(flagged) + ", on @user_script:2.\r\n");
  EXPECT_EQ(a_.Do({"EVAL_RO", "#!lua\nreturn 1", "0"}),
            "-ERR Can not execute a script with write flag using *_ro command.\r\n");
  EXPECT_EQ(Eval("#!lua flags=foo\nreturn 1"), "-ERR Unexpected flag in script shebang: foo\r\n");
  EXPECT_EQ(Eval("#!foo\nreturn 1"), "-ERR Unexpected engine in script shebang: #!foo\r\n");
  EXPECT_EQ(Eval("#!lua foo=1\nreturn 1"), "-ERR Unknown lua shebang option: foo=1\r\n");
  EXPECT_EQ(Eval("#!lua"), "-ERR Invalid script shebang\r\n");
  EXPECT_EQ(Eval("#!lua flags=allow-stale,no-writes\nreturn 1"), ":1\r\n");
  EXPECT_EQ(a_.Do("GET a"), "$-1\r\n");
}

TEST_F(ScriptTest, GivesRedissLibraries) {
  EXPECT_EQ(Eval("return cjson.encode({1,2,{a=1}})"), "$13\r\n[1,2,{\"a\":1}]\r\n");
  EXPECT_EQ(Eval("return cjson.decode('{\"a\":[1,null]}').a[1]"), ":1\r\n");
  EXPECT_EQ(Eval("return bit.tohex(65535)"), "$8\r\n0000ffff\r\n");
  EXPECT_EQ(Eval("return struct.pack('>HH',1,2)"), std::string("$4\r\n\0\1\0\2\r\n", 10));
  EXPECT_EQ(Eval("return {struct.unpack('>Hs', struct.pack('>Hs', 513, 'ab'))}"),
            "*3\r\n:513\r\n$2\r\nab\r\n:6\r\n");
  EXPECT_EQ(Eval("return cmsgpack.pack({1,2,3})"), "$4\r\n\x93\x01\x02\x03\r\n");
  EXPECT_EQ(Eval("local t = cmsgpack.unpack(cmsgpack.pack({a={-1,1.5,'x',true}})) "
                 "return {t.a[1], tostring(t.a[2]), t.a[3], t.a[4]}"),
            "*4\r\n:-1\r\n$3\r\n1.5\r\n$1\r\nx\r\n:1\r\n");
  EXPECT_EQ(Eval("return redis.sha1hex('x')"),
            "$40\r\n11f6ad8ec52a2984abaafd7c3b516503785c2072\r\n");
  EXPECT_EQ(Eval("return {type(redis), type(string), type(1)}"),
            "*3\r\n$5\r\ntable\r\n$5\r\ntable\r\n$6\r\nnumber\r\n");
}

TEST_F(ScriptTest, RunsWithinATransactionAndTravelsWhole) {
  a_.Do("MULTI");
  EXPECT_EQ(Eval("redis.call('set','a','1') redis.call('set','b','2') return 7"), "+QUEUED\r\n");
  a_.Do("GET a");
  EXPECT_EQ(a_.Do("EXEC"), "*2\r\n:7\r\n$1\r\n1\r\n");
  EXPECT_EQ(a_.TakeBatches().size(), 1U);
}

TEST_F(ScriptTest, SeesTimeStandStill) {
  a_.Do("SET k 1 PX 50");
  EXPECT_EQ(Eval("return redis.call('pttl','k') > 0 and redis.call('exists','k')"), ":1\r\n");
  time_.Advance(std::chrono::milliseconds(51));
  EXPECT_EQ(Eval("return redis.call('exists','k')"), ":0\r\n");
}

TEST_F(ScriptTest, TouchesWhatOthersWatch) {
  a_.Do("WATCH k");
  Eval("return redis.call('set','k','1')");
  a_.Do("MULTI");
  EXPECT_EQ(a_.Do("EXEC"), "*-1\r\n");
}

}  // namespace
}  // namespace starling
