#include "tests/support/linearizability.h"

#include <gtest/gtest.h>

#include <random>

namespace starling {
namespace {

using Kind = KeyOperation::Kind;

KeyOperation Op(Kind kind, std::string argument, std::optional<std::string> result, int64_t called,
                int64_t returned) {
  KeyOperation operation;
  operation.kind = kind;
  operation.argument = std::move(argument);
  operation.result = std::move(result);
  operation.called = called;
  operation.returned = returned;
  return operation;
}

bool Possible(const std::vector<KeyOperation>& operations) {
  return CheckLinearizable(operations).possible;
}

TEST(Linearizability, HoldsForOperationsOneAfterAnother) {
  EXPECT_TRUE(Possible({}));
  EXPECT_TRUE(
      Possible({Op(Kind::kGet, "", std::nullopt, 1, 2), Op(Kind::kSet, "a", "OK", 3, 4),
                Op(Kind::kGet, "", "a", 5, 6), Op(Kind::kDelete, "", "1", 7, 8),
                Op(Kind::kIncrement, "", "1", 9, 10), Op(Kind::kIncrement, "", "2", 11, 12)}));
}

TEST(Linearizability, IsBrokenByAStaleRead) {
  const std::vector<KeyOperation> history = {Op(Kind::kSet, "a", "OK", 1, 2),
                                             Op(Kind::kSet, "b", "OK", 3, 4),
                                             Op(Kind::kGet, "", "a", 5, 6)};
  const Linearization found = CheckLinearizable(history);
  EXPECT_FALSE(found.possible);
  EXPECT_EQ(found.longest.size(), 2u);
  ASSERT_EQ(found.stuck.size(), 1u);
  EXPECT_EQ(ToString(found.stuck[0]), "client 0 get -> a [5, 6]");
}

TEST(Linearizability, AllowsEitherOrderOfWhatOverlaps) {
  const KeyOperation write = Op(Kind::kSet, "a", "OK", 1, 10);
  EXPECT_TRUE(Possible({write, Op(Kind::kGet, "", "a", 2, 3)}));
  EXPECT_TRUE(Possible({write, Op(Kind::kGet, "", std::nullopt, 2, 3)}));
  // But not back again.
  EXPECT_FALSE(
      Possible({write, Op(Kind::kGet, "", "a", 2, 3), Op(Kind::kGet, "", std::nullopt, 4, 5)}));
}

TEST(Linearizability, GivesAClaimToOneOfTwo) {
  EXPECT_TRUE(Possible(
      {Op(Kind::kSetIfAbsent, "a", "OK", 1, 5), Op(Kind::kSetIfAbsent, "b", std::nullopt, 2, 6)}));
  EXPECT_FALSE(
      Possible({Op(Kind::kSetIfAbsent, "a", "OK", 1, 5), Op(Kind::kSetIfAbsent, "b", "OK", 2, 6)}));
  EXPECT_TRUE(
      Possible({Op(Kind::kSetIfAbsent, "a", "OK", 1, 5), Op(Kind::kDeleteIfEqual, "a", "1", 3, 7),
                Op(Kind::kSetIfAbsent, "b", "OK", 2, 6)}));
}

TEST(Linearizability, SetsByComparisonForOneOfTwo) {
  const KeyOperation first = Op(Kind::kSet, "a", "OK", 1, 2);
  KeyOperation one = Op(Kind::kSetIfEqual, "b", "1", 3, 6);
  KeyOperation other = Op(Kind::kSetIfEqual, "c", "0", 4, 7);
  one.expected = other.expected = "a";
  EXPECT_TRUE(Possible({first, one, other, Op(Kind::kGet, "", "b", 8, 9)}));
  EXPECT_FALSE(Possible({first, one, other, Op(Kind::kGet, "", "c", 8, 9)}));
  other.result = "1";
  EXPECT_FALSE(Possible({first, one, other}));
}

TEST(Linearizability, LetsWhatIsUnknownHappenLateOrNever) {
  KeyOperation unknown = Op(Kind::kSet, "a", std::nullopt, 1, 2);
  unknown.unknown = true;
  EXPECT_TRUE(Possible({unknown, Op(Kind::kGet, "", std::nullopt, 3, 4)}));
  EXPECT_TRUE(Possible({unknown, Op(Kind::kGet, "", "a", 3, 4)}));
  EXPECT_TRUE(Possible({unknown, Op(Kind::kGet, "", std::nullopt, 3, 4),
                        Op(Kind::kGet, "", "a", 5, 6), Op(Kind::kGet, "", "a", 7, 8)}));
  // But not twice, and not before its call.
  EXPECT_FALSE(Possible({unknown, Op(Kind::kGet, "", "a", 3, 4), Op(Kind::kDelete, "", "1", 5, 6),
                         Op(Kind::kGet, "", "a", 7, 8)}));
  EXPECT_FALSE(Possible({Op(Kind::kGet, "", "a", -3, -2), unknown}));
}

/// What clients of one copy see, whose operations take effect somewhere between call and return.
std::vector<KeyOperation> HistoryOfOneCopy(std::mt19937_64& random, size_t clients, size_t count) {
  std::vector<KeyOperation> history;
  std::vector<int64_t> free(clients);
  std::optional<std::string> value;
  // In the order of their effects.
  int64_t now = 0;
  for (size_t i = 0; i < count; ++i) {
    now += static_cast<int64_t>(random() % 3);
    const size_t client = random() % clients;
    KeyOperation operation;
    operation.kind = static_cast<Kind>(random() % 5);
    operation.argument = std::to_string(random() % 3);
    operation.client = static_cast<int>(client);
    now = std::max(now, free[client]);
    operation.called = std::max(free[client], now - static_cast<int64_t>(random() % 8));
    operation.returned = now + static_cast<int64_t>(random() % 8);
    free[client] = operation.returned + 1;
    const bool equal = value == operation.argument;
    switch (operation.kind) {
      case Kind::kGet:
        operation.result = value;
        break;
      case Kind::kSet:
        operation.result = "OK";
        value = operation.argument;
        break;
      case Kind::kSetIfAbsent:
        if (!value) {
          operation.result = "OK";
          value = operation.argument;
        }
        break;
      case Kind::kDelete:
        operation.result = value ? "1" : "0";
        value.reset();
        break;
      default:
        operation.kind = Kind::kDeleteIfEqual;
        operation.result = equal ? "1" : "0";
        if (equal) value.reset();
        break;
    }
    operation.unknown = random() % 20 == 0;
    history.push_back(operation);
  }
  return history;
}

TEST(Linearizability, HoldsForEveryHistoryOfOneCopy) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    const auto history = HistoryOfOneCopy(random, 2 + random() % 6, 150);
    const Linearization found = CheckLinearizable(history);
    ASSERT_FALSE(found.gave_up);
    ASSERT_TRUE(found.possible) << i;
  }
}

