#include "storage/slab.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

namespace starling {
namespace {

TEST(Slab, CellsHoldTheirBytesWhateverIsAllocatedAndFreedAround) {
  Slab slab;
  std::mt19937_64 random(1);
  struct Cell {
    size_t size;
    uint8_t fill;
    const uint8_t* at;
  };
  std::map<Handle, Cell> cells;
  for (int i = 0; i < 30'000; ++i) {
    if (cells.empty() || random() % 5 < 3) {
      const size_t size = random() % 50 == 0 ? 1 + random() % 20'000 : 1 + random() % 300;
      const Handle handle = slab.Allocate(size);
      ASSERT_NE(handle, 0u);
      ASSERT_GE(slab.SizeOf(handle), size);
      const auto fill = static_cast<uint8_t>(random());
      std::memset(slab.At(handle), fill, slab.SizeOf(handle));
      ASSERT_TRUE(cells.emplace(handle, Cell{slab.SizeOf(handle), fill, slab.At(handle)}).second);
    } else {
      auto it = cells.lower_bound(static_cast<Handle>(random()));
      if (it == cells.end()) it = cells.begin();
      ASSERT_EQ(slab.At(it->first), it->second.at);  // cells never move
      for (size_t b = 0; b < it->second.size; ++b) ASSERT_EQ(it->second.at[b], it->second.fill);
      slab.Free(it->first);
      cells.erase(it);
    }
  }
  for (const auto& [handle, cell] : cells) slab.Free(handle);
  EXPECT_EQ(slab.bytes(), 0u);
}

TEST(Slab, RoundsToEightBytesAndLargeCellsNotAtAll) {
  Slab slab;
  for (const size_t size : {1, 7, 8, 9, 2040, 2041, 2047, 2048, 2049, 100'001}) {
    const Handle handle = slab.Allocate(size);
    EXPECT_EQ(slab.SizeOf(handle), Slab::RoundUp(size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(slab.At(handle)) % 8, 0u);
  }
  EXPECT_EQ(Slab::RoundUp(1), 8u);
  EXPECT_EQ(Slab::RoundUp(2048), 2048u);
  EXPECT_EQ(Slab::RoundUp(2049), 2049u);
}

TEST(Slab, UsesFreedCellsAgain) {
  Slab slab;
  std::vector<Handle> handles;
  for (int i = 0; i < 10'000; ++i) handles.push_back(slab.Allocate(40));
  const size_t full = slab.bytes();
  for (size_t i = 0; i < handles.size(); i += 2) slab.Free(handles[i]);
  for (size_t i = 0; i < handles.size(); i += 2) handles[i] = slab.Allocate(33);
  EXPECT_EQ(slab.bytes(), full);
  EXPECT_LT(full, 10'000 * 40 * 1.2 + 65'536);
}

}  // namespace
}  // namespace starling
