#include "tests/sim/ledger.h"

#include <algorithm>
#include <utility>

namespace starling::sim {

OperationId Ledger::Begin(int node, uint64_t life, VersionVector seen) {
  operations_.push_back({node, life, false, false, {}, {}, std::move(seen)});
  return operations_.size() - 1;
}

void Ledger::Acknowledge(OperationId id, const Origin& origin, Stamp upto) {
  Operation& operation = operations_[id];
  operation.acknowledged = true;
  operation.certain = true;
  operation.origin = origin;
  operation.upto = upto;
  ++acknowledged_;
}

void Ledger::Lost(const std::vector<VersionVector>& held) {
  for (Operation& operation : operations_) {
    if (!operation.certain) continue;
    const bool somewhere = std::any_of(held.begin(), held.end(), [&](const VersionVector& vector) {
      return Holds(vector, operation);
    });
    if (somewhere) continue;
    operation.certain = false;
    ++lost_;
  }
}

void Ledger::Ended(const VersionVector& held) {
  for (const OperationId id : not_repeated_) {
    Operation& operation = operations_[id];
    if (held.Get(operation.origin) == VersionVector::kOver) operation.certain = false;
  }
}

bool Ledger::Holds(const VersionVector& held, const Operation& operation) {
  const Stamp upto = held.Get(operation.origin);
  return upto == VersionVector::kOver ? operation.certain : upto >= operation.upto;
}

bool Ledger::Saw(OperationId later, OperationId earlier) const {
  const Operation& a = operations_[earlier];
  const Operation& b = operations_[later];
  if (a.node == b.node && a.life == b.life) return earlier < later;
  return a.acknowledged && Holds(b.seen, a);
}

void Ledger::ForEach(const std::function<void(const Operation&)>& visit) const {
  for (const Operation& operation : operations_) visit(operation);
}

}  // namespace starling::sim
