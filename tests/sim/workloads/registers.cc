/// Plain values that any node sets and deletes, and a database that is flushed now and then: the
/// later write wins everywhere, and what was deleted never comes back (I8).

#include <string>

#include "tests/sim/dump.h"
#include "tests/sim/history.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

constexpr int kRegisters = 5;
constexpr uint8_t kDatabase = 3;

class Registers final : public Workload {
 public:
  explicit Registers(Random random) : random_(random) {
    for (size_t i = 0; i < kRegisters; ++i) histories_.emplace_back(Name(i));
  }

  const char* name() const override { return "registers"; }

  void Step(World& world) override {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    const auto index = random_.Below(kRegisters);
    const uint64_t choice = random_.Below(1000);
    node->Write(
        [&](Store& store, OperationId operation) {
          if (choice < 10) {
            store.keyspace().FlushDatabase(kDatabase);
            world.ledger().NotRepeated(operation);
            for (History& history : histories_) history.Removed(operation);
            return;
          }
          const std::string name = Name(index);
          const KeyRef key = store.keyspace().Ref(kDatabase, name);
          Access access = store.keyspace().Lock(key);
          if (choice < 250) {
            if (access.Delete(key)) histories_[index].Removed(operation);
            return;
          }
          const std::string value = "v" + std::to_string(++values_);
          access.SetString(key, value);
          histories_[index].Wrote(operation, value);
        },
        kCommitWithin);
  }

  void Observe(World& world, SimNode& node) override {
    const auto index = random_.Below(kRegisters);
    const auto value = Read(node, index);
    if (!value) return;
    const std::string why = histories_[index].WhyNotNow(world.ledger(), node, *value);
    if (!why.empty()) world.Fail("I8", why);
  }

  void Check(World& world, SimNode& node) override {
    for (size_t index = 0; index < kRegisters; ++index) {
      const auto value = Read(node, index);
      const std::string why =
          histories_[index].WhyNotFinally(world.ledger(), value ? &*value : nullptr);
      if (!why.empty()) world.Fail(value ? "I8" : "I10", why);
    }
  }

 private:
  static std::string Name(size_t index) { return "register:" + std::to_string(index); }
  static std::optional<std::string> Read(SimNode& node, size_t index) {
    const std::string name = Name(index);
    return ReadString(node.store().keyspace(), node.store().keyspace().Ref(kDatabase, name));
  }

  Random random_;
  std::vector<History> histories_;
  uint64_t values_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeRegisters(Random random) {
  return std::make_unique<Registers>(random);
}

}  // namespace starling::sim
