// A collection against a map of registers: whatever is merged into it, over the borders between
// packed block and parts, and over the splitting and joining of a list's blocks.
#include "storage/collection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "storage/list_position.h"
#include "tests/storage/one_node.h"
#include "tests/support/seeds.h"

namespace starling {
namespace {

constexpr int kOrigins = 3;

/// What a collection must hold, the simple way.
class Model {
 public:
  using Name = std::pair<ElementType, std::string>;

  struct Kept {
    Register value;
    std::string bytes;  // what the base borrows
  };

  bool Merge(const Item& item, OriginIndex origin, Stamp reset, const OriginTable& origins) {
    Kept& kept = elements_[{item.element_type, std::string(item.element)}];
    bool changed = false;
    if (item.part == Part::kElement) {
      changed =
          item.stamp > reset && kept.value.MergeBase({item.stamp, origin}, item.value, origins);
      if (changed) {
        kept.bytes = item.value.bytes;
        if (kept.value.base.kind == Value::Kind::kBytes) kept.value.base.bytes = kept.bytes;
      }
    } else {
      changed = kept.value.MergeSlot({origin, item.at, item.stamp, item.value.number},
                                     std::max(reset, kept.value.version.stamp), origins);
    }
    DropEmpty();
    return changed;
  }
  void Purge(Stamp reset) {
    for (auto& [name, kept] : elements_) kept.value.DropUpTo(reset);
    DropEmpty();
  }
  std::map<Name, Kept>& elements() { return elements_; }

 private:
  void DropEmpty() {
    std::erase_if(elements_, [](const auto& each) {
      return each.second.value.version.none() && each.second.value.slots.empty();
    });
  }
  std::map<Name, Kept> elements_;
};

std::string Text(ElementType type, std::string_view id, const Register& value) {
  std::string text = std::to_string(static_cast<int>(type)) + ":" + std::string(id) + " " +
                     std::to_string(value.version.stamp.value) + "/" +
                     std::to_string(value.version.none() ? 0 : value.version.origin) + " ";
  if (value.base.kind == Value::Kind::kBytes) text += "'" + std::string(value.base.bytes) + "'";
  if (value.base.kind == Value::Kind::kNumber) text += "#" + value.base.number.ToString();
  std::map<OriginIndex, std::string> slots;
  for (const Slot& slot : value.slots) {
    slots[slot.origin] = std::to_string(slot.born.value) + "-" + std::to_string(slot.stamp.value) +
                         ":" + slot.net.ToString();
  }
  for (const auto& [origin, slot] : slots) text += " " + std::to_string(origin) + "=" + slot;
  return text;
}

bool IsLive(const Register& value) {
  return (!value.version.none() && value.base.kind != Value::Kind::kNone) || !value.slots.empty();
}

class Rig {
 public:
  explicit Rig(uint64_t seed) : random(seed) {
    for (uint64_t i = 1; i <= kOrigins; ++i) origins.IndexOf(OriginOf(i));
  }
  ~Rig() {
    while (!collection.FreeSome(space, 50)) {
    }
    EXPECT_EQ(space.outside_bytes, 0u);
    EXPECT_EQ(slab.bytes(), 0u);
  }

