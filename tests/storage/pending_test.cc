// What was written since the last flush: what a generation keeps, and what it gives back.
#include "storage/pending.h"

#include <gtest/gtest.h>

#include "tests/storage/one_node.h"

namespace starling {
namespace {

Item StringItem(std::string_view key, std::string_view value) {
  Item item;
  item.part = Part::kBase;
  item.key = key;
  item.value = Value::Bytes(value);
  return item;
}

TEST(PendingBuffer, KeepsTheLastOfSeveralItemsOfAPart) {
  PendingBuffer buffer;
  buffer.Record(StringItem("a", "1"), 1);
  buffer.Record(StringItem("b", "2"), 2);
  buffer.Record(StringItem("a", "3"), 1);
  std::vector<Item> items;
  buffer.AppendTo(items, OriginOf(1));
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].key, "a");
  EXPECT_EQ(items[0].value.bytes, "3");
  EXPECT_EQ(items[1].value.bytes, "2");
}

TEST(PendingBuffer, GivesTheMemoryOfALargeValueBackWithItsGeneration) {  // I9
  PendingBuffer buffer;
  buffer.Record(StringItem("k", std::string(64 << 20, 'v')), 1);
  EXPECT_GE(buffer.text_capacity(), size_t{64} << 20);
  buffer.Clear();
  EXPECT_LE(buffer.text_capacity(), size_t{1} << 20);
  EXPECT_TRUE(buffer.empty());
}

}  // namespace
}  // namespace starling