TEST(Linearizability, IsMostlyBrokenByOneWrongAnswer) {
  std::mt19937_64 random(2);
  int broken = 0;
  for (int i = 0; i < 100; ++i) {
    std::vector<KeyOperation> history = HistoryOfOneCopy(random, 4, 60);
    KeyOperation& wrong = history[random() % history.size()];
    if (wrong.kind != Kind::kGet || wrong.unknown) continue;
    wrong.result = "never written";
    ++broken;
    EXPECT_FALSE(Possible(history)) << i;
  }
  EXPECT_GT(broken, 5);
}

/// Tries every order of the operations from the one given: those that are unknown may be left out.
bool SomeOrderFits(const std::vector<KeyOperation>& history, uint64_t taken,
                   const std::optional<std::string>& value) {
  const auto has = [&](size_t i) { return (taken >> i & 1) != 0; };
  int64_t deadline = KeyOperation::kNever;
  for (size_t i = 0; i < history.size(); ++i) {
    if (!has(i) && !history[i].unknown) deadline = std::min(deadline, history[i].returned);
  }
  if (deadline == KeyOperation::kNever) return true;
  for (size_t i = 0; i < history.size(); ++i) {
    const KeyOperation& one = history[i];
    if (has(i) || one.called > deadline) continue;
    std::optional<std::string> after = value;
    std::optional<std::string> result = value;
    const bool equal = value == one.argument;
    if (one.kind == Kind::kSet) after = one.argument;
    if (one.kind == Kind::kDelete || (one.kind == Kind::kDeleteIfEqual && equal)) after.reset();
    if (one.kind == Kind::kSetIfAbsent && !value) after = one.argument;
    if (one.kind == Kind::kDelete) result = value ? "1" : "0";
    if (one.kind == Kind::kDeleteIfEqual) result = equal ? "1" : "0";
    if (one.kind == Kind::kSetIfAbsent) result = value ? std::nullopt : std::optional("OK");
    const bool fits = one.unknown || one.kind == Kind::kSet || one.result == result;
    if (fits && SomeOrderFits(history, taken | uint64_t{1} << i, after)) return true;
  }
  return false;
}

TEST(Linearizability, IsWhatSomeOrderOfAllShows) {
  std::mt19937_64 random(3);
  int possible = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<KeyOperation> history = HistoryOfOneCopy(random, 4, 7);
    for (KeyOperation& one : history) one.unknown = one.unknown || random() % 4 == 0;
    std::swap(history[random() % 7].result, history[random() % 7].result);
    const bool expected = SomeOrderFits(history, 0, std::nullopt);
    possible += expected ? 1 : 0;
    ASSERT_EQ(Possible(history), expected) << i;
    for (KeyOperation& one : history) one.ran = static_cast<int64_t>(random() % 9);  // any hint
    ASSERT_EQ(Possible(history), expected) << i;
  }
  EXPECT_GT(possible, 300);
  EXPECT_LT(possible, 2700);
}

}  // namespace
}  // namespace starling
