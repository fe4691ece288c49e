// Sorted sets and lists through Access: order, positions, scores that add up, list places.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "storage/key_description.h"
#include "tests/storage/one_node.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

constexpr ElementType kZset = ElementType::kSortedSet;
constexpr ElementType kHash = ElementType::kHash;
constexpr ElementType kList = ElementType::kList;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void SetScore(OneNode& node, std::string_view key, std::string_view member, double score) {
  ScoreText text;
  node.Lock(key).AddElement(node.Ref(key), kZset, member, ScoreValue(score, text));
}

double Score(OneNode& node, std::string_view key, std::string_view member) {
  return node.Lock(key).Score(node.Ref(key), member).value_or(NAN);
}

using Ranked = std::vector<std::pair<std::string, double>>;

Ranked InOrder(OneNode& node, std::string_view key, size_t first = 0, size_t count = SIZE_MAX,
               bool reverse = false) {
  Ranked found;
  node.Lock(key).ForEachInOrder(node.Ref(key), kZset, first, count, reverse,
                                [&](std::string_view id, const Value& payload) {
                                  found.emplace_back(id, ScoreOf(payload));
                                  return true;
                                });
  return found;
}

std::vector<std::string> List(OneNode& node, std::string_view key, size_t first = 0,
                              size_t count = SIZE_MAX, bool reverse = false) {
  std::vector<std::string> found;
  node.Lock(key).ForEachInOrder(node.Ref(key), kList, first, count, reverse,
                                [&](std::string_view, const Value& payload) {
                                  std::string buffer;
                                  found.emplace_back(TextOf(payload, buffer));
                                  return true;
                                });
  return found;
}

void Push(OneNode& node, std::string_view key, std::string_view text, bool left = false) {
  node.Lock(key).PushElement(node.Ref(key), left, Value::FromText(text));
}

void Insert(OneNode& node, std::string_view key, size_t index, std::string_view text) {
  node.Lock(key).InsertElementAt(node.Ref(key), index, Value::FromText(text));
}

/// Each takes what the other wrote.
void Exchange(OneNode& a, OneNode& b) {
  const SharedBytes from_a = a.Flush();
  a.Take(b.Flush());
  b.Take(from_a);
}

TEST(Scores, SurviveWhateverTheyAre) {
  OneNode node;
  std::mt19937_64 random(3);
  std::vector<double> scores = {0.0,
                                -0.0,
                                1,
                                -1,
                                0.1,
                                1e17,
                                1e18,
                                1e300,
                                -1e300,
                                5e-324,
                                1e-20,
                                kInfinity,
                                -kInfinity,
                                0.012345678901234567,
                                123456789.123456789,
                                9007199254740993.0,
                                1.7976931348623157e308,
                                170141183460469e24};
  for (int i = 0; i < 2000; ++i) {
    const double drawn = std::bit_cast<double>(random());
    if (!std::isnan(drawn)) scores.push_back(drawn);
    scores.push_back(static_cast<double>(random()) / 1e19);
  }
  for (const double score : scores) {
    SetScore(node, "z", "m", score);
    const double read = Score(node, "z", "m");
    EXPECT_EQ(std::bit_cast<uint64_t>(read), std::bit_cast<uint64_t>(score)) << score;
  }
}

TEST(Scores, OfExactAmountsAddUpFromBothSides) {  // I2
  OneNode a(1), b(2);
  SetScore(a, "z", "m", 10);
  b.Take(a.Flush());
  EXPECT_EQ(*a.Lock("z").IncrementScore(a.Ref("z"), "m", 0.1), 10.1);
  EXPECT_EQ(*b.Lock("z").IncrementScore(b.Ref("z"), "m", -3), 7);
  EXPECT_EQ(*b.Lock("z").IncrementScore(b.Ref("z"), "new", 2.5), 2.5);
  EXPECT_EQ(*a.Lock("z").IncrementScore(a.Ref("z"), "new", 2.5), 2.5);
  Exchange(a, b);
  EXPECT_EQ(Score(a, "z", "m"), 7.1);
  EXPECT_EQ(Score(a, "z", "new"), 5);
  EXPECT_EQ(InOrder(a, "z"), InOrder(b, "z"));
}

TEST(Scores, ThatNoNumberStandsForStillAddUp) {
  OneNode a(1), b(2);
  SetScore(a, "z", "m", 1e-20);
  b.Take(a.Flush());
  EXPECT_EQ(*a.Lock("z").IncrementScore(a.Ref("z"), "m", 1), 1);
  EXPECT_EQ(*b.Lock("z").IncrementScore(b.Ref("z"), "m", 2), 2);
  Exchange(a, b);
  EXPECT_EQ(Score(a, "z", "m"), 3);
  EXPECT_EQ(Score(b, "z", "m"), 3);
  EXPECT_EQ(ScoreOf(*a.Lock("z").GetElement(a.Ref("z"), kZset, "m")), 3);
}

