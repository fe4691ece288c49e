#include "tests/sim/checkers/quiescence.h"

#include "tests/sim/dump.h"

namespace starling::sim {

namespace {

/// What a node of an idle cluster may send a second to each other one: probes, reports, empty
/// batches.
constexpr uint64_t kIdleFramesPerSecond = 60;
/// What a log may hold beyond its configured limits: batches since the last checkpoint was begun.
constexpr uint64_t kLogSlack = 64 << 10;

std::string DescribeStability(World& world) {
  std::string text;
  for (int i = 0; i < world.size(); ++i) {
    SimNode& node = world.node(i);
    const Keyspace::Stability stability = node.replicator().stability();
    text += node.name() + " holds  " + node.held().ToString() + "\n  stable " +
            stability.covered.ToString() + "\n  passed " + std::to_string(stability.passed.value) +
            "\n  floor  " + node.store().keyspace().floor().ToString() + "\n  " +
            std::to_string(node.store().keyspace().tombstones()) + " tombstones" +
            (node.store().keyspace().records().AnyUndecided() ? ", undecided records" : "") + "\n";
  }
  return text;
}

/// An entry of an earlier incarnation of a node that runs; empty if there is none.
std::string EarlierStream(World& world, const VersionVector& held) {
  for (int i = 0; i < world.size(); ++i) {
    const Origin present = world.node(i).store().origin();
    for (const VersionVector::Entry& entry : held.entries()) {
      const bool earlier = entry.origin.node == present.node && entry.origin < present;
      if (earlier && entry.upto != VersionVector::kOver) return entry.origin.ToString();
    }
  }
  return {};
}

}  // namespace

std::string WhyNotAgreed(World& world) {
  std::string why;
  world.ledger().ForEach([&](const Ledger::Operation& operation) {
    if (!why.empty() || !operation.certain) return;
    for (int i = 0; i < world.size() && why.empty(); ++i) {
      if (Ledger::Holds(world.node(i).held(), operation)) continue;
      why = world.node(i).name() + " does not hold " + operation.origin.ToString() + ":" +
            std::to_string(operation.upto.value) + ", only " + world.node(i).held().ToString();
    }
  });
  if (!why.empty()) return why;
  const std::string first = VisibleDump(world.node(0).store().keyspace());
  for (int i = 1; i < world.size(); ++i) {
    const std::string other = VisibleDump(world.node(i).store().keyspace());
    if (other == first) continue;
    return "A (-) and " + world.node(i).name() + " (+) show different things:\n" +
           DumpDifference(first, other);
  }
  return {};
}

std::string WhyNotSmall(World& world) {
  bool any_undecided = false;
  for (int i = 0; i < world.size(); ++i) {
    SimNode& node = world.node(i);
    // What nobody can decide may still be met by what it deletes.
    const bool undecided =
        node.store().keyspace().records().AnyUndecided() && OperatorMustDecide(world);
    any_undecided = any_undecided || undecided;
    const size_t tombstones = node.store().keyspace().tombstones();
    if (tombstones > 0 && !undecided) {
      return node.name() + " keeps " + std::to_string(tombstones) + " tombstones\n" +
             DescribeStability(world);
    }
    // The intervals before and since the last checkpoint.
    const uint64_t limit = 2 * world.options().checkpoint_log_bytes + kLogSlack;
    if (node.disk().log_bytes() > limit) {
      return node.name() + " keeps a log of " + std::to_string(node.disk().log_bytes()) + " bytes";
    }
  }
  for (int i = 0; i < world.size(); ++i) {
    const std::string stream = EarlierStream(world, world.node(i).held());
    if (!stream.empty()) return world.node(i).name() + " keeps an entry for stream " + stream;
  }
  if (any_undecided) return {};  // some may fold streams that others may not
  const std::string first = ItemDump(world.node(0).store().keyspace());
  for (int i = 1; i < world.size(); ++i) {
    const std::string other = ItemDump(world.node(i).store().keyspace());
    if (other == first) continue;
    return "A (-) and " + world.node(i).name() + " (+) hold different items:\n" +
           DumpDifference(first, other);
  }
  return {};
}

void CheckIdleTraffic(World& world, Duration time) {
  const uint64_t before = world.network().counts().frames;
  world.RunFor(time);
  const uint64_t frames = world.network().counts().frames - before;
  const auto seconds =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
  const auto size = static_cast<uint64_t>(world.size());
  if (frames <= kIdleFramesPerSecond * seconds * size * size) return;
  world.Fail("I9", "an idle cluster sent " + std::to_string(frames) + " frames in " +
                       std::to_string(seconds) + " s");
}

}  // namespace starling::sim
