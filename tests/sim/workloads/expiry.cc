/// Keys that end by themselves: values set with a time to live, and rate-limit windows (INCR,
/// EXPIRE).
///
/// A value with a deadline is never seen once the node's hybrid clock has passed it, whoever asks,
/// and when all deadlines have passed nothing is left (I8).

#include <map>
#include <string>

#include "tests/sim/dump.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

constexpr size_t kKeys = 4;
constexpr uint8_t kDatabase = 7;
constexpr int64_t kShortestMillis = 5;
constexpr int64_t kLongestMillis = 4000;

class Expiry final : public Workload {
 public:
  explicit Expiry(Random random) : random_(random) {}

  const char* name() const override { return "expiry"; }

  void Step(World& world) override {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    const size_t index = random_.Below(kKeys);
    const int64_t ttl = random_.Between(kShortestMillis, kLongestMillis);
    const uint64_t choice = random_.Below(1000);
    node->Write(
        [&](Store& store, OperationId) {
          if (choice < 500) {
            SetValue(store.keyspace(), index, ttl);
          } else {
            CountInWindow(store.keyspace(), index, choice < 530 ? -ttl : ttl);
          }
        },
        kCommitWithin);
  }

  void Observe(World& world, SimNode& node) override {
    Keyspace& keyspace = node.store().keyspace();
    const std::string name = Value(random_.Below(kKeys));
    const KeyRef key = keyspace.Ref(kDatabase, name);
    Access access = keyspace.Lock(key);
    const auto view = access.Find(key);
    if (!view) return;
    std::string buffer;
    const std::string value(view->Text(buffer));
    const auto deadline = deadlines_.find(value);
    if (deadline == deadlines_.end()) {
      return world.Fail("I8", name + " is " + value + ", nobody wrote that");
    }
    const int64_t clock = keyspace.NowMillis();
    if (clock > deadline->second) {
      return world.Fail("I8", name + " shows " + value + " on " + node.name() + " at " +
                                  std::to_string(clock) + ", it expired at " +
                                  std::to_string(deadline->second));
    }
    if (view->deadline_millis != deadline->second) {
      world.Fail("I6", name + " shows " + value + " on " + node.name() +
                           " with another write's time to live");
    }
  }

  void Check(World& world, SimNode& node) override {
    for (size_t index = 0; index < kKeys; ++index) {
      for (const std::string& name : {Value(index), Window(index)}) {
        Keyspace& keyspace = node.store().keyspace();
        const KeyRef key = keyspace.Ref(kDatabase, name);
        if (keyspace.Lock(key).Exists(key)) {
          world.Fail("I8", name + " is still there on " + node.name() + " after its time");
        }
      }
    }
  }

 private:
  void SetValue(Keyspace& keyspace, size_t index, int64_t ttl) {
    const std::string name = Value(index);
    const std::string value = "e" + std::to_string(++values_);
    const KeyRef key = keyspace.Ref(kDatabase, name);
    Access access = keyspace.Lock(key);
    const int64_t deadline = keyspace.NowMillis() + ttl;
    access.SetString(key, value);
    access.SetDeadline(key, deadline);
    deadlines_[value] = deadline;
  }

  /// `ttl` may be negative: EXPIRE with a time that has passed deletes.
  static void CountInWindow(Keyspace& keyspace, size_t index, int64_t ttl) {
    const std::string name = Window(index);
    const KeyRef key = keyspace.Ref(kDatabase, name);
    Access access = keyspace.Lock(key);
    if (!access.Increment(key, 1).ok()) return;
    access.SetDeadline(key, keyspace.NowMillis() + ttl);
  }

  static std::string Value(size_t index) { return "expiring:" + std::to_string(index); }
  static std::string Window(size_t index) { return "window:" + std::to_string(index); }

  Random random_;
  std::map<std::string, int64_t> deadlines_;  // by value
  uint64_t values_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeExpiry(Random random) { return std::make_unique<Expiry>(random); }

}  // namespace starling::sim
