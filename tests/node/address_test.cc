#include "node/address.h"

#include <string>

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(Address, ParsesWhatItFormats) {
  for (const std::string text : {"host:1", "127.0.0.1:65535", "[::1]:7000", "a.b-c:16379"}) {
    const Result<Endpoint> endpoint = ParseEndpoint(text);
    ASSERT_TRUE(endpoint.ok()) << text;
    EXPECT_EQ(FormatEndpoint(*endpoint), text);
  }
}

TEST(Address, NamesWhatIsWrongWithABadOne) {
  for (const std::string text : {"", ":", "host", "host:", ":80", "host:0", "host:65536", "host:x",
                                 "host:1x", "::1:80", "[::1]", "[::1]80"}) {
    const Result<Endpoint> endpoint = ParseEndpoint(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint.error().code, Code::kInvalidArgument);
    EXPECT_NE(endpoint.error().message.find("'" + text + "'"), std::string::npos);
  }
}

TEST(Address, CountsThisNodeOnceWhetherTheListNamesItOrNot) {
  EXPECT_EQ(MembersNamed({"127.0.0.1:7001", "127.0.0.1:7002"}, "127.0.0.1", 7000), 3);
  EXPECT_EQ(MembersNamed({"127.0.0.1:7000", "127.0.0.1:7001", "127.0.0.1:7002"}, "127.0.0.1", 7000),
            3);
  EXPECT_EQ(MembersNamed({"localhost:7000", "127.0.0.1:7001"}, "127.0.0.1", 7000), 2);
  // Clusters on one host tell members apart by loopback addresses.
  EXPECT_EQ(MembersNamed({"127.0.0.1:7000", "127.0.0.2:7000"}, "127.0.0.1", 7000), 2);
  EXPECT_EQ(MembersNamed({"127.0.0.2:7000"}, "127.0.0.1", 7000), 2);
}

TEST(Address, AdvertisesWhatOthersCanReach) {
  EXPECT_EQ(AdvertisedHost("127.0.0.1", ""), "127.0.0.1");
  EXPECT_EQ(AdvertisedHost("0.0.0.0", "node-1"), "node-1");
  EXPECT_FALSE(IsAnyAddress(AdvertisedHost("0.0.0.0", "")));
  EXPECT_FALSE(IsAnyAddress(AdvertisedHost("::", "")));
}

TEST(Address, PlainNamesAreSafeAsFileNames) {
  EXPECT_TRUE(IsPlainName("host-1.my_cluster"));
  EXPECT_TRUE(IsPlainName(std::string(128, 'x')));
  for (const std::string& name :
       {std::string(), std::string("."), std::string("../x"), std::string("a/b"),
        std::string("a b"), std::string("a\n"), std::string(129, 'x')}) {
    EXPECT_FALSE(IsPlainName(name)) << name;
  }
}

}  // namespace
}  // namespace starling
