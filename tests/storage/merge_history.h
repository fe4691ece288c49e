/// Nodes that write at random, each on a clock of its own, and the batches that they made: what the
/// properties of the merge rules are tested on.
///
/// The first of them grants, rewrites and ends claims, as a leaseholder does, also by records that
/// it decides later; the others write to the same keys while they know of no claim.
///
/// They write every type: strings, counters, sets; hashes with fields that are added to; sorted
/// sets with scores that are added to, and lists; each under keys of its own and under keys where
/// types meet. They delete, store, copy and flush, and set deadlines that pass meanwhile.
///
/// Not thread-safe. A history is a function of its seed.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/storage/one_node.h"

namespace starling {

class MergeHistory {
 public:
  static constexpr int kNodes = 3;

  /// What the large collections begin with: more than one packed block holds.
  static constexpr int kLargeSize = 400;

  /// `large`: a hash, a set, a sorted set and a list of kLargeSize elements, known to all, come
  /// first.
  explicit MergeHistory(uint64_t seed, bool large = false);

  /// Writes, flushes, delivers and expires at random, and with `flush` flushes all in the end.
  void Run(int steps, bool flush = true);
  /// One random write; the calling thread speculates over the whole node.
  void WriteTo(OneNode& node) {
    speculating_ = true;
    Write(node);
    speculating_ = false;
  }
  /// Brings every batch to every node in an order of its own, some of them twice.
  void DeliverAll();
  /// All batches in an order of their own in which each follows those before it in its stream.
  std::vector<SharedBytes> InStreamOrder();
  /// All nodes hold the same, show the same and count the same, at the latest of their times.
  void ExpectAlike();

  std::vector<std::unique_ptr<OneNode>>& nodes() { return nodes_; }
  const std::vector<SharedBytes>& batches() const { return batches_; }
  std::mt19937_64& random() { return random_; }

 private:
  void Fill();
  void Write(OneNode& node);
  /// Strings, counters, sets and whole keys.
  void WriteMixed(OneNode& node, const std::string& key);
  void WriteHash(OneNode& node, const std::string& key);
  void WriteSortedSet(OneNode& node, const std::string& key);
  void WriteList(OneNode& node, const std::string& key);
  /// Keys that are claimed.
  void WriteClaim(OneNode& node, const std::string& key);
  void WriteAsLeaseholder(Access& access, const KeyRef& key);
  void FlushDatabase(OneNode& node);
  /// Runs claim writes as a speculation that is kept, or of which a record is made.
  void AsLeaseholder(OneNode& node, const std::function<void()>& write);
  /// Commits or voids what is undecided; ends a claim whose time is up.
  void Decide(OneNode& leaseholder);
  /// What ends or renews a whole key.
  void WriteWhole(OneNode& node, const std::string& key);
  std::string Element();
  void CopySomewhere(OneNode& node, const std::string& key);
  void Flush(OneNode& node);
  void Deliver(size_t to);

  std::mt19937_64 random_;
  bool large_;
  bool speculating_ = false;
  std::vector<std::unique_ptr<OneNode>> nodes_;
  std::vector<SharedBytes> batches_;
};

}  // namespace starling
