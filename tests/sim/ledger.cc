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

void Ledger::Forgotten(NodeId node, const MemberList::End& end) {
  ends_[node].emplace(end.incarnation, end.streams);
}

bool Ledger::WrittenAgain(OperationId id) const {
  const Operation& operation = operations_[id];
  const auto ends = ends_.find(operation.origin.node);
  if (ends == ends_.end()) return false;
  const auto end = ends->second.lower_bound(operation.origin.incarnation);
  return end != ends->second.end() && end->second.Get(operation.origin) < operation.upto;
}

bool Ledger::TakenOut(OperationId id, int node) const {
  const bool not_repeated = not_repeated_.contains(id);
  return WrittenAgain(id) && (operations_[id].node != node || not_repeated);
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
  const bool other = a.node != b.node;
  return a.acknowledged && Holds(b.seen, a) && !(other && WrittenAgain(earlier));
}

void Ledger::ForEach(const std::function<void(const Operation&)>& visit) const {
  for (const Operation& operation : operations_) visit(operation);
}

}  // namespace starling::sim
