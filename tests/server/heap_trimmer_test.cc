#include "server/heap_trimmer.h"

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(HeapTrimmer, LeavesASmallHeapAlone) { EXPECT_FALSE(WorthTrimming(1 << 20, 1 << 20)); }

TEST(HeapTrimmer, LeavesALittleFreeSpaceInALargeHeapAlone) {
  EXPECT_FALSE(WorthTrimming(size_t{1} << 30, 32 << 20));
}

TEST(HeapTrimmer, TrimsWhatABurstLeft) { EXPECT_TRUE(WorthTrimming(100 << 20, 25 << 20)); }

}  // namespace
}  // namespace starling
