/// All that was ever written to one last-writer-wins thing, and what it may therefore show.
///
/// The later stamp wins, and who writes after having seen something has the later stamp: so a value
/// is possible exactly while nothing certain has been written by someone who had seen it. Not
/// thread-safe.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/ledger.h"
#include "tests/sim/node.h"

namespace starling::sim {

class History {
 public:
  explicit History(std::string what) : what_(std::move(what)) {}

  void Wrote(OperationId operation, std::string value) {
    writes_.push_back({operation, false, std::move(value)});
  }
  void Removed(OperationId operation) { writes_.push_back({operation, true, {}}); }

  /// What is wrong with showing `value` (null: nothing) once all nodes agree; empty when nothing
  /// is.
  std::string WhyNotFinally(const Ledger& ledger, const std::string* value) const;
  /// What is wrong with `node` showing `value` now: it was never written, or the node holds a write
  /// that had seen and replaced it (I8). Empty when nothing is.
  std::string WhyNotNow(const Ledger& ledger, SimNode& node, const std::string& value) const;

  const std::string& what() const { return what_; }

 private:
  struct Write {
    OperationId operation;
    bool removal;
    std::string value;
  };

  /// A certain write, other than of `value`, that had seen `write`; null when there is none.
  const Write* Replaced(const Ledger& ledger, const Write& write) const;
  static bool Same(const Write& a, const Write& b) {
    return a.removal == b.removal && a.value == b.value;
  }
  std::string Describe(const Ledger& ledger, const Write& write) const;

  std::string what_;
  std::vector<Write> writes_;
};

}  // namespace starling::sim
