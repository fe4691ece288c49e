#include "tests/sim/history.h"

#include <algorithm>

namespace starling::sim {

std::string History::Describe(const Ledger& ledger, const Write& write) const {
  const auto& operation = ledger[write.operation];
  return (write.removal ? std::string("removal") : "write of " + write.value) + " (operation " +
         std::to_string(write.operation) + " on node " + std::to_string(operation.node) + ", " +
         operation.origin.ToString() + ":" + std::to_string(operation.upto.value) + ")";
}

const History::Write* History::Replaced(const Ledger& ledger, const Write& write) const {
  const auto found = std::find_if(writes_.begin(), writes_.end(), [&](const Write& other) {
    return !Same(other, write) && ledger.certain(other.operation) &&
           !ledger.TakenOut(other.operation, ledger[other.operation].node) &&
           ledger.Saw(other.operation, write.operation);
  });
  return found == writes_.end() ? nullptr : &*found;
}

std::string History::WhyNotFinally(const Ledger& ledger, const std::string* value) const {
  bool written = false;
  bool certain_value = false;
  std::string why = what_ + (value == nullptr ? " is absent" : " is " + *value);
  for (const Write& write : writes_) {
    certain_value = certain_value || (!write.removal && ledger.certain(write.operation));
    if (write.removal != (value == nullptr) || (value != nullptr && write.value != *value))
      continue;
    written = true;
    const Write* replaced = Replaced(ledger, write);
    if (replaced == nullptr) return {};
    why += "; " + Describe(ledger, write) + " had been seen by " + Describe(ledger, *replaced);
  }
  if (value == nullptr && !certain_value) return {};
  if (!written) why += value == nullptr ? ", nobody removed it" : ", nobody wrote that";
  return why;
}

std::string History::WhyNotNow(const Ledger& ledger, SimNode& node,
                               const std::string& value) const {
  const VersionVector held = node.held();
  std::string why = what_ + " is " + value + " on " + node.name();
  bool written = false;
  for (const Write& write : writes_) {
    if (write.removal || write.value != value) continue;
    written = true;
    const auto found = std::find_if(writes_.begin(), writes_.end(), [&](const Write& other) {
      const auto& operation = ledger[other.operation];
      return !Same(other, write) && operation.acknowledged && Ledger::Holds(held, operation) &&
             !ledger.TakenOut(other.operation, node.index()) &&
             ledger.Saw(other.operation, write.operation);
    });
    if (found == writes_.end()) return {};
    why += "; " + Describe(ledger, write) + " had been seen by " + Describe(ledger, *found) +
           ", which it holds";
  }
  return written ? why : why + ", nobody wrote that";
}

}  // namespace starling::sim
