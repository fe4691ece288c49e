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

}  // namespace
}  // namespace starling