TEST(Scores, BeyondNumbersAreWrittenWhole) {
  OneNode node;
  SetScore(node, "z", "m", 5);
  EXPECT_EQ(*node.Lock("z").IncrementScore(node.Ref("z"), "m", kInfinity), kInfinity);
  EXPECT_EQ(*node.Lock("z").IncrementScore(node.Ref("z"), "m", 7), kInfinity);
  const auto refused = node.Lock("z").IncrementScore(node.Ref("z"), "m", -kInfinity);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kOutOfRange);
  EXPECT_EQ(Score(node, "z", "m"), kInfinity);
  SetScore(node, "z", "n", 1e38);
  EXPECT_EQ(*node.Lock("z").IncrementScore(node.Ref("z"), "n", 1e38), 2e38);
  EXPECT_EQ(*node.Lock("z").IncrementScore(node.Ref("z"), "n", 1e300), 1e300 + 2e38);
}

TEST(SortedSets, AreInOrderOfScoreThenMember) {
  OneNode node;
  SetScore(node, "z", "b", 1);
  SetScore(node, "z", "a", 1);
  SetScore(node, "z", "low", -kInfinity);
  SetScore(node, "z", "high", 1e300);
  SetScore(node, "z", "c", 0.5);
  const Ranked all = {{"low", -kInfinity}, {"c", 0.5}, {"a", 1}, {"b", 1}, {"high", 1e300}};
  EXPECT_EQ(InOrder(node, "z"), all);
  EXPECT_EQ(InOrder(node, "z", 1, 2, true), (Ranked{{"b", 1}, {"a", 1}}));
  EXPECT_EQ(InOrder(node, "z", 5), Ranked{});
  Access access = node.Lock("z");
  const KeyRef key = node.Ref("z");
  EXPECT_EQ(access.RankOf(key, kZset, "b"), 3u);
  EXPECT_EQ(access.RankOf(key, kZset, "none"), std::nullopt);
  EXPECT_EQ(access.CountBelow(key, 1, false), 2u);
  EXPECT_EQ(access.CountBelow(key, 1, true), 4u);
  EXPECT_EQ(access.CountBelow(key, kInfinity, true), 5u);
  EXPECT_EQ(access.RemoveRange(key, kZset, 1, 2), 2u);
  EXPECT_EQ(access.RankOf(key, kZset, "b"), 1u);
}

TEST(SortedSets, OfManyMembersKnowEveryRank) {
  OneNode node;
  std::mt19937_64 random(5);
  std::map<std::string, double> scores;
  const KeyRef key = node.Ref("z");
  for (int step = 0; step < 20'000; ++step) {
    const std::string member = "m" + std::to_string(random() % 3000);
    const double score = static_cast<double>(random() % 500) / 4;
    switch (random() % 4) {
      case 0:
        EXPECT_EQ(node.Lock("z").RemoveElement(key, kZset, member), scores.erase(member) == 1);
        break;
      case 1:
        ASSERT_TRUE(node.Lock("z").IncrementScore(key, member, score));
        scores[member] += score;
        break;
      default:
        SetScore(node, "z", member, score);
        scores[member] = score;
    }
  }
  std::set<std::pair<double, std::string>> order;
  for (const auto& [member, score] : scores) order.emplace(score, member);
  const Ranked found = InOrder(node, "z");
  ASSERT_EQ(found.size(), order.size());
  size_t rank = 0;
  Access access = node.Lock("z");
  for (const auto& [score, member] : order) {
    EXPECT_EQ(found[rank], std::pair(member, score));
    EXPECT_EQ(access.RankOf(key, kZset, member), rank);
    EXPECT_LE(access.CountBelow(key, score, false), rank);
    EXPECT_GT(access.CountBelow(key, score, true), rank++);
  }
}

