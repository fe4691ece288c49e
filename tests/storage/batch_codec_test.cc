#include "storage/batch_codec.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>
#include <string>

#include "storage/item_rules.h"

namespace starling {
namespace {

/// Random items of every part, with the texts they borrow.
class ItemMaker {
 public:
  explicit ItemMaker(uint64_t seed) : random_(seed) {}

  Item Make(const Origin& origin, Stamp stamp) {
    Item item;
    item.part = static_cast<Part>(1 + random_() % 8);
    item.database = static_cast<uint8_t>(random_() % 17);
    item.origin = origin;
    item.stamp = stamp;
    if (item.part != Part::kDatabaseCut) item.key = Text(40);
    switch (item.part) {
      case Part::kCut:
      case Part::kDatabaseCut:
        item.at = Birth(stamp);
        break;
      case Part::kBase:
        item.value = Payload();
        break;
      case Part::kElementSlot:
        SetElement(item);
        [[fallthrough]];
      case Part::kSlot:
        item.at = Birth(stamp);
        item.value = Value::OfNumber(AnyNumber());
        break;
      case Part::kExpiry:
        item.deadline_millis = stamp.millis() + 1 + static_cast<int64_t>(random_() >> 2);
        break;
      case Part::kElement:
        SetElement(item);
        item.removed = random_() % 3 == 0;
        if (!item.removed && random_() % 3 != 0) item.value = Payload();
        break;
      case Part::kClaim:
        item.at = Birth(stamp);
        item.removed = random_() % 3 == 0;
        if (item.removed) break;
        item.value = Value::Bytes(Text(2000));
        if (random_() % 2 == 0) item.deadline_millis = static_cast<int64_t>(random_() >> 20);
        break;
    }
    return item;
  }

  std::vector<Item> MakeStream(const BatchHeader& header, size_t count) {
    std::vector<Item> items;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t stamp =
          header.after.value + 1 + random_() % (header.upto.value - header.after.value);
      items.push_back(Make(header.origin, Stamp{stamp}));
    }
    return items;
  }

  std::mt19937_64& random() { return random_; }

 private:
  std::string_view Text(size_t longest) {
    std::string text(random_() % (longest + 1), '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return texts_.emplace_back(std::move(text));
  }
  void SetElement(Item& item) {
    item.element_type = static_cast<ElementType>(1 + random_() % 5);
    item.element = Text(20);
  }
  Stamp Birth(Stamp stamp) { return Stamp{1 + random_() % stamp.value}; }
  Number AnyNumber() {
    Number number;
    number.scale = static_cast<uint8_t>(random_() % 18);
    number.units = static_cast<int64_t>(random_());
    if (random_() % 3 == 0) {
      number.units = number.units << 63 | static_cast<int64_t>(random_() >> 1);
    }
    return number.units == Number::kMinUnits ? Number{} : number;
  }
  Value Payload() { return random_() % 2 ? Value::Bytes(Text(60)) : Value::OfNumber(AnyNumber()); }

  std::mt19937_64 random_;
  std::deque<std::string> texts_;
};

void ExpectSame(const Item& a, const Item& b) {
  EXPECT_EQ(a.part, b.part);
  EXPECT_EQ(a.database, b.database);
  EXPECT_EQ(a.element_type, b.element_type);
  EXPECT_EQ(a.removed, b.removed);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.element, b.element);
  EXPECT_EQ(a.origin, b.origin);
  EXPECT_EQ(a.stamp, b.stamp);
  EXPECT_EQ(a.at, b.at);
  EXPECT_EQ(a.deadline_millis, b.deadline_millis);
  EXPECT_EQ(a.value.kind, b.value.kind);
  EXPECT_EQ(a.value.bytes, b.value.bytes);
  EXPECT_TRUE(a.value.number == b.value.number);
}

void ExpectSame(const std::vector<Item>& a, const std::vector<Item>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ExpectSame(a[i], b[i]);
}

BatchHeader SomeHeader() { return {{NodeId{7}, 99}, Stamp{1000}, Stamp{5000}}; }

Item SomeItem() {
  Item item;
  item.part = Part::kBase;
  item.key = "key";
  item.origin = SomeHeader().origin;
  item.stamp = Stamp{1001};
  item.value = Value::Bytes("value");
  return item;
}

/// The error of decoding a batch of one item that `change` has spoilt.
template <typename Change>
std::string RefusalOf(const Change& change) {
  Item item = SomeItem();
  change(item);
  const Result<DecodedBatch> decoded =
      DecodedBatch::Decode(EncodeBatch(SomeHeader(), std::span(&item, 1)));
  return decoded.ok() ? "accepted" : decoded.error().message;
}

TEST(BatchCodec, StreamBatchesOfAnyItemsReadBackTheSame) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    ItemMaker maker(seed);
    const BatchHeader header = SomeHeader();
    const std::vector<Item> items = maker.MakeStream(header, seed % 40);
    const std::string bytes = EncodeBatch(header, items);
    const Result<DecodedBatch> decoded = DecodedBatch::Decode(bytes);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_FALSE(decoded->is_chunk());
    EXPECT_EQ(decoded->header().origin, header.origin);
    EXPECT_EQ(decoded->header().after, header.after);
    EXPECT_EQ(decoded->header().upto, header.upto);
    ExpectSame(decoded->items(), items);
    EXPECT_EQ(EncodeBatch(header, decoded->items()), bytes);
    const Result<BatchHeader> only = DecodedBatch::DecodeHeader(bytes);
    ASSERT_TRUE(only);
    EXPECT_EQ(only->upto, header.upto);
  }
}

