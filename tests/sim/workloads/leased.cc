/// What all clients of the cluster order while one node leads: reads, writes, increments,
/// compare-and-sets and transactions at level `leased`, through any node (I5).
///
/// checkers/leased_checker.h says what must hold of the answers.

#include <string>
#include <utility>
#include <vector>

#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

using Kind = KeyOperation::Kind;
using Part = LeasedChecker::Part;

constexpr size_t kKeys = 2;  // of each kind

class Leased final : public Workload {
 public:
  explicit Leased(Random random) : random_(random) {}

  const char* name() const override { return "leased"; }

  /// Several clients at once.
  void Step(World& world) override {
    for (uint64_t i = random_.Between(1, 4); i > 0 && !world.failed(); --i) AskOne(world);
  }

  void Check(World& world, SimNode& node) override { world.leased().CheckNode(node); }

 private:
  struct Register {
    std::string key;
    std::string value;  // that some client meant to set last
  };

  void AskOne(World& world) {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    Register& plain = registers_[random_.Below(kKeys)];
    std::string& counter = counters_[random_.Below(kKeys)];
    Renew(world, plain.key, "register:");
    Renew(world, counter, "sum:");
    const uint64_t choice = random_.Below(100);
    if (choice < 20) {
      Ask(world, *node, "get " + plain.key, {{plain.key, Kind::kGet, {}, {}}});
    } else if (choice < 40) {
      Ask(world, *node, "get " + counter, {{counter, Kind::kGet, {}, {}}});
    } else if (choice < 55) {
      const std::string value = NewValue(plain);
      Ask(world, *node, "set " + plain.key + " " + value, {{plain.key, Kind::kSet, value, {}}});
    } else if (choice < 70) {
      Ask(world, *node, "incr " + counter, {{counter, Kind::kIncrement, {}, {}}});
    } else if (choice < 88) {
      const std::string old = plain.value.empty() ? "none" : plain.value;
      const std::string value = NewValue(plain);
      Ask(world, *node, "swap " + plain.key + " " + old + " " + value,
          {{plain.key, Kind::kSetIfEqual, value, old}});
    } else {
      const std::string value = NewValue(plain);
      Ask(world, *node, "exec " + plain.key + " " + value + " " + counter,
          {{plain.key, Kind::kSet, value, {}}, {counter, Kind::kIncrement, {}, {}}});
    }
  }

  static void Ask(World& world, SimNode& node, const std::string& request,
                  const std::vector<Part>& parts) {
    const uint64_t number = world.leased().Asked(node, parts);
    node.Ask("leased " + std::to_string(number) + " " + request,
             [&world, number](Outcome outcome, const std::string& reply) {
               world.leased().Ended(number, outcome, reply);
             });
  }

  std::string NewValue(Register& plain) {
    plain.value = "v" + std::to_string(++values_);
    return plain.value;
  }

  /// Takes another key where this one's history is long enough.
  void Renew(World& world, std::string& key, const char* prefix) {
    if (!key.empty()) {
      if (!world.leased().IsFull(key)) return;
      world.leased().Retire(key);
    }
    key = "leased-" + std::string(prefix) + std::to_string(++keys_);
  }

  Random random_;
  Register registers_[kKeys];
  std::string counters_[kKeys];
  uint64_t keys_ = 0;
  uint64_t values_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeLeased(Random random) { return std::make_unique<Leased>(random); }

}  // namespace starling::sim
