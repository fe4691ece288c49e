/// Counters that many nodes add to: I2 where nothing resets them.
///
/// The model is the sum of the increments that the ledger calls certain; those of unknown outcome
/// widen it to a range. `GETSET c 0` is an increment by minus what it returned, so it never loses
/// one.

#include <string>

#include "tests/sim/dump.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

constexpr int kCounters = 3;

class Counters final : public Workload {
 public:
  explicit Counters(Random random) : random_(random), increments_(kCounters) {}

  const char* name() const override { return "counters"; }

  void Step(World& world) override {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    const auto index = random_.Below(kCounters);
    const bool take = random_.Chance(60);
    const int64_t by = random_.Chance(200) ? -random_.Between(1, 50) : random_.Between(1, 100);
    node->Write(
        [&](Store& store, OperationId operation) {
          const std::string name = Name(index);
          const KeyRef key = store.keyspace().Ref(0, name);
          Access access = store.keyspace().Lock(key);
          if (!take) {
            if (access.Increment(key, by).ok()) increments_[index].push_back({operation, by});
            return;
          }
          const auto view = access.Find(key);
          if (!view) return;
          std::string buffer;
          const int64_t observed = Number::ParseInt(view->Text(buffer)).value_or(0);
          access.ResetCounter(key, 0);
          increments_[index].push_back({operation, -observed});
        },
        kCommitWithin);
  }

  void Check(World& world, SimNode& node) override {
    for (size_t index = 0; index < kCounters; ++index) {
      int64_t low = 0;
      int64_t high = 0;
      for (const Increment& increment : increments_[index]) {
        const bool certain = world.ledger().certain(increment.operation);
        if (certain || increment.by < 0) low += increment.by;
        if (certain || increment.by > 0) high += increment.by;
      }
      const std::string name = Name(index);
      const auto text = ReadString(node.store().keyspace(), node.store().keyspace().Ref(0, name));
      const int64_t value = text ? Number::ParseInt(*text).value_or(INT64_MIN) : 0;
      if (value >= low && value <= high) continue;
      world.Fail("I2", name + " is " + text.value_or("absent") + " on " + node.name() +
                           ", acknowledged increments make " + std::to_string(low) +
                           (low == high ? "" : " to " + std::to_string(high)));
    }
  }

 private:
  struct Increment {
    OperationId operation;
    int64_t by;
  };

  static std::string Name(size_t index) { return "counter:" + std::to_string(index); }

  Random random_;
  std::vector<std::vector<Increment>> increments_;
};

}  // namespace

std::unique_ptr<Workload> MakeCounters(Random random) { return std::make_unique<Counters>(random); }

}  // namespace starling::sim