TEST(NumericFields, AddUpAndRefuseWhatIsNoInteger) {  // I2
  OneNode a(1), b(2);
  const auto add = [](OneNode& node, std::string_view field, int64_t by) {
    return node.Lock("h").IncrementElement(node.Ref("h"), kHash, field, by);
  };
  a.Lock("h").AddElement(a.Ref("h"), kHash, "n", Value::FromText("10"));
  a.Lock("h").AddElement(a.Ref("h"), kHash, "agent", Value::FromText("007"));
  a.Lock("h").AddElement(a.Ref("h"), kHash, "max", Value::FromText("9223372036854775807"));
  b.Take(a.Flush());
  EXPECT_EQ(*add(a, "n", 5), 15);
  EXPECT_EQ(*add(b, "n", -20), -10);
  EXPECT_EQ(*add(a, "fresh", 1), 1);
  EXPECT_EQ(*add(b, "fresh", 1), 1);
  EXPECT_EQ(add(a, "agent", 1).error().code, Code::kInvalidArgument);
  EXPECT_EQ(add(a, "max", 1).error().code, Code::kOutOfRange);
  EXPECT_EQ(*add(a, "max", -1), 9223372036854775806);
  Exchange(a, b);
  for (OneNode* node : {&a, &b}) {
    EXPECT_EQ(*add(*node, "n", 0), -5);
    EXPECT_EQ(*add(*node, "fresh", 0), 2);
    std::string buffer;
    EXPECT_EQ(TextOf(*node->Lock("h").GetElement(node->Ref("h"), kHash, "agent"), buffer), "007");
  }
}

TEST(NumericFields, AddDecimalsExactly) {
  OneNode a(1), b(2);
  const auto add = [](OneNode& node, std::string_view by) {
    return node.Lock("h").IncrementElementDecimal(node.Ref("h"), kHash, "f",
                                                  *Number::ParseDecimal(by));
  };
  a.Lock("h").AddElement(a.Ref("h"), kHash, "f", Value::FromText("10.50"));
  b.Take(a.Flush());
  EXPECT_EQ(add(a, "0.1")->ToString(), "10.6");
  EXPECT_EQ(add(b, "0.2")->ToString(), "10.7");
  Exchange(a, b);
  EXPECT_EQ(add(a, "0")->ToString(), "10.8");
  a.Lock("h").AddElement(a.Ref("h"), kHash, "f", Value::FromText("text"));
  EXPECT_EQ(add(a, "1").error().code, Code::kInvalidArgument);
}

TEST(Lists, TakeElementsAtBothEndsAndBetween) {
  OneNode node;
  Push(node, "l", "c");
  Push(node, "l", "d");
  Push(node, "l", "b", true);
  Push(node, "l", "a", true);
  Insert(node, "l", 2, "between");
  Insert(node, "l", 0, "first");
  Insert(node, "l", 6, "7");
  EXPECT_EQ(List(node, "l"),
            (std::vector<std::string>{"first", "a", "b", "between", "c", "d", "7"}));
  EXPECT_EQ(List(node, "l", 1, 2, true), (std::vector<std::string>{"d", "c"}));
  Access access = node.Lock("l");
  const KeyRef key = node.Ref("l");
  EXPECT_EQ(access.ElementAt(key, 3)->bytes, "between");
  EXPECT_FALSE(access.ElementAt(key, 7));
  access.SetElementAt(key, 3, Value::Bytes("changed"));
  EXPECT_EQ(access.ElementAt(key, 3)->bytes, "changed");
  EXPECT_EQ(access.Find(key)->size, 7u);
  EXPECT_EQ(access.RemoveRange(key, kList, 1, 5), 5u);
  EXPECT_EQ(access.Find(key)->size, 2u);
}

TEST(Lists, EndWithTheirLastElementAndLoseTheirDeadline) {
  OneNode node;
  Push(node, "l", "a");
  EXPECT_EQ(node.Type("l"), KeyType::kList);
  node.Expire("l", 1h);
  EXPECT_EQ(node.Lock("l").RemoveRange(node.Ref("l"), kList, 0, 5), 1u);
  EXPECT_EQ(node.Type("l"), KeyType::kNone);
  Push(node, "l", "b");
  EXPECT_FALSE(node.Deadline("l"));
}

TEST(Lists, KeepTheirOrderUnderAnyInsertions) {
  OneNode node;
  std::mt19937_64 random(11);
  std::vector<std::string> model;
  const KeyRef key = node.Ref("l");
  for (int step = 0; step < 6000; ++step) {
    const std::string text = std::to_string(step);
    const size_t at = random() % (model.size() + 1);
    switch (random() % 6) {
      case 0:
        Push(node, "l", text, true);
        model.insert(model.begin(), text);
        break;
      case 1:
        Push(node, "l", text);
        model.push_back(text);
        break;
      case 2:
        node.Lock("l").RemoveRange(key, kList, at, 1);
        if (at < model.size()) model.erase(model.begin() + static_cast<ptrdiff_t>(at));
        break;
      default:
        Insert(node, "l", at, text);
        model.insert(model.begin() + static_cast<ptrdiff_t>(at), text);
    }
  }
  EXPECT_EQ(List(node, "l"), model);
}

