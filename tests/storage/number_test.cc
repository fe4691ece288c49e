#include "storage/number.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "storage/item.h"

namespace starling {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

TEST(Number, ParseIntTakesExactlyWhatRedisTakes) {
  const std::pair<const char*, int64_t> taken[] = {
      {"0", 0},       {"1", 1},
      {"-1", -1},     {"10", 10},
      {"-100", -100}, {"9223372036854775807", kMax},
      {"42", 42},     {"-9223372036854775808", kMin},
  };
  for (const auto& [text, value] : taken) EXPECT_EQ(Number::ParseInt(text), value) << text;

  const char* const refused[] = {"",
                                 "-",
                                 "+1",
                                 "-0",
                                 "00",
                                 "01",
                                 "-01",
                                 " 1",
                                 "1 ",
                                 "1.0",
                                 "1e3",
                                 "0x1",
                                 "--1",
                                 "1-",
                                 "abc",
                                 "9223372036854775808",
                                 "-9223372036854775809",
                                 "99999999999999999999",
                                 "18446744073709551617",
                                 "100000000000000000000000"};
  for (const char* text : refused) EXPECT_EQ(Number::ParseInt(text), std::nullopt) << text;
  EXPECT_EQ(Number::ParseInt(std::string_view("1\0", 2)), std::nullopt);
}

TEST(Number, TextOfAnIntegerReadsBackTheSame) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto value = static_cast<int64_t>(random() >> (random() % 64));
    const std::string text = std::to_string(random() % 2 ? value : -value);
    const std::optional<int64_t> parsed = Number::ParseInt(text);
    ASSERT_TRUE(parsed) << text;
    ASSERT_EQ(Number::FromInt(*parsed).ToString(), text);
  }
}

TEST(Number, ParseDecimalIsExactOrRefuses) {
  const std::pair<const char*, const char*> taken[] = {
      {"0", "0"},
      {"-0", "0"},
      {"0.0", "0"},
      {"+1.5", "1.5"},
      {".5", "0.5"},
      {"-.5", "-0.5"},
      {"5.", "5"},
      {"10.50", "10.5"},
      {"1e3", "1000"},
      {"1.25E+2", "125"},
      {"100e-2", "1"},
      {"10e-18", "0.00000000000000001"},
      {"0.00000000000000001", "0.00000000000000001"},
      {"0.10000000000000000000000000000000000", "0.1"},
      {"170141183460469231731687303715884105727", "170141183460469231731687303715884105727"},
      {"-1700000000000000000000.00000000000000001", "-1700000000000000000000.00000000000000001"},
      {"0e99999999999999999999999", "0"},
      {"000123.4000", "123.4"},
  };
  for (const auto& [text, canonical] : taken) {
    const std::optional<Number> number = Number::ParseDecimal(text);
    ASSERT_TRUE(number) << text;
    EXPECT_EQ(number->ToString(), canonical) << text;
    EXPECT_EQ(*number, number->Normalized()) << text;
  }
  const char* const refused[] = {"",
                                 ".",
                                 "-",
                                 "+",
                                 "e1",
                                 "1e",
                                 "1e+",
                                 "1.2.3",
                                 "inf",
                                 "nan",
                                 "-inf",
                                 "0x1",
                                 " 1",
                                 "1 ",
                                 "1e-18",
                                 "1e39",
                                 "--1",
                                 "0.000000000000000001",
                                 "1e99999999999999999999999",
                                 "170141183460469231731687303715884105728",
                                 "17014118346046923173.00000000000000000001"};
  for (const char* text : refused) EXPECT_FALSE(Number::ParseDecimal(text)) << text;
}

TEST(Number, SumsAreExactInAnyOrder) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 5000; ++i) {
    Number terms[3];
    for (Number& term : terms) {
      term.units = static_cast<int64_t>(random() >> (random() % 64));
      term.scale = static_cast<uint8_t>(random() % (Number::kMaxScale + 1));
      if (random() % 2) term = term.Negated();
    }
    const auto sum = [&](int a, int b, int c) {
      return *Number::Sum(*Number::Sum(terms[a], terms[b]), terms[c]);
    };
    const Number expected = sum(0, 1, 2).Normalized();
    ASSERT_EQ(sum(1, 2, 0).Normalized(), expected);
    ASSERT_EQ(sum(2, 0, 1).Normalized(), expected);
    const Number back = *Number::Sum(*Number::Sum(terms[0], terms[1]), terms[1].Negated());
    ASSERT_EQ(back.Normalized(), terms[0].Normalized());
  }
  EXPECT_EQ(Number::Sum(*Number::ParseDecimal("0.1"), *Number::ParseDecimal("0.2"))->ToString(),
            "0.3");
}

TEST(Number, SumRefusesWhatDoesNotFit) {
  const Number most = *Number::ParseDecimal("170141183460469231731687303715884105727");
  EXPECT_FALSE(Number::Sum(most, Number::FromInt(1)));
  EXPECT_FALSE(Number::Sum(most.Negated(), Number::FromInt(-1)));
  EXPECT_EQ(*Number::Sum(most, most.Negated()), Number{});
  EXPECT_FALSE(Number::Sum(most, *Number::ParseDecimal("0.5")));
}

TEST(Number, AnswersBeyondInt64AreClamped) {
  const Number above = *Number::ParseDecimal("9223372036854775808");
  EXPECT_FALSE(above.fits_int64());
  EXPECT_EQ(above.ClampedInt64(), kMax);
  EXPECT_EQ(Number::ParseDecimal("-9223372036854775809")->ClampedInt64(), kMin);
  EXPECT_TRUE(Number::FromInt(kMin).fits_int64());
  EXPECT_TRUE((Number{100, 2}.fits_int64()));
  EXPECT_FALSE(Number::ParseDecimal("1.5")->fits_int64());
  EXPECT_EQ(Number::ParseDecimal("-1.5")->ClampedInt64(), -1);
}

TEST(Value, OnlyCanonicalIntegersBecomeNumbers) {
  EXPECT_EQ(Value::FromText("12").kind, Value::Kind::kNumber);
  for (const char* text : {"", "012", "1.5", "+1", "-0", "text"}) {
    const Value value = Value::FromText(text);
    EXPECT_EQ(value.kind, Value::Kind::kBytes) << text;
    EXPECT_EQ(value.bytes, text);
  }
}

}  // namespace
}  // namespace starling