  /// Writes something to an element of `type` and returns whether both say the same about it.
  void Write(ElementType type, size_t ids) {
    Item item;
    item.element_type = type;
    const auto origin = static_cast<OriginIndex>(random() % kOrigins);
    now = Stamp{now.value + 1 + (random() % 8 == 0 ? random() % 3'000'000 : random() % 3)};
    // Some arrive late.
    item.stamp = random() % 6 == 0 ? Stamp{now.value - random() % 200'000} : now;
    const std::string id = IdFor(type, ids, item.stamp, origin);
    item.element = id;
    std::string bytes;
    const uint64_t kind = random() % 10;
    if (kind < 2 || (kind < 5 && type == ElementType::kList && random() % 3 == 0)) {
      item.part = Part::kElement;
      item.removed = true;
    } else if (kind < 6 && type != ElementType::kSet && type != ElementType::kList) {
      item.part = Part::kElementSlot;
      item.at = Stamp{item.stamp.value - random() % 50};
      item.value = Value::OfNumber(
          {static_cast<int64_t>(random() % 1000) - 500, static_cast<uint8_t>(random() % 3)});
    } else {
      item.part = Part::kElement;
      const size_t sizes[] = {0, 1, 10, 60, 63, 64, 300, 1024, 1025, 3000};
      bytes = std::string(sizes[random() % (random() % 20 == 0 ? 10 : 4)], 'x');
      item.value = random() % 3 == 0 || type == ElementType::kSortedSet
                       ? Value::OfNumber({static_cast<int64_t>(random() % 100), 0})
                       : Value::Bytes(bytes);
    }
    const bool changed = collection.Merge(space, item, origin, reset).changed;
    ASSERT_EQ(changed, model.Merge(item, origin, reset, origins));
    // The second time it changes nothing.
    ASSERT_FALSE(collection.Merge(space, item, origin, reset).changed);
  }

  void Purge() {
    reset = Stamp{now.value - random() % 100'000};
    collection.Purge(space, reset, [](const Element&, bool) {});
    model.Purge(reset);
  }

  void FreeTombstones() {
    const bool of_lists = random() % 2 == 0;
    std::set<Model::Name> freed;
    std::vector<ElementTombstone> asked;
    for (const auto& [name, kept] : model.elements()) {
      const auto& [type, id] = name;
      if ((type == ElementType::kList) != of_lists || random() % 4 == 0) continue;
      Version version = kept.value.version;
      const ElementName named = Collection::NameOf(space, type, id);
      const bool gone = !IsLive(kept.value);
      EXPECT_EQ(collection.HasTombstone(space, named, version), gone);
      // One that something else has replaced stays.
      const bool replaced = random() % 4 == 0;
      if (replaced) version.stamp = version.stamp.next();
      if (gone && !replaced) freed.insert(name);
      asked.push_back({named, version});
    }
    std::shuffle(asked.begin(), asked.end(), random);
    std::set<Model::Name> heard;
    const size_t count = collection.Free(space, asked, [&](const Element& element) {
      heard.insert({element.type, std::string(element.id)});
    });
    EXPECT_EQ(count, freed.size());
    EXPECT_EQ(heard, freed);
    for (const Model::Name& name : freed) model.elements().erase(name);
  }

  void Compare() {
    std::multiset<std::string> expected, found, walked;
    for (const auto& [name, kept] : model.elements()) {
      expected.insert(Text(name.first, name.second, kept.value));
    }
    collection.ForEach(space, [&](const Element& element) {
      found.insert(Text(element.type, element.id, element.value));
    });
    ASSERT_EQ(found, expected);
    ASSERT_EQ(collection.size(), expected.size());
    ElementsWalked place;
    bool done = false;
    while (!done) {
      done = collection.Walk(space, place, 1 + random() % 50, [&](const Element& element) {
        walked.insert(Text(element.type, element.id, element.value));
      });
    }
    ASSERT_EQ(walked, expected);
    for (const ElementType type : {ElementType::kSet, ElementType::kHash, ElementType::kSortedSet,
                                   ElementType::kList, ElementType::kStream}) {
      CompareType(type);
    }
  }

  std::mt19937_64 random;
  Slab slab;
  OriginTable origins;
  CollectionSpace space{slab, 99, origins};
  Collection collection;
  Model model;
  Stamp now = Stamp::FirstOf(1'700'000'000'000);
  Stamp reset;

 private:
  std::string IdFor(ElementType type, size_t ids, Stamp stamp, OriginIndex origin) {
    if (type != ElementType::kList) {
      const size_t number = random() % ids;
      return "id" + std::to_string(number) + (number % 40 == 7 ? std::string(200, 'i') : "");
    }
    std::vector<std::string> there;
    for (const auto& [name, kept] : model.elements()) {
      if (name.first == type) there.push_back(name.second);
    }
    if (!there.empty() && (there.size() > ids || random() % 3 == 0)) {
      return there[random() % there.size()];
    }
    const Origin& writer = origins.At(origin);
    const size_t at = there.empty() ? 0 : random() % there.size();
    switch (random() % 4) {
      case 0:
        return ListEndId(ListSide::kLeft, stamp, writer);
      case 1:
        return there.empty() ? ListEndId(ListSide::kLeft, stamp, writer)
                             : ListIdBetween(there[at], at + 1 < there.size() ? there[at + 1] : "",
                                             stamp, writer);
      default:
        return ListEndId(ListSide::kRight, stamp, writer);
    }
  }

  void CompareType(ElementType type) {
    std::vector<std::pair<double, std::string>> live;
    Stamp newest;
    for (const auto& [name, kept] : model.elements()) {
      if (name.first != type || !IsLive(kept.value)) continue;
      live.emplace_back(type == ElementType::kSortedSet ? ScoreOf(kept.value) : 0, name.second);
      if (kept.value.base.kind != Value::Kind::kNone) {
        newest = std::max(newest, kept.value.version.stamp);
      }
      for (const Slot& slot : kept.value.slots) newest = std::max(newest, slot.stamp);
    }
    ASSERT_EQ(collection.live(type), live.size());
    ASSERT_EQ(collection.NewestLive(space, type), newest);
    for (const auto& [score, id] : live) {
      const auto element = collection.Find(space, type, id);
      ASSERT_TRUE(element && element->live());
    }
    if (live.empty()) return;
    EXPECT_TRUE(collection.Random(space, type, random).live());
    if (type != ElementType::kSortedSet && type != ElementType::kList) return;
    std::sort(live.begin(), live.end());
    const size_t from = random() % live.size();
    for (const bool reverse : {false, true}) {
      size_t place = from;
      collection.VisitInOrder(space, type, from, reverse, [&](const Element& element) {
        EXPECT_EQ(element.id, live[place].second);
        reverse ? --place : ++place;
        return true;
      });
      ASSERT_EQ(place, reverse ? SIZE_MAX : live.size());
    }
    for (size_t rank = 0; rank < live.size(); rank += 1 + random() % 20) {
      const auto& [score, id] = live[rank];
      ASSERT_EQ(collection.RankOf(space, type, id), rank);
      if (type == ElementType::kList) {
        ASSERT_EQ(collection.CountBelowId(space, type, id, true), rank + 1);
      } else {
        const auto below =
            std::lower_bound(live.begin(), live.end(), std::pair(score, ""),
                             [](const auto& a, const auto& b) { return a.first < b.first; });
        ASSERT_EQ(collection.CountBelowScore(space, score, false),
                  static_cast<size_t>(below - live.begin()));
      }
    }
  }
};

class Collections : public testing::TestWithParam<uint64_t> {};

TEST_P(Collections, HoldWhatAMapOfRegistersHolds) {
  Rig rig(GetParam());
  // One type or several that meet; few elements or many.
  constexpr ElementType kTypes[] = {ElementType::kSet, ElementType::kHash, ElementType::kSortedSet,
                                    ElementType::kList, ElementType::kStream};
  const ElementType main = kTypes[GetParam() % 5];
  const bool mixed = GetParam() % 7 == 0;
  const size_t sizes[] = {5, 60, 150, 700};
  const size_t ids = sizes[GetParam() / 5 % 4];
  for (int step = 0; step < 2500; ++step) {
    const uint64_t choice = rig.random() % 300;
    if (choice == 0) rig.Purge();
    if (choice < 60) rig.FreeTombstones();
    rig.Write(mixed && choice % 3 == 0 ? kTypes[rig.random() % 5] : main, ids);
    if (step % 50 == 0) rig.Compare();
    if (testing::Test::HasFatalFailure()) return;
  }
  rig.Compare();
  EXPECT_EQ(rig.collection.size(), rig.model.elements().size());
}

INSTANTIATE_TEST_SUITE_P(Seeds, Collections, test::Seeds(60));

TEST(Collections, OfFewElementsTakeFewBytes) {
  Rig rig(1);
  Item item;
  item.part = Part::kElement;
  item.element_type = ElementType::kHash;
  for (int i = 0; i < 20; ++i) {
    const std::string field = "field" + std::to_string(10'000 + i);
    item.element = field;
    item.value = Value::Bytes("0123456789");
    item.stamp = rig.now = rig.now.next();
    rig.collection.Merge(rig.space, item, 0, {});
  }
  EXPECT_TRUE(rig.collection.packed());
  // Ten bytes each of field and value, and three beside them.
  EXPECT_LE(rig.collection.memory_bytes(rig.space), 20u * 23 + 80);
}

TEST(Collections, OfManyListElementsTakeLittleMoreThanThese) {
  Rig rig(1);
  Item item;
  item.part = Part::kElement;
  item.element_type = ElementType::kList;
  item.value = Value::Bytes("ten bytes.");
  for (int i = 0; i < 20'000; ++i) {
    item.stamp = rig.now = rig.now.next();
    const std::string id = ListEndId(ListSide::kRight, item.stamp, rig.origins.At(0));
    item.element = id;
    rig.collection.Merge(rig.space, item, 0, {});
  }
  EXPECT_LE(rig.collection.memory_bytes(rig.space), 20'000u * 12);
}

}  // namespace
}  // namespace starling
