#include "tests/storage/merge_history.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace starling {

using namespace std::chrono_literals;

MergeHistory::MergeHistory(uint64_t seed) : random_(seed) {
  for (uint64_t i = 1; i <= kNodes; ++i) nodes_.push_back(std::make_unique<OneNode>(i, 4));
  for (auto& node : nodes_) node->time.StepWall(std::chrono::milliseconds(random_() % 50));
}

void MergeHistory::Run(int steps) {
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

void MergeHistory::Write(OneNode& node) {
  node.database = random_() % 8 == 0 ? 1 : 0;
  const std::string key = "k" + std::to_string(random_() % 6);
  const std::string member = "m" + std::to_string(random_() % 24);
  switch (random_() % 16) {
    case 0:
      node.Set(key, std::to_string(random_() % 100), random_() % 2 == 0);
      break;
    case 1:
      node.Set(key, std::string(random_() % 3 * 1100, 'v'));
      break;
    case 2:
      node.Delete(key);
      break;
    case 3:
      node.Expire(key, std::chrono::milliseconds(static_cast<int>(random_() % 60) - 5));
      break;
    case 4:
      node.Lock(key).ClearDeadline(node.Ref(key));
      break;
    case 5:
    case 6:
      node.Remove(key, member);
      break;
    case 7:
      node.Lock(key).ResetCounter(node.Ref(key), random_() % 5);
      break;
    case 8:
      CopySomewhere(node, key);
      break;
    case 9:
      if (random_() % 10 == 0) node.keyspace.FlushDatabase(node.database);
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
