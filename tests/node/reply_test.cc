#include "node/reply.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace starling {
namespace {

template <typename Write>
std::string Written(int protocol, Write write) {
  std::string out;
  Reply reply(out, protocol);
  write(reply);
  return out;
}

TEST(Reply, LeavesOutWhatIsBeyondItsLimitAndAllThatFollows) {  // I9
  for (int protocol : {2, 3}) {
    std::string out;
    Reply reply(out, protocol, 100);
    reply.Bulk(std::string(40, 'a'));
    EXPECT_FALSE(reply.cut());
    const size_t whole = out.size();
    reply.Bulk(std::string(80, 'b'));
    reply.Bulk("c");
    reply.Double(1.5);
    reply.Verbatim("d");
    EXPECT_TRUE(reply.cut());
    EXPECT_EQ(out.size(), whole);
  }
}

TEST(Reply, WritesWhatBothProtocolsShare) {
  for (int protocol : {2, 3}) {
    EXPECT_EQ(Written(protocol, [](Reply& r) { r.Ok(); }), "+OK\r\n");
    EXPECT_EQ(Written(protocol, [](Reply& r) { r.Integer(-42); }), ":-42\r\n");
    EXPECT_EQ(Written(protocol, [](Reply& r) { r.Bulk("a\r\nb"); }), "$4\r\na\r\nb\r\n");
    EXPECT_EQ(Written(protocol, [](Reply& r) { r.Bulk(""); }), "$0\r\n\r\n");
    EXPECT_EQ(Written(protocol, [](Reply& r) { r.Array(3); }), "*3\r\n");
    EXPECT_EQ(
        Written(protocol, [](Reply& r) { r.BulkInteger(std::numeric_limits<int64_t>::min()); }),
        "$20\r\n-9223372036854775808\r\n");
  }
}

TEST(Reply, AnErrorNeverBreaksTheLine) {
  EXPECT_EQ(Written(2, [](Reply& r) { r.Error("ERR a\r\nb\r\n"); }), "-ERR a  b\r\n");
}

TEST(Reply, GivesTheRicherTypesOfResp3TheirOldShapeInResp2) {
  struct Row {
    void (*write)(Reply&);
    const char* resp2;
    const char* resp3;
  };
  const Row rows[] = {
      {[](Reply& r) { r.Null(); }, "$-1\r\n", "_\r\n"},
      {[](Reply& r) { r.NullArray(); }, "*-1\r\n", "_\r\n"},
      {[](Reply& r) { r.Map(2); }, "*4\r\n", "%2\r\n"},
      {[](Reply& r) { r.Set(2); }, "*2\r\n", "~2\r\n"},
      {[](Reply& r) { r.Push(2); }, "*2\r\n", ">2\r\n"},
      {[](Reply& r) { r.Boolean(true); }, ":1\r\n", "#t\r\n"},
      {[](Reply& r) { r.Boolean(false); }, ":0\r\n", "#f\r\n"},
      {[](Reply& r) { r.Double(1.5); }, "$3\r\n1.5\r\n", ",1.5\r\n"},
      {[](Reply& r) { r.Double(0.1); }, "$19\r\n0.10000000000000001\r\n",
       ",0.10000000000000001\r\n"},
      {[](Reply& r) { r.Double(INFINITY); }, "$3\r\ninf\r\n", ",inf\r\n"},
      {[](Reply& r) { r.Double(-INFINITY); }, "$4\r\n-inf\r\n", ",-inf\r\n"},
      {[](Reply& r) { r.Verbatim("hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
      {[](Reply& r) { r.BigNumber("123"); }, "$3\r\n123\r\n", "(123\r\n"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Written(2, row.write), row.resp2);
    EXPECT_EQ(Written(3, row.write), row.resp3);
  }
}

}  // namespace
}  // namespace starling
