// Strings and counters under one node's locks.
#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "tests/storage/one_node.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

TEST(KeyspaceStrings, SetReplacesAndDeleteSaysWhetherItWasThere) {
  OneNode node;
  EXPECT_FALSE(node.Get("k"));
  node.Set("k", "one");
  node.Set("k", "two");
  EXPECT_EQ(node.Get("k"), "two");
  EXPECT_EQ(node.Size(), 1u);
  EXPECT_TRUE(node.Delete("k"));
  EXPECT_FALSE(node.Delete("k"));
  EXPECT_FALSE(node.Get("k"));
  EXPECT_EQ(node.Size(), 0u);
}

TEST(KeyspaceStrings, KeepTextThatOnlyLooksLikeANumberAsItIs) {
  OneNode node;
  for (const char* text : {"007", "+1", " 1", "1 ", "-0", "9223372036854775808", "", "1.50"}) {
    node.Set("k", text);
    EXPECT_EQ(node.Get("k"), text);
  }
}

TEST(KeyspaceStrings, HoldValuesAroundTheLengthsWhereTheyMoveElsewhere) {
  OneNode node;
  for (const size_t size : {0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 5000, 1 << 20}) {
    const std::string text(size, 'v');
    node.Set("k", text);
    EXPECT_EQ(node.Get("k"), text) << size;
    node.Set("k", "short");
    EXPECT_EQ(node.Get("k"), "short") << size;
    node.Set("k", text);
    node.Set("k", text + "x");
    EXPECT_EQ(node.Get("k"), text + "x") << size;
    EXPECT_TRUE(node.Delete("k"));
  }
}

