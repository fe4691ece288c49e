/// What members are still to be told about others: updates that ride on other messages.
///
/// Each update is told a number of times that grows with the logarithm of the cluster; a newer one
/// about the same member replaces it. Those told least go first. Not thread-safe. Source: Das,
/// Gupta, Motivala, "SWIM", 2002, section 4.1.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replication/peer_message.h"

namespace starling {

class SwimGossip {
 public:
  void Add(const MemberUpdate& update) { updates_[update.name] = {update, 0}; }
  void Remove(const std::string& name) { updates_.erase(name); }
  bool empty() const { return updates_.empty(); }
  /// Up to limits::kGossipUpdates to tell now, in a cluster of `members`; counts them as told.
  std::vector<MemberUpdate> Take(size_t members);

 private:
  struct Told {
    MemberUpdate update;
    int times = 0;
  };
  std::map<std::string, Told> updates_;
};

}  // namespace starling
