#include "storage/counted_tree.h"
#include "tests/support/seeds.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace starling {
namespace {

struct Weighted {
  int value = 0;
  size_t units = 0;
  size_t weight() const { return units; }
};

class CountedTrees : public testing::TestWithParam<uint64_t> {};

TEST_P(CountedTrees, DoWhatAVectorDoes) {
  std::mt19937_64 random(GetParam());
  CountedTree<Weighted, 8> tree;
  std::vector<Weighted> model;
  // Growing, then shrinking to nothing; often at an end.
  for (int step = 0; step < 30'000 && (step < 100 || !model.empty()); ++step) {
    const bool grow = random() % 100 < (step < 10'000 ? 65u : 35u);
    const size_t places[] = {0, model.size(), random() % (model.size() + 1)};
    const size_t at = places[random() % 3];
    const Weighted entry{step, random() % 4};
    if (grow) {
      tree.Insert(at, entry);
      model.insert(model.begin() + static_cast<ptrdiff_t>(at), entry);
    } else if (at < model.size() && random() % 4 == 0) {
      tree.Set(at, entry);
      model[at] = entry;
    } else if (at < model.size()) {
      tree.Erase(at);
      model.erase(model.begin() + static_cast<ptrdiff_t>(at));
    }
    ASSERT_EQ(tree.size(), model.size());
    if (model.empty() || step % 50 != 0) continue;
    size_t before = 0;
    for (size_t i = 0; i < model.size(); ++i) {
      ASSERT_EQ(tree.At(i).value, model[i].value);
      ASSERT_EQ(tree.WeightBefore(i), before);
      for (size_t unit = 0; unit < model[i].units; ++unit) {
        const auto place = tree.FindWeight(before + unit);
        ASSERT_EQ(place.ordinal, i);
        ASSERT_EQ(place.weight_before, before);
      }
      before += model[i].units;
    }
    ASSERT_EQ(tree.weight(), before);
    const size_t from = random() % model.size();
    for (const bool reverse : {false, true}) {
      size_t next = from;
      tree.VisitFrom(from, reverse, [&](const Weighted& each) {
        EXPECT_EQ(each.value, model[next].value);
        reverse ? --next : ++next;
        return true;
      });
      EXPECT_EQ(next, reverse ? SIZE_MAX : model.size());
    }
  }
}

TEST_P(CountedTrees, FindTheirPlaceAmongTheSorted) {
  std::mt19937_64 random(GetParam());
  CountedTree<Weighted> tree;
  for (int i = 0; i < 5000; ++i) {
    const int value = static_cast<int>(random() % 2000);
    const auto below = [&](const Weighted& each) { return each.value < value; };
    tree.Insert(tree.PartitionPoint(below), {value, 1});
  }
  int last = 0;
  tree.VisitFrom(0, false, [&](const Weighted& each) {
    EXPECT_LE(last, each.value);
    last = each.value;
    return true;
  });
}

TEST_P(CountedTrees, AreFreedInSlices) {
  CountedTree<Weighted> tree;
  for (int i = 0; i < 10'000; ++i) tree.Insert(tree.size(), {i, 1});
  EXPECT_LT(tree.memory_bytes(), 10'000 * sizeof(Weighted) * 11 / 10);  // appended: filled whole
  int slices = 1;
  while (!tree.FreeSome(640)) ++slices;
  EXPECT_GE(slices, 10'000 / 640);
  EXPECT_EQ(tree.memory_bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CountedTrees, test::Seeds(8));

}  // namespace
}  // namespace starling