TEST(BatchCodec, ItemsDoNotBorrowFromTheBytesHoweverTheyLie) {
  ItemMaker maker(1);
  const std::vector<Item> items = maker.MakeStream(SomeHeader(), 30);
  const std::string bytes = EncodeBatch(SomeHeader(), items);
  for (size_t shift = 0; shift < 8; ++shift) {
    std::string moved(shift, 'x');
    moved += bytes;
    Result<DecodedBatch> decoded = DecodedBatch::Decode(std::string_view(moved).substr(shift));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_TRUE(DecodedBatch::DecodeHeader(std::string_view(moved).substr(shift)));
    moved.assign(moved.size(), '\xEE');
    const DecodedBatch taken = *std::move(decoded);
    ExpectSame(taken.items(), items);
  }
}

TEST(BatchCodec, ChunksCarryItemsOfManyOriginsAndAVector) {
  ItemMaker maker(4);
  std::vector<Item> items;
  VersionVector vector;
  for (uint64_t i = 0; i < 300; ++i) {
    const Origin origin{NodeId{1 + maker.random()() % 40}, 1 + maker.random()() % 3};
    items.push_back(maker.Make(origin, Stamp{1 + maker.random()() % 1000}));
    vector.Raise(origin, items.back().stamp);
  }
  const std::string bytes = EncodeChunk(items, vector);
  const Result<DecodedBatch> decoded = DecodedBatch::Decode(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(decoded->is_chunk());
  EXPECT_EQ(decoded->vector(), vector);
  ExpectSame(decoded->items(), items);
  EXPECT_FALSE(DecodedBatch::DecodeHeader(bytes));
  EXPECT_TRUE(DecodedBatch::Decode(EncodeChunk({}, {})));
}

TEST(BatchCodec, TextsTooLongForOnePieceAreCut) {
  // A piece is 256 MiB.
  std::string key((size_t{256} << 20) + 3, 'k');
  key.back() = '!';
  Item item = SomeItem();
  item.key = key;
  const std::string bytes = EncodeBatch(SomeHeader(), std::span(&item, 1));
  const Result<DecodedBatch> decoded = DecodedBatch::Decode(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(decoded->items().at(0).key == key);
  EXPECT_EQ(decoded->items().at(0).value.bytes, "value");
}

TEST(BatchCodec, RefusesItemsThatAreNone) {
  EXPECT_EQ(RefusalOf([](Item&) {}), "accepted");
  const auto refuses = [](std::string_view why, const auto& change) {
    EXPECT_EQ(RefusalOf(change), "batch: item 0: " + std::string(why));
  };
  refuses("unknown part", [](Item& item) { item.part = static_cast<Part>(0); });
  refuses("unknown part", [](Item& item) { item.part = static_cast<Part>(9); });
  refuses("unknown part", [](Item& item) { item.part = static_cast<Part>(255); });
  refuses("unknown database", [](Item& item) { item.database = 17; });
  refuses("stamp outside the batch", [](Item& item) { item.stamp = Stamp{1000}; });
  refuses("stamp outside the batch", [](Item& item) { item.stamp = Stamp{5001}; });
  refuses("no stamp", [](Item& item) { item.stamp = Stamp{}; });
  refuses("a cut, birth or grant where none belongs", [](Item& item) { item.at = Stamp{1}; });
  refuses("an element where none belongs", [](Item& item) { item.element = "x"; });
  refuses("an element where none belongs",
          [](Item& item) { item.element_type = ElementType::kSet; });
  refuses("removed, yet it cannot be or has a payload", [](Item& item) { item.removed = true; });
  refuses("no payload", [](Item& item) { item.value = {}; });
  refuses("number out of range", [](Item& item) { item.value = Value::OfNumber({1, 18}); });
  refuses("number out of range", [](Item& item) {
    item.value = Value::OfNumber({Number::kMinUnits, 0});
  });
  refuses("unknown element type", [](Item& item) { item.part = Part::kElement; });
  refuses("unknown element type", [](Item& item) {
    item.part = Part::kElement;
    item.element_type = static_cast<ElementType>(6);
  });
  refuses("cut, birth or grant not in (0, stamp]", [](Item& item) {
    item.part = Part::kSlot;
    item.at = Stamp{1002};
  });
  refuses("no number", [](Item& item) {
    item.part = Part::kSlot;
    item.at = Stamp{1};
  });
  refuses("a payload where none belongs", [](Item& item) {
    item.part = Part::kCut;
    item.at = Stamp{1};
  });
  refuses("a key where none belongs", [](Item& item) {
    item.part = Part::kDatabaseCut;
    item.at = Stamp{1};
    item.value = {};
  });
  refuses("a deadline not after its own stamp", [](Item& item) {
    item.part = Part::kExpiry;
    item.value = {};
    item.stamp = Stamp::FirstOf(1000);
    item.deadline_millis = 1000;
  });
  const auto refuses_claim = [&](std::string_view why, const auto& change) {
    refuses(why, [&](Item& item) {
      item.part = Part::kClaim;
      item.at = item.stamp;
      item.value = Value::Bytes("");
      change(item);
    });
  };
  refuses_claim("cut, birth or grant not in (0, stamp]", [](Item& item) { item.at = {}; });
  refuses_claim("no text", [](Item& item) { item.value = {}; });
  refuses_claim("no text", [](Item& item) { item.value = Value::OfNumber({1, 0}); });
  refuses_claim("a time to live out of range",
                [](Item& item) { item.deadline_millis = Stamp::kMaxMillis + 1; });
  refuses_claim("a time to live of what has ended", [](Item& item) {
    item.removed = true;
    item.value = {};
    item.deadline_millis = 1;
  });
  refuses_claim("removed, yet it cannot be or has a payload",
                [](Item& item) { item.removed = true; });
  refuses("negative deadline", [](Item& item) {
    item.part = Part::kExpiry;
    item.value = {};
    item.deadline_millis = -1;
  });
}

TEST(BatchCodec, RefusesABatchThatEndsBeforeItBegins) {
  BatchHeader header = SomeHeader();
  header.upto = header.after;
  const Result<DecodedBatch> decoded = DecodedBatch::Decode(EncodeBatch(header, {}));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Code::kCorruption);
  EXPECT_EQ(decoded.error().message, "batch: ends at 1000, not after its beginning 1000");
}

TEST(BatchCodec, NamesAnUnknownFormatVersion) {
  std::string bytes = EncodeBatch(SomeHeader(), {});
  bytes[16] = 9;  // after segment table and root pointer: Batch.version
  const Result<DecodedBatch> decoded = DecodedBatch::Decode(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().message, "batch: format version 9, this node reads 1 to 2");
}

TEST(BatchCodec, RefusesEveryTruncationAndEveryAddition) {
  ItemMaker maker(5);
  const std::string bytes = EncodeBatch(SomeHeader(), maker.MakeStream(SomeHeader(), 12));
  for (size_t length = 0; length < bytes.size(); ++length) {
    // A buffer of exactly that size, so that a sanitizer sees any read past its end.
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    const Result<DecodedBatch> decoded = DecodedBatch::Decode({exact.data(), exact.size()});
    ASSERT_FALSE(decoded) << length;
    ASSERT_EQ(decoded.error().code, Code::kCorruption);
    ASSERT_FALSE(DecodedBatch::DecodeHeader({exact.data(), exact.size()}));
  }
  for (size_t extra = 1; extra < 20; ++extra) {
    EXPECT_FALSE(DecodedBatch::Decode(bytes + std::string(extra, '\0')));
  }
}

TEST(BatchCodec, FlippedBitsNeverYieldAnItemThatBreaksTheRules) {
  ItemMaker maker(6);
  const BatchHeader header = SomeHeader();
  std::vector<Item> items = maker.MakeStream(header, 8);
  VersionVector vector;
  vector.Set({NodeId{1}, 1}, Stamp{9});
  for (const std::string& bytes : {EncodeBatch(header, items), EncodeChunk(items, vector)}) {
    for (int round = 0; round < 30000; ++round) {
      std::string spoilt = bytes;
      for (uint64_t flips = 1 + maker.random()() % 3; flips > 0; --flips) {
        spoilt[maker.random()() % spoilt.size()] ^= static_cast<char>(1 << maker.random()() % 8);
      }
      const Result<DecodedBatch> decoded = DecodedBatch::Decode(spoilt);
      (void)DecodedBatch::DecodeHeader(spoilt);
      if (!decoded) continue;
      for (const Item& item : decoded->items()) ASSERT_EQ(ItemFault(item), nullptr);
    }
  }
}

TEST(BatchCodec, ListsThatClaimMoreThanTheBytesHoldCostNothing) {
  const std::string bytes = EncodeBatch(SomeHeader(), {});
  // Turns each of Batch's five list pointers into a list of 2^29 - 1 structs of no size.
  for (size_t pointer = 0; pointer < 5; ++pointer) {
    std::string hostile = bytes;
    const uint64_t tag = uint64_t{(1u << 29) - 1} << 2;
    const size_t at = 8 + (1 + 3 + pointer) * 8;
    const uint64_t offset = (hostile.size() - at - 8) / 8;
    const uint64_t list = 1 | offset << 2 | uint64_t{7} << 32;
    std::memcpy(hostile.data() + at, &list, 8);
    hostile.append(reinterpret_cast<const char*>(&tag), 8);
    const auto words = static_cast<uint32_t>(hostile.size() / 8 - 1);
    std::memcpy(hostile.data() + 4, &words, 4);
    const Result<DecodedBatch> decoded = DecodedBatch::Decode(hostile);
    ASSERT_FALSE(decoded) << pointer;
    EXPECT_EQ(decoded.error().code, Code::kCorruption);
  }
}

}  // namespace
}  // namespace starling
