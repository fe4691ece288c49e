/// Hash fields and scores that many nodes add to: I2 where nothing resets them.
///
/// As `counters`: the model is the sum of the increments that the ledger calls certain; those of
/// unknown outcome widen it to a range. Fields take integers and tenths, scores halves.

#include <string>

#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

constexpr size_t kElements = 4;
constexpr ElementType kTypes[] = {ElementType::kHash, ElementType::kSortedSet};

class NumericElements final : public Workload {
 public:
  explicit NumericElements(Random random) : random_(random) {}

  const char* name() const override { return "numeric-elements"; }

  void Step(World& world) override {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    const size_t type = random_.Below(2);
    const size_t element = random_.Below(kElements);
    const int64_t tenths = random_.Between(-50, 100) * (type == 1 || random_.Chance(500) ? 5 : 1);
    node->Write(
        [&](Store& store, OperationId operation) {
          const std::string name = Name(type);
          const KeyRef key = store.keyspace().Ref(0, name);
          Access access = store.keyspace().Lock(key);
          if (Add(access, key, type, element, tenths)) {
            increments_[type][element].push_back({operation, tenths});
          }
        },
        kCommitWithin);
  }

  void Check(World& world, SimNode& node) override {
    for (size_t type = 0; type < 2; ++type) {
      for (size_t element = 0; element < kElements; ++element) {
        int64_t low = 0;
        int64_t high = 0;
        for (const Increment& increment : increments_[type][element]) {
          const bool certain = world.ledger().certain(increment.operation);
          if (certain || increment.tenths < 0) low += increment.tenths;
          if (certain || increment.tenths > 0) high += increment.tenths;
        }
        const int64_t value = Tenths(node, type, element);
        if (value >= low && value <= high) continue;
        world.Fail("I2", Name(type) + " " + Element(element) + " is " + std::to_string(value) +
                             " tenths on " + node.name() + ", acknowledged increments make " +
                             std::to_string(low) + " to " + std::to_string(high));
      }
    }
    CheckOrder(world, node);
  }

 private:
  struct Increment {
    OperationId operation;
    int64_t tenths;
  };

  static bool Add(Access& access, const KeyRef& key, size_t type, size_t element, int64_t tenths) {
    const std::string id = Element(element);
    if (kTypes[type] == ElementType::kSortedSet) {
      return access.IncrementScore(key, id, static_cast<double>(tenths) / 10).ok();
    }
    if (tenths % 10 == 0) {
      // Refused where the field is not an integer now.
      return access.IncrementElement(key, ElementType::kHash, id, tenths / 10).ok();
    }
    return access.IncrementElementDecimal(key, ElementType::kHash, id, Number{tenths, 1}).ok();
  }

  static int64_t Tenths(SimNode& node, size_t type, size_t element) {
    Keyspace& keyspace = node.store().keyspace();
    const std::string name = Name(type);
    const KeyRef key = keyspace.Ref(0, name);
    Access access = keyspace.Lock(key);
    const auto value = access.GetElement(key, kTypes[type], Element(element));
    if (!value) return 0;
    const auto rest = Number::Sum(value->number, Number{});
    if (!rest) return INT64_MIN;
    return static_cast<int64_t>(rest->scale == 0 ? rest->units * 10 : rest->units);
  }

  /// Members stand in the order of their scores, and each knows its rank.
  static void CheckOrder(World& world, SimNode& node) {
    Keyspace& keyspace = node.store().keyspace();
    const std::string name = Name(1);
    const KeyRef key = keyspace.Ref(0, name);
    Access access = keyspace.Lock(key);
    std::vector<std::string> members;
    double last = -1e300;
    bool ordered = true;
    access.ForEachInOrder(key, ElementType::kSortedSet, 0, SIZE_MAX, false,
                          [&](std::string_view id, const Value& payload) {
                            ordered = ordered && ScoreOf(payload) >= last;
                            last = ScoreOf(payload);
                            members.emplace_back(id);
                            return true;
                          });
    for (size_t rank = 0; rank < members.size(); ++rank) {
      ordered = ordered && access.RankOf(key, ElementType::kSortedSet, members[rank]) == rank;
    }
    if (!ordered) world.Fail("I1", name + " is not in the order of its scores on " + node.name());
  }

  static std::string Name(size_t type) { return type == 0 ? "fields" : "scores"; }
  static std::string Element(size_t element) { return "element-" + std::to_string(element); }

  Random random_;
  std::vector<Increment> increments_[2][kElements];
};

}  // namespace

std::unique_ptr<Workload> MakeNumericElements(Random random) {
  return std::make_unique<NumericElements>(random);
}

}  // namespace starling::sim
