#include "storage/version_vector.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace starling {
namespace {

Origin OriginOf(uint64_t node, uint64_t incarnation = 1) { return {NodeId{node}, incarnation}; }

using Naive = std::map<Origin, Stamp>;

VersionVector FromNaive(const Naive& naive) {
  VersionVector vector;
  for (auto it = naive.rbegin(); it != naive.rend(); ++it) vector.Set(it->first, it->second);
  return vector;
}

Naive RandomVector(std::mt19937_64& random) {
  Naive naive;
  for (uint64_t i = random() % 8; i > 0; --i) {
    naive[OriginOf(random() % 6, random() % 2)] = Stamp{1 + random() % 4};
  }
  return naive;
}

TEST(VersionVector, HoldsWhatWasSetAndForgetsNone) {
  VersionVector vector;
  vector.Set(OriginOf(2), Stamp{5});
  vector.Set(OriginOf(1), Stamp{7});
  EXPECT_EQ(vector.Get(OriginOf(1)), Stamp{7});
  EXPECT_TRUE(vector.Get(OriginOf(3)).none());
  EXPECT_LT(vector.entries()[0].origin, vector.entries()[1].origin);
  vector.Raise(OriginOf(1), Stamp{6});
  EXPECT_EQ(vector.Get(OriginOf(1)), Stamp{7});
  vector.Set(OriginOf(1), Stamp{});
  EXPECT_EQ(vector.entries().size(), 1u);
  EXPECT_EQ(vector.ToString(), "0000000000000002.1:5");
}

TEST(VersionVector, AgreesWithAMapInEveryOperation) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 2000; ++i) {
    const Naive a = RandomVector(random);
    const Naive b = RandomVector(random);
    Naive merged = a;
    Naive common;
    bool covers = true;
    for (const auto& [origin, upto] : b) {
      merged[origin] = std::max(merged[origin], upto);
      const auto mine = a.find(origin);
      if (mine != a.end()) common[origin] = std::min(mine->second, upto);
      covers = covers && mine != a.end() && mine->second >= upto;
    }
    VersionVector vector = FromNaive(a);
    EXPECT_EQ(vector.Covers(FromNaive(b)), covers);
    vector.MergeFrom(FromNaive(b));
    EXPECT_EQ(vector, FromNaive(merged));
    EXPECT_TRUE(vector.Covers(FromNaive(a)) && vector.Covers(FromNaive(b)));
    vector = FromNaive(a);
    vector.IntersectWith(FromNaive(b));
    EXPECT_EQ(vector, FromNaive(common));
  }
}

constexpr uint64_t kNodes = 3;
constexpr uint64_t kIncarnations = 5;

/// What a vector says of every origin there is.
Naive Spelled(const VersionVector& vector) {
  Naive naive;
  for (uint64_t node = 0; node < kNodes; ++node) {
    for (uint64_t incarnation = 1; incarnation <= kIncarnations; ++incarnation) {
      const Stamp upto = vector.Get(OriginOf(node, incarnation));
      if (!upto.none()) naive[OriginOf(node, incarnation)] = upto;
    }
  }
  return naive;
}

VersionVector RandomWithEnds(std::mt19937_64& random) {
  VersionVector vector;
  for (uint64_t i = random() % 8; i > 0; --i) {
    const Stamp upto = random() % 4 == 0 ? VersionVector::kOver : Stamp{1 + random() % 4};
    vector.Raise(OriginOf(random() % kNodes, 1 + random() % kIncarnations), upto);
  }
  return vector;
}

TEST(VersionVector, OneEntryStandsForAllIncarnationsThatAreOver) {
  VersionVector vector;
  for (uint64_t incarnation = 1; incarnation <= 1000; ++incarnation) {
    vector.Raise(OriginOf(1, incarnation), Stamp{incarnation});
    if (incarnation > 1) vector.Raise(OriginOf(1, incarnation - 1), VersionVector::kOver);
  }
  EXPECT_EQ(vector.ToString(), "0000000000000001.999:over 0000000000000001.1000:1000");
  EXPECT_EQ(vector.OverUpTo(NodeId{1}), 999u);
  EXPECT_EQ(vector.OverUpTo(NodeId{2}), 0u);
  EXPECT_EQ(vector.Newest(), Stamp{1000});
  EXPECT_TRUE(vector.Covers(OriginOf(1, 3), Stamp{1 << 30}));
  EXPECT_FALSE(vector.Covers(OriginOf(1, 1001), Stamp{1}));
  vector.Set(OriginOf(1, 5), Stamp{2});
  EXPECT_EQ(vector.ToString(), "0000000000000001.5:2 0000000000000001.1000:1000")
      << "who asks for less than was over is taken at its word";
}

TEST(VersionVector, EntriesThatAreOverAgreeWithTheSameSpelledOut) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 5000; ++i) {
    const VersionVector a = RandomWithEnds(random);
    const VersionVector b = RandomWithEnds(random);
    Naive merged = Spelled(a);
    Naive common;
    bool covers = true;
    for (const auto& [origin, upto] : Spelled(b)) {
      const Stamp mine = a.Get(origin);
      merged[origin] = std::max(mine, upto);
      if (!mine.none()) common[origin] = std::min(mine, upto);
      covers = covers && mine >= upto;
    }
    EXPECT_EQ(a.Covers(b), covers) << a.ToString() << " | " << b.ToString();
    VersionVector vector = a;
    vector.MergeFrom(b);
    EXPECT_EQ(Spelled(vector), merged) << a.ToString() << " | " << b.ToString();
    vector = a;
    vector.IntersectWith(b);
    EXPECT_EQ(Spelled(vector), common) << a.ToString() << " | " << b.ToString();
  }
}

}  // namespace
}  // namespace starling
