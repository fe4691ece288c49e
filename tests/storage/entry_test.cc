// State records: whatever a key can hold round-trips, whatever a disk can hold is refused by name.
#include "storage/entry.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "storage/state_records.h"
#include "tests/storage/one_node.h"

namespace starling {
namespace {

/// Random states, with the texts they borrow.
class StateMaker {
 public:
  explicit StateMaker(uint64_t seed) : random_(seed) {
    for (uint64_t i = 0; i < 300; ++i) origins_.IndexOf(OriginOf(1 + random_(), random_() >> 1));
  }

  KeyState State() {
    KeyState state;
    if (random_() % 2) {
      state.cut = AnyStamp();
      state.cut_version = AnyVersion();
    }
    if (random_() % 4) state.string = AnyRegister(false);
    if (random_() % 2) {
      state.expiry_version = AnyVersion();
      if (random_() % 2) {
        state.deadline_millis =
            state.expiry_version.stamp.millis() + 1 + static_cast<int64_t>(random_() % 1'000'000);
      }
    }
    if (random_() % 3 == 0) state.claim = &AnyClaim();
    return state;
  }

  Claim& AnyClaim() {
    Claim& claim = claims_.emplace_back();
    claim.version = AnyVersion();
    claim.token = Stamp{1 + random_() % claim.version.stamp.value};
    claim.ended = random_() % 3 == 0;
    if (claim.ended) return claim;
    if (random_() % 2) claim.ttl_millis = static_cast<int64_t>(random_() >> (17 + random_() % 40));
    constexpr size_t kSizes[] = {0, 1, 100, 5000};
    claim.text.resize(kSizes[random_() % 4]);
    for (char& c : claim.text) c = static_cast<char>(random_());
    return claim;
  }

  Register AnyRegister(bool removable) {
    Register value;
    if (random_() % 4) {
      value.version = AnyVersion();
      switch (random_() % (removable ? 4 : 3)) {
        case 0:
          value.base = Value::OfNumber(AnyNumber());
          break;
        case 3:
          break;
        default: {
          constexpr size_t kSizes[] = {0, 1, 100, 1023, 1024, 1025, 5000};
          std::string text(kSizes[random_() % 7], '\0');
          for (char& c : text) c = static_cast<char>(random_());
          value.base = Value::Bytes(texts_.emplace_back(std::move(text)));
        }
      }
    }
    const auto first = static_cast<OriginIndex>(random_() % 290);
    for (OriginIndex i = 0; i < random_() % 8; ++i) {
      Slot slot;
      slot.origin = first + i;
      slot.born = AnyStamp();
      slot.stamp = Stamp{slot.born.value + random_() % 1'000'000};
      slot.net = AnyNumber();
      value.slots.push_back(slot);
    }
    return value;
  }

  OriginTable& origins() { return origins_; }
  std::mt19937_64& random() { return random_; }

 private:
  Stamp AnyStamp() { return Stamp{1 + (random_() >> (8 + random_() % 50))}; }
  Version AnyVersion() { return {AnyStamp(), static_cast<OriginIndex>(random_() % 300)}; }
  Number AnyNumber() {
    auto units = static_cast<__int128>(static_cast<int64_t>(random_()));
    if (random_() % 4 == 0) units *= static_cast<int64_t>(random_() >> 2);
    return {units, static_cast<uint8_t>(random_() % 18)};
  }