TEST(KeyspaceStrings, HoldKeysOfNoBytesAndOfAHundredThousand) {
  OneNode node;
  const std::string long_key(100'000, 'k');
  node.Set("", "empty");
  node.Set(long_key, "long");
  node.Set(long_key + "2", std::string(3000, 'v'));
  EXPECT_EQ(node.Get(""), "empty");
  EXPECT_EQ(node.Get(long_key), "long");
  EXPECT_EQ(node.Get(long_key + "2"), std::string(3000, 'v'));
  EXPECT_EQ(node.Keys(), (std::set<std::string>{"", long_key, long_key + "2"}));
  EXPECT_TRUE(node.Delete(""));
  EXPECT_TRUE(node.Delete(long_key));
  EXPECT_EQ(node.Size(), 1u);
}

TEST(KeyspaceStrings, GiveMemoryBackWhenDeletedAndFreed) {
  OneNode node;
  const size_t empty = node.keyspace.memory_bytes();
  for (int i = 0; i < 1000; ++i) node.Set("k" + std::to_string(i), std::string(4000, 'v'));
  EXPECT_GT(node.keyspace.memory_bytes(), empty + 1000 * 4000);
  for (int i = 0; i < 1000; ++i) node.Delete("k" + std::to_string(i));
  EXPECT_LT(node.keyspace.memory_bytes(), empty + 1'000'000);
  EXPECT_EQ(node.FreeAll(), 1000u);
  EXPECT_EQ(node.keyspace.tombstones(), 0u);
  // What stays: a few table buckets and one chunk a shard at most.
  EXPECT_LT(node.keyspace.memory_bytes(), empty + 200'000);
}

TEST(KeyspaceCounters, AddUpFromNothingAndFromSetText) {
  OneNode node;
  EXPECT_EQ(*node.Increment("c", 5), 5);
  EXPECT_EQ(*node.Increment("c", -7), -2);
  EXPECT_EQ(node.Get("c"), "-2");
  node.Set("c", "100");
  EXPECT_EQ(*node.Increment("c"), 101);
  EXPECT_EQ(node.Get("c"), "101");
}

TEST(KeyspaceCounters, RefuseWhatHoldsNoIntegerAndChangeNothing) {  // I13
  OneNode node;
  for (const char* text : {"abc", "1.5", "", "9223372036854775808"}) {
    node.Set("k", text);
    const Result<int64_t> result = node.Increment("k");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kInvalidArgument);
    EXPECT_EQ(node.Get("k"), text);
  }
  node.Add("s", "member");
  EXPECT_EQ(node.Increment("s").error().code, Code::kWrongType);
  EXPECT_EQ(node.Members("s"), (std::set<std::string>{"member"}));
}

TEST(KeyspaceCounters, RefuseSumsBeyondSixtyFourBits) {
  OneNode node;
  EXPECT_EQ(*node.Increment("c", kLargest), kLargest);
  EXPECT_EQ(node.Increment("c", 1).error().code, Code::kOutOfRange);
  EXPECT_EQ(node.Get("c"), std::to_string(kLargest));
  node.Set("d", std::to_string(kLeast));
  EXPECT_EQ(node.Increment("d", -1).error().code, Code::kOutOfRange);
  EXPECT_EQ(*node.Increment("d", kLargest), -1);
}

TEST(KeyspaceCounters, AnswerClampedWhatMergedBeyondSixtyFourBits) {
  OneNode a(1), b(2);
  ASSERT_TRUE(a.Increment("c", kLargest));
  ASSERT_TRUE(b.Increment("c", kLargest));
  a.Take(b.Flush());
  EXPECT_EQ(a.Get("c"), std::to_string(kLargest));
  EXPECT_EQ(a.Increment("c", 1).error().code, Code::kOutOfRange);
  EXPECT_EQ(*a.Increment("c", -kLargest), kLargest);  // the sum itself was never clamped
}

TEST(KeyspaceCounters, NetsOfHostileSizeNeverOverflowTheSum) {  // I11
  OneNode node;
  constexpr auto kHuge = static_cast<__int128>(~static_cast<unsigned __int128>(0) >> 1);
  for (uint64_t origin = 2; origin < 4; ++origin) {
    Item item;
    item.part = Part::kSlot;
    item.key = "c";
    item.origin = OriginOf(origin);
    item.stamp = item.at = Stamp::FirstOf(1000);
    item.value = Value::OfNumber({kHuge, 0});
    node.keyspace.Merge(std::span(&item, 1));
  }
  EXPECT_EQ(node.Get("c"), std::to_string(kLargest));
  EXPECT_EQ(node.Increment("c", kLargest).error().code, Code::kOutOfRange);
  node.Lock("c").ResetCounter(node.Ref("c"), -1);
}

TEST(KeyspaceCounters, AddDecimalsExactly) {
  OneNode node;
  const auto add = [&](const char* by) {
    return node.Lock("f").IncrementDecimal(node.Ref("f"), *Number::ParseDecimal(by));
  };
  EXPECT_EQ(add("0.1")->ToString(), "0.1");
  EXPECT_EQ(add("0.2")->ToString(), "0.3");
  node.Set("f", "10.50");
  EXPECT_EQ(add("0.1")->ToString(), "10.6");
  EXPECT_EQ(add("5.0e3")->ToString(), "5010.6");
  EXPECT_EQ(node.Increment("f").error().code, Code::kInvalidArgument);
  node.Set("f", "text");
  EXPECT_EQ(add("1").error().code, Code::kInvalidArgument);
}

TEST(KeyspaceCounters, RefuseADecimalThatTheirOwnNetCannotHold) {
  OneNode node;
  const auto add = [&](const char* by) {
    return node.Lock("f").IncrementDecimal(node.Ref("f"), *Number::ParseDecimal(by));
  };
  node.Set("f", "-1e30");
  ASSERT_EQ(add("1e30")->ToString(), "0");  // the base cancels the net
  const Result<Number> result = add("0.00000000000000001");
  // Acknowledged only if it counts.
  EXPECT_EQ(node.Get("f"), result ? result->ToString() : "0");
}

TEST(KeyspaceCounters, ResetKeepsWhatOthersAddMeanwhile) {  // GETSET k 0
  OneNode a(1), b(2);
  ASSERT_TRUE(a.Increment("c", 10));
  b.Take(a.Flush());
  ASSERT_TRUE(b.Increment("c", 3));
  a.Expire("c", 1h);
  a.Lock("c").ResetCounter(a.Ref("c"), 0);
  EXPECT_EQ(a.Get("c"), "0");
  EXPECT_FALSE(a.Deadline("c"));
  a.Take(b.Flush());
  b.Take(a.Flush());
  EXPECT_EQ(a.Get("c"), "3");
  EXPECT_EQ(b.Get("c"), "3");
  a.Set("t", "text");
  a.Lock("t").ResetCounter(a.Ref("t"), 7);
  EXPECT_EQ(a.Get("t"), "7");
}

TEST(KeyspaceCounters, EveryWriteDrawsItsOwnStamp) {  // counterexample 12: SET c 5; INCR c
  OneNode a(1), b(2);
  {
    Access access = a.Lock("c");
    access.SetString(a.Ref("c"), "5");
    ASSERT_TRUE(access.Increment(a.Ref("c"), 1));
    ASSERT_TRUE(access.Delete(a.Ref("c")));
    ASSERT_TRUE(access.Increment(a.Ref("c"), 2));
  }
  b.Take(a.Flush());
  EXPECT_EQ(a.Get("c"), "2");
  EXPECT_EQ(b.Get("c"), "2");
}

TEST(KeyspaceCounters, LoseNothingBetweenThreads) {
  OneNode node;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 5000; ++n) {
        const std::string key = "c" + std::to_string(n % 7);
        Access access = node.keyspace.Lock(node.Ref(key));
        ASSERT_TRUE(access.Increment(node.Ref(key), 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t sum = 0;
  for (int k = 0; k < 7; ++k) sum += std::stoll(*node.Get("c" + std::to_string(k)));
  EXPECT_EQ(sum, 20'000);
}

TEST(KeyspaceCopy, WritesTheObservedStateAnew) {
  OneNode node;
  const auto copy = [&](const char* from, const char* to) {
    const KeyRef keys[] = {node.Ref(from), node.Ref(to)};
    return node.keyspace.Lock(keys).Copy(keys[0], keys[1]);
  };
  EXPECT_FALSE(copy("missing", "to"));
  const std::string text(3000, 'v');
  node.Set("from", text);
  node.Expire("from", 1h);
  EXPECT_TRUE(copy("from", "to"));
  EXPECT_EQ(node.Get("to"), text);
  EXPECT_EQ(node.Deadline("to"), node.Deadline("from"));
  ASSERT_TRUE(node.Increment("counter", 4));
  EXPECT_TRUE(copy("counter", "to"));
  EXPECT_EQ(node.Get("to"), "4");
  EXPECT_FALSE(node.Deadline("to"));
  for (int i = 0; i < 100; ++i) node.Add("set", "m" + std::to_string(i));
  EXPECT_TRUE(copy("set", "to"));
  EXPECT_EQ(node.Type("to"), KeyType::kSet);
  EXPECT_EQ(node.Members("to"), node.Members("set"));
  EXPECT_TRUE(copy("counter", "set"));
  EXPECT_EQ(node.Get("set"), "4");
  EXPECT_EQ(node.Size(), 4u);
}

}  // namespace
}  // namespace starling
