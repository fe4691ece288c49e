// The counted B+tree against a plain vector.
#include "storage/counted_tree.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace starling {
namespace {

struct Unit {
  int value = 0;
  static constexpr size_t weight() { return 1; }
};

void ExpectSame(const CountedTree<Unit>& tree, const std::vector<int>& expected) {
  ASSERT_EQ(tree.size(), expected.size());
  std::vector<int> found;
  tree.VisitFrom(0, false, [&found](const Unit& unit) {
    found.push_back(unit.value);
    return true;
  });
  EXPECT_EQ(found, expected);
}

TEST(CountedTree, HoldsWhatAVectorHoldsAfterAnyInsertionsAndRemovals) {
  std::mt19937_64 random(1);
  CountedTree<Unit> tree;
  std::vector<int> expected;
  for (int round = 0; round < 60; ++round) {
    // Fill and empty in turn, at one end, at the other, or anywhere.
    const uint64_t where = random() % 3;
    const bool fill = round % 2 == 0;
    const size_t goal = fill ? 200 + random() % 5000 : random() % 60;
    while (fill ? expected.size() < goal : expected.size() > goal) {
      const size_t room = expected.size() + (fill ? 1 : 0);
      const size_t at = where == 0 ? 0 : where == 1 ? room - 1 : random() % room;
      const auto place = expected.begin() + static_cast<ptrdiff_t>(at);
      if (fill) {
        const int value = static_cast<int>(random() % 1000);
        tree.Insert(at, Unit{value});
        expected.insert(place, value);
      } else {
        tree.Erase(at);
        expected.erase(place);
      }
    }
    ExpectSame(tree, expected);
  }
}

}  // namespace
}  // namespace starling
