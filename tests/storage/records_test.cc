// Records: applied nowhere before their verdict, then everywhere and once, however both come.
#include "storage/records.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/held_shards.h"
#include "storage/item_list.h"
#include "storage/speculation.h"
#include "tests/storage/one_store.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// Runs `write` as a speculation of which a record is made.
template <typename WriteKeys>
Records::Written Record(Keyspace& keyspace, WriteKeys&& write, uint64_t epoch = 1) {
  const HeldShards held(keyspace);
  Speculation speculation(keyspace);
  write();
  EXPECT_FALSE(speculation.blocked());
  const std::string items = speculation.TakeItems();
  return keyspace.records().Write(epoch, items).value();
}

/// Grants lock `l`, sets `d` and adds 5 to `n`.
Records::Written RecordLock(OneNode& node) {
  return Record(node.keyspace, [&] {
    node.Lock("l").Claim(node.Ref("l"), "holder", 60'000);
    node.Set("d", "1");
    (void)node.Increment("n", 5);
  });
}

Records::Written RecordLock(OneStore& one) {
  return Record(one.store->keyspace(), [&] {
    one.Lock("l").Claim(one.Ref("l"), "holder", 60'000);
    one.Set("d", "1");
    one.Increment("n", 5);
  });
}

void Decide(Keyspace& keyspace, const RecordId& id, bool commit = true) {
  keyspace.records().Decide({&id, 1}, commit);
}

void ExpectApplied(OneNode& node, bool applied, std::string_view added = "5") {
  EXPECT_EQ(node.Get("l").has_value(), applied);
  EXPECT_EQ(node.Get("d").has_value(), applied);
  EXPECT_EQ(node.Get("n"), applied ? std::optional<std::string>(added) : std::nullopt);
}

void ExpectApplied(OneStore& one, bool applied) {
  EXPECT_EQ(one.Get("l").has_value(), applied);
  EXPECT_EQ(one.Get("d").has_value(), applied);
  EXPECT_EQ(one.Get("n"), applied ? std::optional<std::string>("5") : std::nullopt);
}

TEST(Records, AreAppliedNowhereBeforeTheirVerdict) {  // counterexamples 36, 37
  for (const bool commit : {false, true}) {
    OneNode leaseholder(1), peer(2);
    const Records::Written written = RecordLock(leaseholder);
    const SharedBytes record = leaseholder.Flush();
    ASSERT_TRUE(record);
    EXPECT_LE(written.stamp, leaseholder.flushed);
    peer.Take(record);
    for (OneNode* node : {&leaseholder, &peer}) {
      ExpectApplied(*node, false);
      EXPECT_EQ(node->Size(), 0u);
      EXPECT_TRUE(node->keyspace.records().IsReserved(node->Ref("l")));
      EXPECT_TRUE(node->keyspace.records().IsReserved(node->Ref("n")));
      EXPECT_FALSE(node->keyspace.records().IsReserved(node->Ref("other")));
      const auto undecided = node->keyspace.records().undecided();
      ASSERT_EQ(undecided.size(), 1u);
      EXPECT_EQ(undecided[0].id, written.id);
      EXPECT_EQ(undecided[0].stamp, written.stamp);
      EXPECT_EQ(undecided[0].origin, OriginOf(1));
      EXPECT_EQ(undecided[0].keys.size(), 3u);
    }
    const uint64_t decisions = peer.keyspace.records().decisions();
    Decide(leaseholder.keyspace, written.id, commit);
    peer.Take(leaseholder.Flush());
    EXPECT_GT(peer.keyspace.records().decisions(), decisions);
    for (OneNode* node : {&leaseholder, &peer}) {
      ExpectApplied(*node, commit);
      EXPECT_FALSE(node->keyspace.records().IsReserved(node->Ref("l")));
      EXPECT_TRUE(node->keyspace.records().undecided().empty());
    }
    EXPECT_EQ(WalkText(leaseholder.keyspace), WalkText(peer.keyspace));
  }
}

TEST(Records, AreAppliedOnceInWhateverOrderTheyAndTheirVerdictsCome) {
  for (const bool verdict_first : {false, true}) {
    OneNode first(1), second(2), peer(3);
    const Records::Written written = RecordLock(first);
    const SharedBytes record = first.Flush();
    second.Take(record);  // the next leaseholder decides, in a stream of its own
    Decide(second.keyspace, written.id);
    const SharedBytes verdict = second.Flush();
    peer.Take(verdict_first ? verdict : record);
    ExpectApplied(peer, false);
    peer.Take(verdict_first ? record : verdict);
    ExpectApplied(peer, true);
    EXPECT_TRUE(peer.keyspace.records().undecided().empty());
    first.Take(verdict);
    ExpectApplied(first, true);
    EXPECT_EQ(WalkText(first.keyspace), WalkText(peer.keyspace));
    EXPECT_EQ(WalkText(second.keyspace), WalkText(peer.keyspace));
    // Brought again, it changes nothing any more, whatever has happened since.
    peer.Delete("d");
    peer.FreeAll();
    peer.Take(record);
    peer.Take(verdict);
    EXPECT_EQ(peer.Get("d"), std::nullopt);
  }
}

/// A record, its verdict and its removal, each in a stream of its own.
struct ThreeStreams {
  ThreeStreams() {
    const RecordId id = RecordLock(first).id;
    const SharedBytes record = first.Flush();
    second.Take(record);
    Decide(second.keyspace, id);
    const SharedBytes verdict = second.Flush();
    third.Take(record);
    third.Take(verdict);
    third.keyspace.records().Remove({&id, 1});
    batches = {record, verdict, third.Flush()};
  }
  OneNode first{1}, second{2}, third{3};
  std::vector<SharedBytes> batches;
};

TEST(Records, AreAppliedOnceWhereverTheirRemovalIsReplayed) {  // I10
  ThreeStreams streams;
  Keyspace::Stability stable;
  for (int node = 1; node <= 3; ++node) stable.covered.Set(OriginOf(node), Stamp{UINT64_MAX});
  stable.passed = Stamp{UINT64_MAX};
  std::vector<size_t> order = {0, 1, 2};
  do {
    OneNode node(4);
    for (const size_t next : order) node.Take(streams.batches[next]);
    const std::string names = testing::PrintToString(order);
    ExpectApplied(node, true);
    EXPECT_TRUE(node.keyspace.records().undecided().empty()) << names;
    EXPECT_FALSE(node.keyspace.records().IsReserved(node.Ref("l"))) << names;
    EXPECT_TRUE(node.keyspace.records().Removable(stable).empty()) << names;
    EXPECT_EQ(WalkText(node.keyspace), WalkText(streams.third.keyspace)) << names;
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Records, RemovedBeforeTheirVerdictWaitForItAcrossACheckpoint) {  // I10
  ThreeStreams streams;
  OneStore one;
  ASSERT_TRUE(one.Open());
  const Records* records = &one.store->keyspace().records();
  ASSERT_TRUE(one.Apply(streams.batches[0]));
  EXPECT_FALSE(records->AnyUnsettled());
  ASSERT_TRUE(one.Apply(streams.batches[2]));
  EXPECT_TRUE(records->AnyUnsettled()) << "its verdict was lost here, or is on its way";
  ASSERT_TRUE(one.store->Checkpoint());
  ASSERT_TRUE(one.Open());
  records = &one.store->keyspace().records();
  EXPECT_EQ(records->undecided().size(), 1u);
  ExpectApplied(one, false);
  ASSERT_TRUE(one.Apply(streams.batches[1]));
  ExpectApplied(one, true);
  EXPECT_FALSE(records->AnyUnsettled());
}

TEST(Records, LeaveAnOwnSlotToItsRecord) {
  OneNode node;
  (void)node.Increment("n", 2);
  const Records::Written written = RecordLock(node);
  EXPECT_EQ(node.Get("n"), "2");
  // Whoever would move the slot asks first; a speculation stops.
  {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    (void)node.Increment("n", 1);
    EXPECT_TRUE(speculation.blocked());
  }
  {
    const HeldShards held(node.keyspace);
    Speculation speculation(node.keyspace);
    EXPECT_FALSE(node.Get("l"));
    EXPECT_TRUE(speculation.blocked()) << "also where there is nothing yet to be seen";
  }
  (void)node.Flush();
  Decide(node.keyspace, written.id);
  ExpectApplied(node, true, "7");
  (void)node.Increment("n", 1);
  EXPECT_EQ(node.Get("n"), "8");
}

TEST(Records, OfAFlushDeleteTheDatabaseEverywhere) {
  OneNode leaseholder(1), peer(2);
  for (int i = 0; i < 20; ++i) leaseholder.Set("k" + std::to_string(i), "v");
  const Records::Written lock = RecordLock(leaseholder);
  peer.Take(leaseholder.Flush());
  Decide(leaseholder.keyspace, lock.id);
  const Records::Written written =
      Record(leaseholder.keyspace, [&] { leaseholder.keyspace.FlushDatabase(0); });
  EXPECT_EQ(leaseholder.Size(), 23u);
  EXPECT_TRUE(leaseholder.keyspace.records().IsReserved(leaseholder.Ref("anything")));
  peer.Take(leaseholder.Flush());
  EXPECT_EQ(peer.Size(), 23u);
  Decide(leaseholder.keyspace, written.id);
  peer.Take(leaseholder.Flush());
  for (OneNode* node : {&leaseholder, &peer}) {
    EXPECT_EQ(node->Size(), 0u);
    EXPECT_FALSE(node->keyspace.HasLiveClaims(0));
  }
  EXPECT_EQ(WalkText(leaseholder.keyspace), WalkText(peer.keyspace));
}

TEST(Records, HoldBackTombstonesThatTheirItemsMayStillMeet) {  // I8
  OneNode a(1), b(2);
  const Records::Written written = Record(a.keyspace, [&] { a.Set("k", "v"); });
  const SharedBytes record = a.Flush();
  b.Take(record);
  b.Delete("k");                  // nothing is seen there: no item
  b.Lock("k").Clear(b.Ref("k"));  // a cut that is later than the record's base
  a.Take(b.Flush());
  EXPECT_EQ(a.FreeAll(), 0u);
  EXPECT_EQ(b.FreeAll(), 0u);
  Decide(a.keyspace, written.id);
  EXPECT_EQ(a.FreeAll(), 1u);  // the cut, now that nothing older can come
  b.Take(a.Flush());
  EXPECT_EQ(b.FreeAll(), 1u);
  EXPECT_EQ(a.Get("k"), std::nullopt);
  EXPECT_EQ(b.Get("k"), std::nullopt);
  EXPECT_EQ(WalkText(a.keyspace), WalkText(b.keyspace));
}

TEST(Records, AreRemovedWhenTheyAndTheirVerdictsAreStable) {  // I9
  OneNode leaseholder(1), peer(2);
  std::vector<RecordId> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(Record(leaseholder.keyspace, [&] { leaseholder.Set("k", "v"); }).id);
    peer.Take(leaseholder.Flush());
    Decide(leaseholder.keyspace, ids.back(), i % 2 == 0);
    peer.Take(leaseholder.Flush());
  }
  Keyspace::Stability stability;
  EXPECT_TRUE(leaseholder.keyspace.records().Removable(stability).empty());
  stability.covered.Set(OriginOf(1), leaseholder.flushed);
  stability.passed = leaseholder.flushed;
  EXPECT_EQ(leaseholder.keyspace.records().Removable(stability), ids);
  leaseholder.keyspace.records().Remove(ids);
  EXPECT_TRUE(leaseholder.keyspace.records().Removable(stability).empty());
  peer.Take(leaseholder.Flush());
  EXPECT_TRUE(peer.keyspace.records().Removable(stability).empty());
  for (OneNode* node : {&leaseholder, &peer}) {
    node->FreeAll();
    EXPECT_EQ(WalkText(node->keyspace).size(), 1u) << "k alone";
  }
}

TEST(Records, AreBoundedByNamedLimits) {  // I9
  OneNode node;
  for (size_t i = 0; i < Records::kMaxUndecided; ++i) {
    Record(node.keyspace, [&] { node.Set("k" + std::to_string(i), "v"); });
  }
  const HeldShards held(node.keyspace);
  const auto refused = [&](const std::string& text) {
    Speculation speculation(node.keyspace);
    node.Set("new", text);
    return node.keyspace.records().Write(1, speculation.TakeItems()).error();
  };
  EXPECT_EQ(refused("v").code, Code::kLimitExceeded);
  EXPECT_EQ(refused(std::string(Records::kMaxRecordBytes + 1, 'v')).code, Code::kLimitExceeded);
  EXPECT_EQ(node.keyspace.records().undecided().size(), Records::kMaxUndecided);
  EXPECT_EQ(node.Get("new"), std::nullopt);
}

TEST(Records, SurviveEveryKindOfRestart) {  // I10
  for (const int checkpoint : {0, 1, 2, 3}) {
    for (const bool commit : {false, true}) {
      OneStore one;
      ASSERT_TRUE(one.Open());
      const RecordId id = RecordLock(one).id;
      ASSERT_TRUE(one.store->journal().Commit());
      if (checkpoint == 1) {
        ASSERT_TRUE(one.store->Checkpoint());
      }
      ASSERT_TRUE(one.Open());
      ExpectApplied(one, false);
      ASSERT_EQ(one.store->keyspace().records().undecided().size(), 1u);
      EXPECT_TRUE(one.store->keyspace().records().IsReserved(one.Ref("l")));
      if (checkpoint == 2) {
        ASSERT_TRUE(one.store->Checkpoint());
      }
      Decide(one.store->keyspace(), id, commit);
      ExpectApplied(one, commit);
      ASSERT_TRUE(one.store->journal().Commit());
      if (checkpoint == 3) {
        ASSERT_TRUE(one.store->Checkpoint());
      }
      const auto before = one.Walk();
      ASSERT_TRUE(one.Open());
      ExpectApplied(one, commit);
      EXPECT_EQ(one.Walk(), before);
      EXPECT_TRUE(one.store->keyspace().records().undecided().empty());
      ASSERT_TRUE(one.store->Checkpoint());
      ASSERT_TRUE(one.Open());
      ExpectApplied(one, commit);
      EXPECT_EQ(one.Walk(), before);
    }
  }
}

TEST(Records, DecidedWhileACheckpointIsWrittenAreFoundByTheReplay) {  // I10
  OneNode node;
  const Records::Written written = RecordLock(node);
  const SharedBytes record = node.Flush();
  // The names are taken, the vector says that the record is held; then comes the verdict.
  Keyspace::ChangedPtr changed = node.keyspace.TakeChanged();
  Decide(node.keyspace, written.id);
  const SharedBytes verdict = node.Flush();
  std::vector<Engine::StateWrite> writes;
  while (node.keyspace.EncodeChanged(*changed, writes.size() + 1, writes)) {
  }
  std::map<std::string, std::string> state;
  for (const Engine::StateWrite& write : writes) {
    if (write.value) state[write.key] = *write.value;
  }
  OneNode restarted;
  for (const auto& [name, value] : state) {
    ASSERT_TRUE(restarted.keyspace.RestoreRecord(name, value));
  }
  restarted.keyspace.EndRestore();
  ASSERT_EQ(restarted.keyspace.records().undecided().size(), 1u);
  restarted.Take(verdict);
  ExpectApplied(restarted, true);
  EXPECT_EQ(WalkText(restarted.keyspace), WalkText(node.keyspace));
}

TEST(Records, TravelInWalksDecidedOrNot) {
  for (const bool whole : {false, true}) {
    for (const bool decided : {false, true}) {
      OneStore from("a"), to("b", 2);
      ASSERT_TRUE(from.Open());
      ASSERT_TRUE(to.Open());
      const RecordId id = RecordLock(from).id;
      ASSERT_TRUE(from.store->journal().Commit());
      if (decided) Decide(from.store->keyspace(), id);
      ASSERT_TRUE(from.store->journal().Commit());
      ASSERT_TRUE(to.store->ApplyWalk(OneStore::WalkOf(*from.store, {}), whole));
      ExpectApplied(to, decided);
      EXPECT_EQ(to.store->keyspace().records().undecided().size(), decided ? 0u : 1u);
      EXPECT_EQ(to.Walk(), from.Walk());
      ASSERT_TRUE(to.Open());
      ExpectApplied(to, decided);
      if (decided) continue;
      // The verdict comes by the stream, or by another walk.
      Decide(from.store->keyspace(), id);
      ASSERT_TRUE(from.store->journal().Commit());
      ASSERT_TRUE(
          to.store->ApplyWalk(OneStore::WalkOf(*from.store, to.store->vector()), /*whole=*/false));
      ExpectApplied(to, true);
      EXPECT_EQ(to.Walk(), from.Walk());
    }
  }
}

TEST(Records, DecidedWhileAWalkIsUnderWayAreAppliedAtItsEnd) {
  for (uint64_t stop = 0; stop < 40; ++stop) {
    OneNode from(1), to(2);
    for (int i = 0; i < 30; ++i) from.Set("k" + std::to_string(i), "v");
    const Records::Written written = Record(from.keyspace, [&] {
      for (int i = 0; i < 30; ++i) from.Set("k" + std::to_string(i), "w");
    });
    (void)from.Flush();
    WalkPosition position;
    ItemList items;
    SharedBytes verdict;
    for (uint64_t step = 0; !position.done; ++step) {
      if (step == stop) {
        Decide(from.keyspace, written.id);
        verdict = from.Flush();
      }
      from.keyspace.Walk(position, {}, 1, [&](const Item& item) { items.Add(item); });
    }
    if (verdict == nullptr) break;
    to.clock.Observe(from.clock.last());
    const std::vector<std::vector<Item>> lists = {items.items()};
    to.keyspace.MergeAll(lists);
    to.Take(verdict);
    EXPECT_EQ(WalkText(to.keyspace), WalkText(from.keyspace)) << stop;
    EXPECT_EQ(to.Get("k7"), "w");
  }
}

TEST(Records, FromPeersThatBreakTheRulesAreRefusedByName) {  // I11
  OneNode node;
  RecordLock(node);
  const SharedBytes bytes = node.Flush();
  const DecodedBatch batch = *DecodedBatch::Decode(*bytes);
  std::vector<Item> items;
  size_t at = 0;
  for (const Item& item : batch.items()) {
    if (Records::IsRecordItem(item) && item.part == Part::kElement) at = items.size();
    items.push_back(item);
  }
  ASSERT_TRUE(Records::Check(items));
  const std::string good(items[at].value.bytes);
  const auto refuses = [&](std::string_view why, const auto& change) {
    std::vector<Item> bad = items;
    change(bad[at]);
    const Status status = Records::Check(bad);
    ASSERT_FALSE(status) << why;
    EXPECT_EQ(status.error().code, Code::kCorruption);
    EXPECT_EQ(status.error().message, "item " + std::to_string(at) + ": " + std::string(why));
    OneStore one;
    ASSERT_TRUE(one.Open());
    const auto encoded = std::make_shared<const std::string>(EncodeBatch(batch.header(), bad));
    if (bad[at].origin != batch.header().origin) return;
    EXPECT_EQ(one.Apply(encoded).error().code, Code::kCorruption);
    EXPECT_TRUE(one.Walk().empty());
  };
  const auto with = [&](std::string value) {
    static std::string kept;
    kept = std::move(value);
    return [](Item& item) { item.value = Value::Bytes(kept); };
  };
  refuses("among the records, yet none", [](Item& item) { item.element = "x"; });
  refuses("among the records, yet none", [](Item& item) { item.value = Value::OfNumber({1, 0}); });
  refuses("a record without a value", with(""));
  refuses("neither a record nor a verdict", with("x"));
  refuses("a verdict of another length", with("c123"));
  refuses("a verdict not after its record", with("c" + std::string(24, '\xFF')));
  refuses("a record that does not hold items", with("r"));
  refuses("a record without its note", with("n"));
  refuses("a record that does not hold items", with("n\1x" + std::string(4, '\0')));
  refuses("a record that does not hold items", with(good.substr(0, good.size() - 8)));
  refuses("a record that does not hold items", with("r" + EncodeChunk({}, {})));
  refuses("a record with another's item", [&](Item& item) { item.origin = OriginOf(9); });
  Item own = items[at];
  own.key = "k";
  own.stamp = batch.header().upto;
  refuses("a record with an item not before itself", with("r" + EncodeChunk({&own, 1}, {})));
  own.stamp = Stamp{1};
  refuses("a record with an item of the cluster's own", with("r" + EncodeChunk({&own, 1}, {})));
  // Whatever is changed in it, it is refused or can be applied.
  for (size_t i = 0; i < good.size(); ++i) {
    std::string flipped = good;
    flipped[i] ^= 1;
    std::vector<Item> bad = items;
    bad[at].value = Value::Bytes(flipped);
    if (!Records::Check(bad)) continue;
    OneNode other(2);
    other.keyspace.Merge(bad);
    (void)other.Flush();
    for (const auto& record : other.keyspace.records().undecided()) {
      Decide(other.keyspace, record.id);
    }
    WalkText(other.keyspace);
  }
}

}  // namespace
}  // namespace starling