TEST(Lists, KeepTheirPlacesShortWhereverInsertionsNest) {  // I9
  OneNode node;
  std::vector<std::string> model = {"left", "right"};
  Push(node, "l", "left");
  Push(node, "l", "right");
  for (int i = 0; i < 500; ++i) {
    // Always between the two that were inserted last.
    const size_t at = model.size() / 2;
    Insert(node, "l", at, std::to_string(i));
    model.insert(model.begin() + static_cast<ptrdiff_t>(at), std::to_string(i));
  }
  EXPECT_EQ(List(node, "l"), model);
  size_t longest = 0;
  node.Lock("l").ForEachElement(node.Ref("l"), kList, [&](std::string_view id, const Value&) {
    longest = std::max(longest, id.size());
  });
  EXPECT_LE(longest, 500u);
}

TEST(Lists, PushedToOnTwoNodesHoldAllInOneOrder) {  // counterexample 13
  OneNode a(1), b(2);
  Push(a, "l", "middle");
  b.Take(a.Flush());
  for (int i = 0; i < 3; ++i) {
    Push(a, "l", "a" + std::to_string(i), i == 1);
    Push(b, "l", "b" + std::to_string(i), i == 1);
  }
  Insert(a, "l", 2, "inserted by a");
  Insert(b, "l", 2, "inserted by b");
  Exchange(a, b);
  EXPECT_EQ(List(a, "l").size(), 9u);
  EXPECT_EQ(List(a, "l"), List(b, "l"));
}

TEST(LargeCollections, AreWalkedInBoundedSteps) {  // I9
  OneNode node;
  for (int i = 0; i < 3000; ++i) {
    const std::string id = "member " + std::to_string(i);
    SetScore(node, "z", id, i);
    node.Add("s", id);
    Push(node, "l", id, i % 2 == 0);
  }
  node.Set("k", "v");
  std::multiset<std::string> lines;
  WalkPosition position;
  size_t steps = 0;
  bool done = false;
  while (!done) {
    size_t bytes = 0;
    done = node.keyspace.Walk(position, {}, 10'000, [&](const Item& item) {
      bytes += item.key.size() + item.element.size() + item.value.bytes.size();
      lines.insert(ItemText(item));
    });
    EXPECT_LT(bytes, 40'000u);
    // What changes meanwhile is seen as it was or as it is.
    node.Add("s", "added " + std::to_string(++steps));
    node.Lock("l").RemoveRange(node.Ref("l"), kList, 0, 1);
  }
  EXPECT_GT(steps, 30u);
  const std::multiset<std::string> now = WalkText(node.keyspace);
  for (const std::string& line : now) {
    const bool later = line.find("added") != line.npos || line.find("removed") != line.npos;
    EXPECT_TRUE(later || lines.contains(line)) << line;
  }
}

TEST(Keys, AreDescribedPartByPart) {
  OneNode node;
  const KeyRef key = node.Ref("h");
  EXPECT_FALSE(node.Lock("h").Describe(key));
  node.Lock("h").AddElement(key, kHash, "name", Value::Bytes("text"));
  ASSERT_TRUE(node.Lock("h").IncrementElement(key, kHash, "n", 4));
  node.Lock("h").AddElement(key, kHash, "gone", Value::Bytes("text"));
  node.Lock("h").RemoveElement(key, kHash, "gone");
  node.Expire("h", 1h);
  const auto described = node.Lock("h").Describe(key);
  ASSERT_TRUE(described);
  ASSERT_EQ(described->elements.size(), 1u);
  const KeyDescription::Elements& elements = described->elements[0];
  EXPECT_EQ(elements.type, kHash);
  EXPECT_EQ(elements.live, 2u);
  EXPECT_EQ(elements.removed, 1u);
  EXPECT_EQ(elements.numeric, 1u);
  EXPECT_TRUE(elements.packed);
  EXPECT_EQ(elements.newest.origin, OriginOf(1));
  EXPECT_TRUE(described->expiry);
  EXPECT_FALSE(described->cut);
  ASSERT_EQ(described->waiting.size(), 1u);
  EXPECT_EQ(described->waiting[0].tombstones, 1u);
  EXPECT_GE(described->payload_bytes, 13u);
  EXPECT_GT(described->merge_bytes, 0u);
  EXPECT_LE(described->payload_bytes + described->merge_bytes, described->memory_bytes);
  EXPECT_EQ(described->memory_bytes, node.Lock("h").MemoryUsage(key));
}

TEST(Lists, AreCopiedInOrder) {
  OneNode node;
  for (int i = 0; i < 50; ++i) Push(node, "l", std::to_string(i), i % 3 == 0);
  Insert(node, "l", 7, "inserted");
  const KeyRef keys[] = {node.Ref("l"), node.Ref("copy")};
  EXPECT_TRUE(node.keyspace.Lock(keys).Copy(keys[0], keys[1]));
  EXPECT_EQ(List(node, "copy"), List(node, "l"));
}

}  // namespace
}  // namespace starling
