#include "tests/sim/checkers/lease_checker.h"

#include <algorithm>
#include <functional>

#include "replication/joining.h"
#include "replication/member_list.h"
#include "storage/batch_codec.h"
#include "storage/records.h"
#include "tests/sim/world.h"

namespace starling::sim {

void LeaseChecker::Look(World& world) {
  std::string leader;
  for (int i = 0; i < world.size(); ++i) {
    SimNode& node = world.node(i);
    if (!node.up()) continue;
    const uint64_t epoch = node.replicator().LeadsEpoch(node.now());
    if (epoch == 0) continue;
    if (!leader.empty() && !world.clocks_apart())
      world.Fail("I3", leader + " and " + node.name() + " lead at once");
    leader = node.name();
    const auto [led, fresh] = led_.emplace(epoch, node.name());
    if (!fresh && led->second != node.name()) {
      world.Fail("I3", node.name() + " leads epoch " + std::to_string(epoch) + ", which " +
                           led->second + " had");
    }
    if (!fresh) continue;
    const VersionVector held = node.store().vector();
    for (const auto& [origin, upto] : acknowledged_) {
      if (held.Covers(origin, upto)) continue;
      world.Fail("I4", node.name() + " leads epoch " + std::to_string(epoch) +
                           " without what a majority acknowledged: " + origin.ToString() + ":" +
                           std::to_string(upto.value) + ", holds " + held.ToString());
    }
  }
}

void LeaseChecker::OnWritten(const Engine::LogRecord& record) {
  const auto batch = DecodedBatch::Decode(record.bytes);
  if (!batch.ok() || !Records::AreCommits(batch->items())) return;
  repeatable_[record.origin][record.upto] = batch->header().after;
}

Stamp LeaseChecker::Needed(const Origin& origin, Stamp upto) const {
  const auto batches = repeatable_.find(origin);
  if (batches == repeatable_.end()) return upto;
  for (auto found = batches->second.find(upto); found != batches->second.end();) {
    upto = found->second;
    found = batches->second.find(upto);
  }
  return upto;
}

void LeaseChecker::OnMajority(World& world, const Origin& origin, uint64_t epoch, Stamp told) {
  const Stamp upto = Needed(origin, told);
  for (int i = 0; i < world.size(); ++i) {
    SimNode& node = world.node(i);
    if (!node.up() || node.replicator().LeadsEpoch(node.now()) <= epoch) continue;
    if (node.store().vector().Covers(origin, upto)) continue;
    world.Fail("I4", "epoch " + std::to_string(epoch) + " acknowledges " + origin.ToString() + ":" +
                         std::to_string(upto.value) + ", which " + node.name() +
                         ", in a later one, does not hold");
  }
  for (int i = 0; i < world.size(); ++i) {
    SimNode& node = world.node(i);
    if (!node.up() || node.store().origin() != origin) continue;
    voters_ = node.replicator().lease(node.now()).voters;
  }
  Stamp& known = acknowledged_[origin];
  known = std::max(known, upto);
  ++majorities_;
}

void LeaseChecker::OnLost(const std::vector<VersionVector>& all,
                          const std::vector<VersionVector>& voters, bool change) {
  // Of how many have it still, the furthest first.
  const auto left = [](const std::vector<VersionVector>& of, const Origin& origin) {
    std::vector<Stamp> stamps;
    for (const VersionVector& each : of) stamps.push_back(each.Get(origin));
    std::sort(stamps.begin(), stamps.end(), std::greater<>());
    return stamps;
  };
  for (auto& [origin, upto] : acknowledged_) {
    Stamp kept = upto;
    if (!voters.empty()) kept = left(voters, origin).front();
    if (voters.empty() || change) kept = std::min(kept, left(all, origin)[all.size() / 2]);
    if (kept < upto) ++losses_;
    upto = std::min(upto, kept);
  }
}

bool OperatorMustDecide(World& world) {
  for (int i = 0; i < world.size(); ++i) {
    SimNode& node = world.node(i);
    if (node.up() && node.replicator().lease(node.now()).recovering) return true;
  }
  return false;
}

bool OperatorMustLetIn(World& world) {
  const auto has = [](SimNode& node, const char* name) {
    const auto record = node.store().GetRecord(name);
    return record && *record && !(*record)->empty();
  };
  bool waits = false;
  bool inside = false;
  for (int i = 0; i < world.size(); ++i) {
    SimNode& node = world.node(i);
    if (!node.up() || !node.replicator().cluster()) continue;
    inside = inside || !has(node, record_names::kEnded);
    waits = waits || has(node, record_names::kStopped);
    MemberList list(node.store().keyspace());
    list.Refresh(node.replicator().cluster());
    for (int other = 0; other < world.size(); ++other) {
      waits = waits || list.EndOf(world.node(other).name()) != nullptr;
    }
  }
  return !inside || (waits && OperatorMustDecide(world));
}

std::string WhyNotLed(World& world) {
  uint64_t led = 0;
  std::string promised;
  bool all = true;
  for (int i = 0; i < world.size(); ++i) {
    if (!world.node(i).up()) return world.node(i).name() + " is down";
    led += world.node(i).replicator().LeadsEpoch(world.node(i).now());
  }
  for (int i = 0; i < world.size(); ++i) {
    SimNode& node = world.node(i);
    const LeaseInfo lease = node.replicator().lease(node.now());
    if (lease.recovering) return "";
    const bool votes =
        std::find(lease.voters.begin(), lease.voters.end(), node.name()) != lease.voters.end();
    if (!votes) continue;
    promised += " " + node.name() + "=" + std::to_string(lease.promised);
    all = all && lease.promised == led;
  }
  if (led == 0) return "nobody leads; promised" + promised;
  return all ? "" : "epoch " + std::to_string(led) + " is not followed by all; promised" + promised;
}

}  // namespace starling::sim