  std::mt19937_64 random_;
  OriginTable origins_;
  std::deque<std::string> texts_;
  std::deque<Claim> claims_;
};

void ExpectEqual(const Version& a, const Version& b) {
  EXPECT_EQ(a.stamp, b.stamp);
  if (!a.none()) {
    EXPECT_EQ(a.origin, b.origin);
  }
}

void ExpectEqual(const Register& a, const Register& b) {
  ExpectEqual(a.version, b.version);
  EXPECT_EQ(a.base.kind, b.base.kind);
  EXPECT_EQ(a.base.bytes, b.base.bytes);
  EXPECT_EQ(a.base.number, b.base.number);
  ASSERT_EQ(a.slots.size(), b.slots.size());
  for (size_t i = 0; i < a.slots.size(); ++i) {
    EXPECT_EQ(a.slots[i].origin, b.slots[i].origin);
    EXPECT_EQ(a.slots[i].born, b.slots[i].born);
    EXPECT_EQ(a.slots[i].stamp, b.slots[i].stamp);
    EXPECT_EQ(a.slots[i].net, b.slots[i].net);
  }
}

void ExpectEqual(const KeyState& a, const KeyState& b) {
  EXPECT_EQ(a.cut, b.cut);
  ExpectEqual(a.cut_version, b.cut_version);
  ExpectEqual(a.string, b.string);
  ExpectEqual(a.expiry_version, b.expiry_version);
  EXPECT_EQ(a.deadline_millis, b.deadline_millis);
  ASSERT_EQ(a.claim == nullptr, b.claim == nullptr);
  if (a.claim == nullptr) return;
  ExpectEqual(a.claim->version, b.claim->version);
  EXPECT_EQ(a.claim->token, b.claim->token);
  EXPECT_EQ(a.claim->ttl_millis, b.claim->ttl_millis);
  EXPECT_EQ(a.claim->ended, b.claim->ended);
  EXPECT_EQ(a.claim->text, b.claim->text);
}

TEST(StateRecords, RoundTrip) {
  StateMaker maker(1);
  for (int i = 0; i < 3000; ++i) {
    const KeyState state = maker.State();
    const std::string bytes = EncodeState(state, maker.origins());
    KeyState decoded;
    std::unique_ptr<Claim> claim;
    ASSERT_TRUE(DecodeState(bytes, maker.origins(), decoded, claim));
    ExpectEqual(state, decoded);
    const Register value = maker.AnyRegister(true);
    Register element;
    const std::string element_bytes = EncodeElement(value, maker.origins());
    ASSERT_TRUE(DecodeElement(element_bytes, maker.origins(), element));
    ExpectEqual(value, element);
  }
}

TEST(StateRecords, MeanTheSameToAnotherProcess) {
  StateMaker maker(2);
  OriginTable other;  // numbers origins in an order of its own
  for (uint64_t i = 0; i < 7; ++i) other.IndexOf(OriginOf(90 + i));
  for (int i = 0; i < 200; ++i) {
    const KeyState state = maker.State();
    KeyState decoded;
    std::unique_ptr<Claim> claim;
    const std::string bytes = EncodeState(state, maker.origins());
    ASSERT_TRUE(DecodeState(bytes, other, decoded, claim));
    EXPECT_EQ(EncodeState(decoded, other), bytes);
  }
}

TEST(StateRecords, RefuseEveryTruncationAndEveryAddition) {  // I11
  StateMaker maker(3);
  for (int i = 0; i < 60; ++i) {
    const std::string bytes = EncodeState(maker.State(), maker.origins());
    for (size_t size = 0; size < bytes.size(); size += 1 + size / 40) {
      // Exactly as long as it is: a read beyond it is seen by the address sanitizer.
      const std::unique_ptr<char[]> exact(new char[size + 1]);
      std::memcpy(exact.get(), bytes.data(), size);
      KeyState decoded;
      std::unique_ptr<Claim> claim;
      const Status status = DecodeState({exact.get(), size}, maker.origins(), decoded, claim);
      ASSERT_FALSE(status) << size;
      EXPECT_EQ(status.error().code, Code::kCorruption);
    }
    KeyState decoded;
    std::unique_ptr<Claim> claim;
    EXPECT_FALSE(DecodeState(bytes + "x", maker.origins(), decoded, claim));
  }
}

TEST(StateRecords, OfHostileBytesAreRefusedOrUsable) {  // I11
  StateMaker maker(4);
  size_t usable = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = EncodeState(maker.State(), maker.origins());
    for (uint64_t flips = 1 + maker.random()() % 4; flips > 0; --flips) {
      // Behind the origins, so that the table does not fill with invented ones.
      const size_t from = bytes.size() > 60 ? 40 : 1;
      bytes[from + maker.random()() % (bytes.size() - from)] = static_cast<char>(maker.random()());
    }
    OriginTable origins;
    KeyState state;
    std::unique_ptr<Claim> claim;
    if (!DecodeState(bytes, origins, state, claim)) continue;
    ++usable;
    // Everything that is done with a state must bear it.
    state.string.Sum().ToString();
    state.string.Sum().Negated();
    EncodeState(state, origins);
    Register element;
    (void)DecodeElement(bytes, origins, element);
  }
  EXPECT_GT(usable, 100u);
}

TEST(StateRecords, HostileOnesCanBeRestoredIntoAKeyspace) {  // I11
  StateMaker maker(5);
  for (int i = 0; i < 300; ++i) {
    OneNode node;
    for (int n = 0; n < 10; ++n) {
      std::string bytes = EncodeState(maker.State(), maker.origins());
      bytes[bytes.size() - 1 - maker.random()() % std::min<size_t>(bytes.size(), 60)] ^=
          static_cast<char>(1 << maker.random()() % 8);
      const std::string key = "k" + std::to_string(n);
      const StateName name{StateName::Kind::kEntry, 0, key, {}, {}};
      (void)node.keyspace.RestoreRecord(name.Encode(), bytes);
      const StateName element{StateName::Kind::kElement, 0, key, ElementType::kSet, "m"};
      (void)node.keyspace.RestoreRecord(element.Encode(),
                                        EncodeElement(maker.AnyRegister(true), maker.origins()));
    }
    for (const std::string& key : node.Keys()) {
      node.Get(key);
      if (node.Lock(key).HasLiveClaim(node.Ref(key))) continue;
      (void)node.Increment(key, 1);
      node.Members(key);
      node.Delete(key);
    }
    WalkText(node.keyspace);
    node.FreeAll();
  }
  SUCCEED() << "nothing crashed, and no sanitizer objected";
}

TEST(StateNames, RoundTripAndKeepTheirElementsTogether) {
  const std::string nul("a\0b", 3);
  for (const std::string& key : {std::string(), std::string("k"), nul, std::string(70'000, 'x')}) {
    for (const uint8_t database : {0, 16}) {
      const StateName entry{StateName::Kind::kEntry, database, key, {}, {}};
      const std::string bytes = entry.Encode();
      const Result<StateName> decoded = StateName::Decode(bytes);
      ASSERT_TRUE(decoded);
      EXPECT_EQ(decoded->kind, StateName::Kind::kEntry);
      EXPECT_EQ(decoded->database, database);
      EXPECT_EQ(decoded->key, key);
      for (const std::string& id : {std::string(), nul, std::string(3000, 'y')}) {
        const StateName name{StateName::Kind::kElement, database, key, ElementType::kHash, id};
        const std::string element = name.Encode();
        EXPECT_TRUE(element.starts_with(entry.ElementPrefix()));
        const Result<StateName> back = StateName::Decode(element);
        ASSERT_TRUE(back);
        EXPECT_EQ(back->key, key);
        EXPECT_EQ(back->element, id);
        EXPECT_EQ(back->element_type, ElementType::kHash);
      }
    }
  }
  // A key that is a prefix of another does not own the other's elements.
  const StateName shorter{StateName::Kind::kElement, 0, "k", ElementType::kSet, "m"};
  const StateName longer{StateName::Kind::kElement, 0, "k1", ElementType::kSet, "m"};
  EXPECT_FALSE(longer.Encode().starts_with(shorter.ElementPrefix()));
}

TEST(StateNames, RefuseWhatIsNoName) {  // I11
  for (const std::string& bytes :
       {std::string(), std::string(1, 1), std::string(1, 3) + "xx", std::string(2, 2),
        std::string("\x02\x00\x00\x00\x00\x05ke", 8), std::string("\x02\x00\xFF\xFF\xFF\xFFkey", 9),
        std::string("\x02\x00\x00\x00\x00\x01k\x00m", 9),
        std::string("\x02\x00\x00\x00\x00\x01k\x06m", 9)}) {
    EXPECT_FALSE(StateName::Decode(bytes));
  }
  OneNode node;
  const StateName far{StateName::Kind::kEntry, 17, "k", {}, {}};
  EXPECT_EQ(node.keyspace.RestoreRecord(far.Encode(), "").error().code, Code::kCorruption);
}

TEST(StateVectors, RoundTripAndRefuseEveryTruncation) {  // I11
  StateVector record;
  record.walks = 1'000'000;
  for (uint64_t i = 1; i < 20; ++i) record.vector.Set(OriginOf(i * i, i << 33), Stamp{i << 48});
  const std::string bytes = record.Encode();
  const Result<StateVector> decoded = StateVector::Decode(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->walks, record.walks);
  EXPECT_EQ(decoded->vector, record.vector);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(StateVector::Decode(bytes.substr(0, size))) << size;
  }
  EXPECT_FALSE(StateVector::Decode(bytes + "x"));
  std::string unknown = bytes;
  unknown[0] = 9;
  EXPECT_FALSE(StateVector::Decode(unknown));
}

}  // namespace
}  // namespace starling
