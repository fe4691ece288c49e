#include "tests/storage/merge_history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "storage/held_shards.h"
#include "storage/records.h"
#include "storage/score.h"
#include "storage/speculation.h"

namespace starling {

using namespace std::chrono_literals;

MergeHistory::MergeHistory(uint64_t seed, bool large) : random_(seed), large_(large) {
  for (uint64_t i = 1; i <= kNodes; ++i) nodes_.push_back(std::make_unique<OneNode>(i, 4));
  for (auto& node : nodes_) node->time.StepWall(std::chrono::milliseconds(random_() % 50));
  if (large_) Fill();
}

void MergeHistory::Fill() {
  OneNode& node = *nodes_[random_() % kNodes];
  for (int i = 0; i < kLargeSize; ++i) {
    const std::string id = "m" + std::to_string(i);
    ScoreText text;
    node.Add("s0", id);
    node.Lock("h0").AddElement(node.Ref("h0"), ElementType::kHash, id,
                               Value::FromText(std::to_string(i)));
    node.Lock("z0").AddElement(node.Ref("z0"), ElementType::kSortedSet, id,
                               ScoreValue(i % 50, text));
    node.Lock("l0").PushElement(node.Ref("l0"), i % 2 == 0, Value::Bytes(id));
  }
  Flush(node);
  for (auto& other : nodes_) other->Take(batches_.back());
}

std::vector<SharedBytes> MergeHistory::InStreamOrder() {
  // batches_ has each stream in its order; which stream goes on is drawn.
  std::map<uint64_t, std::vector<SharedBytes>> streams;
  std::vector<uint64_t> turns;
  for (const SharedBytes& bytes : batches_) {
    const uint64_t node = DecodedBatch::Decode(*bytes)->header().origin.node.value;
    streams[node].push_back(bytes);
    turns.push_back(node);
  }
  std::shuffle(turns.begin(), turns.end(), random_);
  std::map<uint64_t, size_t> next;
  std::vector<SharedBytes> ordered;
  for (const uint64_t node : turns) ordered.push_back(streams[node][next[node]++]);
  return ordered;
}

void MergeHistory::Run(int steps, bool flush) {
  for (int i = 0; i < steps; ++i) {
    OneNode& node = *nodes_[random_() % kNodes];
    switch (random_() % 12) {
      case 0:
        node.time.Advance(std::chrono::milliseconds(random_() % 30));
        break;
      case 1:
        Flush(node);
        break;
      case 2:
        Deliver(random_() % kNodes);
        break;
      case 3:
        node.keyspace.DeleteExpired(100, 20ms);
        break;
      default:
        Write(node);
    }
  }
  if (!flush) return;
  Decide(*nodes_[0]);
  for (auto& node : nodes_) Flush(*node);
}

void MergeHistory::DeliverAll() {
  for (auto& node : nodes_) {
    std::vector<SharedBytes> batches = batches_;
    for (const SharedBytes& batch : batches_) {
      if (random_() % 3 == 0) batches.push_back(batch);
    }
    std::shuffle(batches.begin(), batches.end(), random_);
    for (const SharedBytes& batch : batches) node->Take(batch);
  }
}

void MergeHistory::ExpectAlike() {
  // Expired keys are hidden alike only at one time.
  int64_t latest = 0;
  for (auto& node : nodes_) latest = std::max(latest, node->keyspace.NowMillis());
  for (auto& node : nodes_) node->clock.Observe(Stamp::FirstOf(latest));
  for (int i = 1; i < kNodes; ++i) {
    EXPECT_EQ(WalkText(nodes_[0]->keyspace), WalkText(nodes_[i]->keyspace));
    for (uint8_t database = 0; database < 2; ++database) {
      for (auto& node : nodes_) node->database = database;
      EXPECT_EQ(VisibleText(*nodes_[0]), VisibleText(*nodes_[i]));
      EXPECT_EQ(nodes_[0]->Size(), nodes_[i]->Size());
      EXPECT_EQ(nodes_[0]->keyspace.SizeWithDeadline(database),
                nodes_[i]->keyspace.SizeWithDeadline(database));
    }
  }
}

std::string MergeHistory::Element() {
  return "m" + std::to_string(random_() % (large_ ? kLargeSize + 50 : 24));
}

void MergeHistory::Write(OneNode& node) {
  node.database = random_() % 8 == 0 ? 1 : 0;
  const std::string number = std::to_string(random_() % 2);
  const uint64_t choice = random_() % 100;
  if (random_() % 10 == 0) {
    WriteClaim(node, "c" + std::to_string(random_() % 3));
  } else if (choice < 40) {
    const std::string key = (choice < 8 ? "s" : "k") + std::to_string(random_() % 6);
    WriteMixed(node, key);
  } else if (choice < 55) {
    WriteHash(node, "h" + number);
  } else if (choice < 70) {
    WriteSortedSet(node, "z" + number);
  } else if (choice < 85) {
    WriteList(node, "l" + number);
  } else if (choice < 96) {
    // Types meet.
    const std::string key = "k" + std::to_string(random_() % 6);
    if (choice < 89) WriteHash(node, key);
    if (choice >= 89 && choice < 93) WriteSortedSet(node, key);
    if (choice >= 93) WriteList(node, key);
  } else if (!large_ || choice == 96) {
    const char* const types[] = {"h", "z", "l", "s"};
    WriteWhole(node, types[random_() % 4] + number);
  }
}

void MergeHistory::WriteMixed(OneNode& node, const std::string& key) {
  const std::string member = Element();
  switch (random_() % 16) {
    case 0:
      if (key[0] == 'k') node.Set(key, std::to_string(random_() % 100), random_() % 2 == 0);
      break;
    case 1:
      if (key[0] == 'k') node.Set(key, std::string(random_() % 3 * 1100, 'v'));
      break;
    case 2:
    case 3:
    case 4:
      if (key[0] == 'k') WriteWhole(node, key);
      break;
    case 5:
    case 6:
      node.Remove(key, member);
      break;
    case 7:
      if (key[0] == 'k') node.Lock(key).ResetCounter(node.Ref(key), random_() % 5);
      break;
    case 8:
      CopySomewhere(node, key);
      break;
    case 9:
      // Large collections are to stay: their database is flushed seldom.
      if (random_() % (large_ ? 100 : 10) == 0) FlushDatabase(node);
      break;
    case 10:
    case 11:
    case 12:
      (void)node.Increment(key, static_cast<int64_t>(random_() % 9) - 4);
      break;
    default:
      if (node.Type(key) != KeyType::kString) node.Add(key, member);
  }
}

void MergeHistory::AsLeaseholder(OneNode& node, const std::function<void()>& write) {
  if (speculating_) return write();
  const HeldShards held(node.keyspace);
  Speculation speculation(node.keyspace);
  write();
  if (speculation.blocked() || !speculation.wrote()) return;
  if (random_() % 2 == 0) return speculation.Keep();
  EXPECT_TRUE(node.keyspace.records().Write(1, speculation.TakeItems()));
}

void MergeHistory::Decide(OneNode& leaseholder) {
  Keyspace& keyspace = leaseholder.keyspace;
  Flush(leaseholder);  // a majority holds what is decided
  for (const auto& record : keyspace.records().undecided()) {
    keyspace.records().Decide({&record.id, 1}, random_() % 3 != 0);
  }
  for (const auto& lapsed : keyspace.LapsedClaims(10)) {
    const HeldShards held(keyspace);
    Speculation speculation(keyspace);
    const KeyRef key = keyspace.Ref(lapsed.database, lapsed.key);
    EXPECT_TRUE(keyspace.Lock(key).EndClaim(key, lapsed.token));
    speculation.Keep();
  }
}

void MergeHistory::FlushDatabase(OneNode& node) {
  if (!node.keyspace.HasLiveClaims(node.database)) {
    node.keyspace.FlushDatabase(node.database);
  } else if (&node == nodes_[0].get()) {
    AsLeaseholder(node, [&] { node.keyspace.FlushDatabase(node.database); });
  }
}

void MergeHistory::WriteClaim(OneNode& node, const std::string& key) {
  if (&node == nodes_[0].get()) {
    if (!speculating_ && random_() % 3 == 0) Decide(node);
    AsLeaseholder(node, [&] {
      Access access = node.Lock(key);
      WriteAsLeaseholder(access, node.Ref(key));
    });
    return;
  }
  if (node.Lock(key).HasLiveClaim(node.Ref(key))) return;  // refused by name
  switch (random_() % 5) {
    case 0:
      node.Set(key, std::to_string(random_() % 10));
      break;
    case 1:
      if (node.Type(key) != KeyType::kString) node.Add(key, Element());
      break;
    case 2:
      (void)node.Increment(key, 1);
      break;
    default:
      WriteWhole(node, key);
  }
}

void MergeHistory::WriteAsLeaseholder(Access& access, const KeyRef& key) {
  const auto millis = static_cast<int64_t>(random_() % 50);
  switch (random_() % 10) {
    case 0:
      access.SetString(key, std::to_string(millis), random_() % 2 == 0);
      break;
    case 1:
      access.Delete(key);
      break;
    case 2:
      access.SetDeadline(key, Stamp::kMaxMillis - millis);
      break;
    case 3:
      access.ClearDeadline(key);
      break;
    case 4:
      access.RewriteString(key, std::string(static_cast<size_t>(millis) * 50, 'r'),
                           random_() % 2 == 0);
      break;
    case 5:
    case 6:
      (void)access.Increment(key, millis);
      break;
    default:
      access.Claim(key, std::to_string(millis), random_() % 2 == 0 ? 0 : 1 + millis);
  }
}

void MergeHistory::WriteWhole(OneNode& node, const std::string& key) {
  switch (random_() % 5) {
    case 0:
      node.Delete(key);
      break;
    case 1:
      node.Lock(key).Clear(node.Ref(key));
      break;
    case 2:
      node.Lock(key).ClearDeadline(node.Ref(key));
      break;
    default:
      node.Expire(key, std::chrono::milliseconds(static_cast<int>(random_() % 60) - 5));
  }
}

void MergeHistory::WriteHash(OneNode& node, const std::string& key) {
  const KeyType type = node.Type(key);
  if (type != KeyType::kNone && type != KeyType::kHash) return;
  const KeyRef ref = node.Ref(key);
  const std::string field = Element();
  Access access = node.Lock(key);
  const auto by = static_cast<int64_t>(random_() % 21) - 10;
  switch (random_() % 8) {
    case 0:
      access.AddElement(ref, ElementType::kHash, field, Value::FromText(std::to_string(by)));
      break;
    case 1:
      access.AddElement(ref, ElementType::kHash, field,
                        Value::FromText(std::string(random_() % 90, 'v')));
      break;
    case 2:
    case 3:
      access.RemoveElement(ref, ElementType::kHash, field);
      break;
    case 4:
      (void)access.IncrementElementDecimal(ref, ElementType::kHash, field, Number{by, 1});
      break;
    default:
      // Refused where the field is a text or a decimal.
      (void)access.IncrementElement(ref, ElementType::kHash, field, by);
  }
}

void MergeHistory::WriteSortedSet(OneNode& node, const std::string& key) {
  const KeyType type = node.Type(key);
  if (type != KeyType::kNone && type != KeyType::kSortedSet) return;
  const KeyRef ref = node.Ref(key);
  const std::string member = Element();
  // Halves are exact numbers; the rest are not.
  const double scores[] = {INFINITY, -INFINITY, 1e300, 1e-20, -0.0};
  const double score =
      random_() % 20 == 0 ? scores[random_() % 5] : static_cast<double>(random_() % 41) / 2 - 10;
  Access access = node.Lock(key);
  ScoreText text;
  switch (random_() % 8) {
    case 0:
    case 1:
    case 2:
      access.AddElement(ref, ElementType::kSortedSet, member, ScoreValue(score, text));
      break;
    case 3:
      access.RemoveElement(ref, ElementType::kSortedSet, member);
      break;
    case 4:
      access.RemoveRange(ref, ElementType::kSortedSet, random_() % 10, random_() % 3);
      break;
    default:
      (void)access.IncrementScore(ref, member, score);
  }
}

void MergeHistory::WriteList(OneNode& node, const std::string& key) {
  const KeyType type = node.Type(key);
  if (type != KeyType::kNone && type != KeyType::kList) return;
  const KeyRef ref = node.Ref(key);
  Access access = node.Lock(key);
  const auto view = access.Find(ref);
  const size_t length = view ? view->size : 0;
  const std::string payload = Element();
  const size_t place = random_() % (length + 1);
  switch (random_() % 8) {
    case 0:
    case 1:
      // Often at the same place: ids grow until a side of the list is moved.
      access.InsertElementAt(ref, random_() % 2 == 0 ? place : length / 2, Value::Bytes(payload));
      break;
    case 2:
      if (length > 0) access.SetElementAt(ref, place % length, Value::FromText(payload));
      break;
    case 3:
      access.RemoveRange(ref, ElementType::kList, place, 1);
      break;
    case 4:
      access.RemoveRange(ref, ElementType::kList, 0, 1);
      break;
    case 5:
      access.RemoveRange(ref, ElementType::kList, length / 2, random_() % 3);
      break;
    default:
      access.PushElement(ref, random_() % 2 == 0, Value::Bytes(payload));
  }
}

void MergeHistory::CopySomewhere(OneNode& node, const std::string& key) {
  const KeyRef keys[] = {node.Ref(key), node.Ref("k0")};
  if (key != "k0") node.keyspace.Lock(keys).Copy(keys[0], keys[1]);
}

void MergeHistory::Flush(OneNode& node) {
  if (SharedBytes batch = node.Flush()) batches_.push_back(std::move(batch));
}

void MergeHistory::Deliver(size_t to) {
  if (!batches_.empty()) nodes_[to]->Take(batches_[random_() % batches_.size()]);
}

}  // namespace starling
