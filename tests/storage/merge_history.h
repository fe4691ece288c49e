/// Nodes that write at random, each on a clock of its own, and the batches that they made: what the
/// properties of the merge rules are tested on.
///
/// Not thread-safe. A history is a function of its seed.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/storage/one_node.h"

namespace starling {

class MergeHistory {
 public:
  static constexpr int kNodes = 3;

  explicit MergeHistory(uint64_t seed);

  /// Writes, flushes, delivers and expires at random, and flushes all in the end.
  void Run(int steps);
  /// Brings every batch to every node in an order of its own, some of them twice.
  void DeliverAll();
  /// All nodes hold the same, show the same and count the same, at the latest of their times.
  void ExpectAlike();

  std::vector<std::unique_ptr<OneNode>>& nodes() { return nodes_; }
  const std::vector<SharedBytes>& batches() const { return batches_; }
  std::mt19937_64& random() { return random_; }

 private:
  void Write(OneNode& node);
  void CopySomewhere(OneNode& node, const std::string& key);
  void Flush(OneNode& node);
  void Deliver(size_t to);

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<OneNode>> nodes_;
  std::vector<SharedBytes> batches_;
};

}  // namespace starling
