/// Sets that any node adds to, removes from, pops from and deletes whole: each element by itself is
/// last-writer-wins, a deletion removes all of them, and nothing removed comes back (I8).

#include <string>

#include "tests/sim/dump.h"
#include "tests/sim/history.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

constexpr size_t kSets = 2;
constexpr size_t kElements = 6;
constexpr const char* kPresent = "in";

class Sets final : public Workload {
 public:
  explicit Sets(Random random) : random_(random) {
    for (size_t set = 0; set < kSets; ++set) {
      for (size_t element = 0; element < kElements; ++element) {
        histories_.emplace_back(Name(set) + " " + Element(element));
      }
    }
  }

  const char* name() const override { return "sets"; }

  void Step(World& world) override {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    const size_t set = random_.Below(kSets);
    const size_t element = random_.Below(kElements);
    const uint64_t choice = random_.Below(1000);
    node->Write(
        [&](Store& store, OperationId operation) {
          const std::string name = Name(set);
          const KeyRef key = store.keyspace().Ref(0, name);
          Access access = store.keyspace().Lock(key);
          if (choice < 600) {
            access.AddElement(key, ElementType::kSet, Element(element));
            Of(set, element).Wrote(operation, kPresent);
          } else if (choice < 850) {
            Remove(access, key, set, element, operation);
          } else if (choice < 950) {
            Pop(access, key, set, operation);
          } else if (access.Delete(key)) {
            for (size_t each = 0; each < kElements; ++each) Of(set, each).Removed(operation);
          }
        },
        kCommitWithin);
  }

  void Observe(World& world, SimNode& node) override {
    const size_t set = random_.Below(kSets);
    const size_t element = random_.Below(kElements);
    if (!Has(node, set, element)) return;
    const std::string why = Of(set, element).WhyNotNow(world.ledger(), node, kPresent);
    if (!why.empty()) world.Fail("I8", why);
  }

  void Check(World& world, SimNode& node) override {
    const std::string present = kPresent;
    for (size_t set = 0; set < kSets; ++set) {
      for (size_t element = 0; element < kElements; ++element) {
        const bool has = Has(node, set, element);
        const std::string why =
            Of(set, element).WhyNotFinally(world.ledger(), has ? &present : nullptr);
        if (!why.empty()) world.Fail(has ? "I8" : "I10", why);
      }
    }
  }

 private:
  void Remove(Access& access, const KeyRef& key, size_t set, size_t element,
              OperationId operation) {
    if (access.RemoveElement(key, ElementType::kSet, Element(element))) {
      Of(set, element).Removed(operation);
    }
  }

  void Pop(Access& access, const KeyRef& key, size_t set, OperationId operation) {
    if (!access.Exists(key)) return;
    std::mt19937_64 draw(random_.Next());
    const std::string popped(access.RandomElement(key, ElementType::kSet, draw));
    for (size_t element = 0; element < kElements; ++element) {
      if (Element(element) == popped) Remove(access, key, set, element, operation);
    }
  }

  static bool Has(SimNode& node, size_t set, size_t element) {
    const std::string name = Name(set);
    Keyspace& keyspace = node.store().keyspace();
    const KeyRef key = keyspace.Ref(0, name);
    return keyspace.Lock(key).HasElement(key, ElementType::kSet, Element(element));
  }
  static std::string Name(size_t set) { return "set:" + std::to_string(set); }
  static std::string Element(size_t element) { return "element-" + std::to_string(element); }
  History& Of(size_t set, size_t element) { return histories_[set * kElements + element]; }

  Random random_;
  std::vector<History> histories_;
};

}  // namespace

std::unique_ptr<Workload> MakeSets(Random random) { return std::make_unique<Sets>(random); }

}  // namespace starling::sim
