/// Counters that one node resets (SET, DEL) while all add: the other half of I2.
///
/// An increment that had seen the last reset counts; one that the last reset had seen does not; one
/// concurrent with it may, the same everywhere.

#include <string>

#include "tests/sim/dump.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

constexpr int kCounters = 2;

class ResetCounters final : public Workload {
 public:
  explicit ResetCounters(Random random) : random_(random), counters_(kCounters) {}

  const char* name() const override { return "reset-counters"; }

  void Setup(World& world) override {
    for (Counter& counter : counters_) {
      counter.resetter = static_cast<int>(random_.Below(static_cast<uint64_t>(world.size())));
    }
  }

  void Step(World& world) override {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    const auto index = random_.Below(kCounters);
    Counter& counter = counters_[index];
    const bool reset = node->index() == counter.resetter && random_.Chance(100);
    const bool set = random_.Chance(500);
    const int64_t by = random_.Between(1, 9);
    node->Write(
        [&](Store& store, OperationId operation) {
          const std::string name = Name(index);
          const KeyRef key = store.keyspace().Ref(1, name);
          Access access = store.keyspace().Lock(key);
          if (!reset) {
            if (access.Increment(key, by).ok()) counter.increments.push_back({operation, by});
          } else if (set) {
            access.SetString(key, std::to_string(by * 1000));
            counter.resets.push_back({operation, by * 1000});
          } else if (access.Delete(key)) {
            counter.resets.push_back({operation, 0});
          }
        },
        kCommitWithin);
  }

  void Check(World& world, SimNode& node) override {
    for (size_t index = 0; index < kCounters; ++index) CheckCounter(world, node, index);
  }

 private:
  struct Change {
    OperationId operation;
    int64_t by;
  };
  struct Counter {
    int resetter = 0;
    std::vector<Change> increments;
    std::vector<Change> resets;
  };

  void CheckCounter(World& world, SimNode& node, size_t index) {
    const Ledger& ledger = world.ledger();
    const Counter& counter = counters_[index];
    // Which reset was the last is known only where it had seen the others.
    const Change* last = counter.resets.empty() ? nullptr : &counter.resets.back();
    for (const Change& reset : counter.resets) {
      if (!ledger.certain(reset.operation)) return;
      if (&reset != last && !ledger.Saw(last->operation, reset.operation)) return;
    }
    int64_t low = last == nullptr ? 0 : last->by;
    int64_t high = low;
    for (const Change& increment : counter.increments) {
      if (last != nullptr && ledger.Saw(last->operation, increment.operation)) continue;
      const bool after = last == nullptr || ledger.Saw(increment.operation, last->operation);
      if (after && ledger.certain(increment.operation)) low += increment.by;
      high += increment.by;
    }
    const std::string name = Name(index);
    const auto text = ReadString(node.store().keyspace(), node.store().keyspace().Ref(1, name));
    const int64_t value = text ? Number::ParseInt(*text).value_or(INT64_MIN) : 0;
    if (value >= low && value <= high) return;
    world.Fail("I2", name + " is " + text.value_or("absent") + " on " + node.name() +
                         ", its last reset and what followed make " + std::to_string(low) + " to " +
                         std::to_string(high));
  }

  static std::string Name(size_t index) { return "reset:" + std::to_string(index); }

  Random random_;
  std::vector<Counter> counters_;
};

}  // namespace

std::unique_ptr<Workload> MakeResetCounters(Random random) {
  return std::make_unique<ResetCounters>(random);
}

}  // namespace starling::sim
