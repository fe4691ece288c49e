#include "replication/swim_gossip.h"

#include <algorithm>

#include "replication/limits.h"

namespace starling {

std::vector<MemberUpdate> SwimGossip::Take(size_t members) {
  int often = limits::kRetransmits;
  for (size_t n = members; n >= 10; n /= 10) often += limits::kRetransmits;
  std::vector<Told*> order;
  for (auto& [name, told] : updates_) order.push_back(&told);
  std::stable_sort(order.begin(), order.end(),
                   [](const Told* a, const Told* b) { return a->times < b->times; });
  if (order.size() > limits::kGossipUpdates) order.resize(limits::kGossipUpdates);
  std::vector<MemberUpdate> taken;
  for (Told* told : order) {
    taken.push_back(told->update);
    ++told->times;
  }
  std::erase_if(updates_, [often](const auto& entry) { return entry.second.times >= often; });
  return taken;
}

}  // namespace starling
