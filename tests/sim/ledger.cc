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
  std::vector<End>& ends = ends_[node];
  if (!ends.empty() && ends.back().incarnation >= end.incarnation) return;  // another node's word
  ends.push_back({end.incarnation, end.incarnation, end.streams});
}

void Ledger::Returned(const Origin& present) {
  const auto ends = ends_.find(present.node);
  if (ends == ends_.end() || ends->second.back().returned) return;
  End& end = ends->second.back();
  end.returned = true;
  end.last = std::max(end.last, present.incarnation - 1);
}

bool Ledger::WrittenAgain(const Operation& operation) const {
  const auto ends = ends_.find(operation.origin.node);
  if (ends == ends_.end()) return false;
  const auto end = std::ranges::find_if(
      ends->second, [&](const End& each) { return operation.origin.incarnation <= each.last; });
  return end != ends->second.end() && end->streams.Get(operation.origin) < operation.upto;
}

bool Ledger::TakenOut(OperationId id, int node) const {
  if (!WrittenAgain(id)) return false;
  if (operations_[id].node != node) return true;
  // It, or what came after it, is not repeated.
  return std::any_of(not_repeated_.lower_bound(id), not_repeated_.end(), [&](OperationId later) {
    return operations_[later].node == node && WrittenAgain(later);
  });
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
