// DUMP, RESTORE, SORT and OBJECT ENCODING: payloads as redis-server 7.0 gives them, replies word
// for word.
#include <gtest/gtest.h>

#include "node/rdb_object.h"
#include "node/rdb_packed.h"
#include "node/rdb_payload.h"
#include "node/rdb_reader.h"
#include "tests/node/test_node.h"

namespace starling {
namespace {

using namespace std::string_literals;

class DumpTest : public ::testing::Test {
 protected:
  /// The payload of DUMP, without the protocol around it.
  std::string Payload(const std::string& key) {
    const std::string reply = node_.Do("DUMP " + key);
    const size_t begin = reply.find("\r\n") + 2;
    return reply.substr(begin, reply.size() - begin - 2);
  }
  std::string Restore(const std::string& key, const std::string& value) {
    std::string payload = value;
    SealPayload(payload);
    return node_.Do({"RESTORE", key, "0", payload});
  }

  ManualTime time_;
  TestNode node_{"alone", time_};
};

TEST_F(DumpTest, TheChecksumIsRedisS) { EXPECT_EQ(Crc64("123456789"), 0xe9c6d914c4b8d9caU); }

TEST_F(DumpTest, ANumberTakesTheBytesThatRedisGivesIt) {
  node_.Do("SET n 12345");
  EXPECT_EQ(Payload("n"), "\x00\xc1\x39\x30\x0a\x00\x9d\x94\xea\x27\x93\xfc\x08\xb9"s);
}

TEST_F(DumpTest, EveryTypeComesBackAsItWas) {
  node_.Do("SET string text");
  node_.Do("RPUSH list a -1 b 70000");
  node_.Do("SADD set a 1");
  node_.Do("HSET hash f v g 5000000000");
  node_.Do("ZADD zset 1.5 a inf b -2 c");
  for (const char* key : {"string", "list", "set", "hash", "zset"}) {
    const std::string payload = Payload(key);
    EXPECT_EQ(node_.Do({"RESTORE", "copy", "0", payload, "REPLACE"}), "+OK\r\n") << key;
    EXPECT_EQ(node_.Do("TYPE copy"), node_.Do("TYPE "s + key));
    EXPECT_EQ(Payload("copy"), payload) << key;
  }
  EXPECT_EQ(node_.Do("DUMP none"), "$-1\r\n");
}

TEST_F(DumpTest, PackedFormsOfOlderServersAreRead) {
  EXPECT_EQ(Restore("q",
                    "\x12\x01\x02\x10\x10\x00\x00\x00\x03\x00\x81"
                    "a\x02\x81"
                    "b\x02\x81"
                    "c\x02\xff"s),
            "+OK\r\n");
  EXPECT_EQ(node_.Do("LRANGE q 0 -1"), "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
  EXPECT_EQ(Restore("z",
                    "\x03\x01\x01m\x03"
                    "1.5"s),
            "+OK\r\n");
  EXPECT_EQ(node_.Do("ZSCORE z m"), "$3\r\n1.5\r\n");
  EXPECT_EQ(Restore("s",
                    "\x00\xc3\x09\x40\x64\x01"
                    "aa\xe0\x57\x00\x01"
                    "aa"s),
            "+OK\r\n");
  EXPECT_EQ(node_.Do("GET s"), "$100\r\n" + std::string(100, 'a') + "\r\n");
}

TEST_F(DumpTest, MalformedValuesAreRefusedAndChangeNothing_I11_I13) {
  node_.Do("SET k v");
  const std::string bad[] = {
      ""s,
      "\x00"s,  // no string
      "\x00\x05"
      "abc"s,       // cut off
      "\x02\x00"s,  // an empty set
      "\x02\x02\x01"
      "a\x01"
      "a"s,  // a member twice
      "\x04\x01\x01"
      "f"s,                                                     // a field without a value
      "\x05\x01\x01m\x00\x00\x00\x00\x00\x00\xf8\x7f"s,         // a score that is NaN
      "\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff"s,              // 2^64 - 1 members
      "\x00\xc3\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x00"s,  // expands to 2^63 bytes
      "\x0b\x08\x03\x00\x00\x00\x01\x00\x00\x00"s,              // an intset of 3-byte integers
      "\x10\x07\x07\x00\x00\x00\x00\x00\xff"s,                  // an empty listpack
      "\x0f\x00"s,                                              // a stream
  };
  for (const std::string& value : bad) {
    std::string payload = value;
    SealPayload(payload);
    EXPECT_EQ(node_.Do({"RESTORE", "k", "0", payload, "REPLACE"}), "-ERR Bad data format\r\n");
  }
  EXPECT_EQ(node_.Do("GET k"), "$1\r\nv\r\n");
}

TEST_F(DumpTest, RestoreNamesWhatIsWrong) {
  node_.Do("SET k v EX 100");
  const std::string payload = Payload("k");
  std::string damaged = payload;
  damaged[2] = static_cast<char>(damaged[2] ^ 1);
  EXPECT_EQ(node_.Do({"RESTORE", "k", "0", payload}),
            "-BUSYKEY Target key name already exists.\r\n");
  EXPECT_EQ(node_.Do({"RESTORE", "new", "0", damaged}),
            "-ERR DUMP payload version or checksum are wrong\r\n");
  EXPECT_EQ(node_.Do({"RESTORE", "new", "-1", payload}),
            "-ERR Invalid TTL value, must be >= 0\r\n");
  EXPECT_EQ(node_.Do({"RESTORE", "new", "0", payload, "FREQ", "256"}),
            "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
  EXPECT_EQ(node_.Do({"RESTORE", "new", "5000", payload}), "+OK\r\n");
  EXPECT_EQ(node_.Do("PTTL new"), ":5000\r\n");
  EXPECT_EQ(node_.Do({"RESTORE", "new", "5000", payload, "ABSTTL", "REPLACE"}), "+OK\r\n");
  EXPECT_EQ(node_.Do("EXISTS new"), ":0\r\n");
}

TEST_F(DumpTest, SortOrdersByItselfOrByOtherKeys) {
  node_.Do("RPUSH l 3 1 2");
  node_.Do("MSET w1 30 w2 20 w3 10");
  node_.Do("HSET o1 f one");
  EXPECT_EQ(node_.Do("SORT l"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
  EXPECT_EQ(node_.Do("SORT l DESC LIMIT 0 1"), "*1\r\n$1\r\n3\r\n");
  EXPECT_EQ(node_.Do("SORT l BY w*"), "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n");
  EXPECT_EQ(node_.Do("SORT l BY nosort"), "*3\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_EQ(node_.Do("SORT_RO l LIMIT 0 2 GET # GET o*->f"),
            "*4\r\n$1\r\n1\r\n$3\r\none\r\n$1\r\n2\r\n$-1\r\n");
  EXPECT_EQ(node_.Do("SORT l BY w* STORE l"), ":3\r\n");
  EXPECT_EQ(node_.Do("LRANGE l 0 0"), "*1\r\n$1\r\n3\r\n");
  EXPECT_EQ(node_.Do("SORT_RO l STORE x"), "-ERR syntax error\r\n");
  node_.Do("RPUSH l x");
  EXPECT_EQ(node_.Do("SORT l"), "-ERR One or more scores can't be converted into double\r\n");
  EXPECT_EQ(node_.Do("COMMAND GETKEYS SORT l BY w* STORE t"), "*2\r\n$1\r\nl\r\n$1\r\nt\r\n");
}

TEST_F(DumpTest, ObjectEncodingFollowsRedisThresholds) {
  node_.Do("HSET h f v");
  node_.Do("ZADD z 1 m");
  node_.Do("RPUSH l x");
  EXPECT_EQ(node_.Do("OBJECT ENCODING h"), "$8\r\nlistpack\r\n");
  EXPECT_EQ(node_.Do("OBJECT ENCODING z"), "$8\r\nlistpack\r\n");
  EXPECT_EQ(node_.Do("OBJECT ENCODING l"), "$9\r\nquicklist\r\n");
  node_.Do({"HSET", "h", "g", std::string(65, 'x')});
  for (int i = 0; i < 128; ++i) node_.Do("ZADD z 1 " + std::to_string(i));
  EXPECT_EQ(node_.Do("OBJECT ENCODING h"), "$9\r\nhashtable\r\n");
  EXPECT_EQ(node_.Do("OBJECT ENCODING z"), "$8\r\nskiplist\r\n");
}

}  // namespace
}  // namespace starling
