#include "starling/kv.h"

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/node/node_fixture.h"

namespace starling {
namespace {

using std::chrono::milliseconds;

class KvTest : public NodeFixture {
 protected:
  Node node_ = Open(Ephemeral("node"));
  Kv kv_ = node_.kv();
};

TEST_F(KvTest, ReadsWhatItWrote) {
  EXPECT_FALSE(kv_.Get("k")->has_value());
  const std::string binary("\0\r\n\xFF", 4);
  for (const std::string& value :
       {std::string("v"), std::string(), std::string("123"), binary, std::string(100'000, 'x'),
        std::string("-0"), std::string("007")}) {
    ASSERT_TRUE(kv_.Set("k", value).ok());
    EXPECT_EQ(*kv_.Get("k"), value);
  }
  EXPECT_TRUE(*kv_.Delete("k"));
  EXPECT_FALSE(*kv_.Delete("k"));
  EXPECT_FALSE(kv_.Get("k")->has_value());
}

TEST_F(KvTest, FillsACallersBuffer) {
  std::string buffer = "old";
  EXPECT_FALSE(*kv_.Get("k", buffer));
  EXPECT_EQ(buffer, "");
  ASSERT_TRUE(kv_.Set("k", "new").ok());
  EXPECT_TRUE(*kv_.Get("k", buffer));
  EXPECT_EQ(buffer, "new");
}

TEST_F(KvTest, KeysExpire) {
  ASSERT_TRUE(kv_.Set("k", "v", milliseconds(20)).ok());
  EXPECT_TRUE(Eventually([&] { return !kv_.Get("k")->has_value(); }));
}

TEST_F(KvTest, TellsAndChangesTheTimeToLive) {
  EXPECT_FALSE(kv_.Ttl("k")->exists);
  EXPECT_FALSE(*kv_.Expire("k", milliseconds(1000)));
  ASSERT_TRUE(kv_.Set("k", "v").ok());
  EXPECT_TRUE(kv_.Ttl("k")->exists);
  EXPECT_FALSE(kv_.Ttl("k")->remaining.has_value());
  EXPECT_TRUE(*kv_.Expire("k", milliseconds(600'000)));
  EXPECT_GT(*kv_.Ttl("k")->remaining, milliseconds(500'000));
  EXPECT_LE(*kv_.Ttl("k")->remaining, milliseconds(600'000));
  EXPECT_TRUE(*kv_.Persist("k"));
  EXPECT_FALSE(*kv_.Persist("k"));
  EXPECT_FALSE(kv_.Ttl("k")->remaining.has_value());
  EXPECT_TRUE(*kv_.Expire("k", milliseconds(0)));
  EXPECT_FALSE(kv_.Ttl("k")->exists) << "no time to live is a deletion";
}

TEST_F(KvTest, RefusesTimesThatMakeNoSense) {
  EXPECT_EQ(kv_.Set("k", "v", milliseconds(0)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(kv_.Set("k", "v", milliseconds(-5)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(kv_.Set("k", "v", milliseconds::max()).error().code, Code::kInvalidArgument);
  EXPECT_EQ(kv_.Expire("k", milliseconds::max()).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(kv_.Get("k")->has_value());
}

TEST_F(KvTest, ScansByPrefix) {
  std::set<std::string> expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string name = (i % 3 == 0 ? "user:" : "other:") + std::to_string(i);
    ASSERT_TRUE(kv_.Set(name, "v").ok());
    if (i % 3 == 0) expected.insert(name);
  }
  std::set<std::string> seen;
  ASSERT_TRUE(kv_.Scan("user:",
                       [&](std::string_view name) {
                         seen.emplace(name);
                         EXPECT_TRUE(kv_.Get(name)->has_value()) << "the visitor may call back";
                         return true;
                       })
                  .ok());
  EXPECT_EQ(seen, expected);

  int visits = 0;
  ASSERT_TRUE(kv_.Scan("", [&](std::string_view) { return ++visits < 10; }).ok());
  EXPECT_EQ(visits, 10) << "the visitor may end it";
}

TEST_F(KvTest, ThreadsWriteAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kKeys = 5000;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      Kv mine = node_.kv();
      for (int i = 0; i < kKeys; ++i) {
        const std::string name = std::to_string(i % 100) + ":" + std::to_string(thread);
        ASSERT_TRUE(mine.Set(name, std::to_string(i)).ok());
        ASSERT_EQ(*mine.Get(name), std::to_string(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(node_.Statistics().keys, 100u * kThreads);
}

TEST_F(KvTest, AnswersClosedAfterItsNode) {
  ASSERT_TRUE(node_.Close().ok());
  std::string buffer;
  EXPECT_EQ(kv_.Get("k").error().code, Code::kClosed);
  EXPECT_EQ(kv_.Get("k", buffer).error().code, Code::kClosed);
  EXPECT_EQ(kv_.Set("k", "v").error().code, Code::kClosed);
  EXPECT_EQ(kv_.Delete("k").error().code, Code::kClosed);
  EXPECT_EQ(kv_.Ttl("k").error().code, Code::kClosed);
  EXPECT_EQ(kv_.Scan("", [](std::string_view) { return true; }).error().code, Code::kClosed);
}

}  // namespace
}  // namespace starling
