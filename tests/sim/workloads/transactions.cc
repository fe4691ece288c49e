/// Transactions over several keys: what was written together is seen together (I6).
///
/// Each group of keys has one writer, whose transactions write a rising version to some of the
/// keys. Who sees a transaction's version on one key must see it, or a later one, on all that it
/// wrote.

#include <map>
#include <string>

#include "tests/sim/dump.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

constexpr size_t kGroups = 2;
constexpr size_t kKeys = 4;
constexpr uint8_t kDatabase = 9;

class Transactions final : public Workload {
 public:
  explicit Transactions(Random random) : random_(random), groups_(kGroups) {}

  const char* name() const override { return "transactions"; }

  void Setup(World& world) override {
    for (Group& group : groups_) {
      group.writer = static_cast<int>(random_.Below(static_cast<uint64_t>(world.size())));
    }
  }

  void Step(World& world) override {
    const size_t index = random_.Below(kGroups);
    Group& group = groups_[index];
    SimNode& node = world.node(group.writer);
    if (!node.serving()) return;
    uint64_t keys = random_.Below(uint64_t{1} << kKeys);
    keys |= uint64_t{1} << random_.Below(kKeys);
    node.Write(
        [&](Store& store, OperationId) {
          const uint64_t version = ++group.version;
          group.written[version] = keys;
          const Names names = MakeNames(index);
          const Refs refs = MakeRefs(store.keyspace(), names);
          Access access = store.keyspace().Lock(refs);
          for (size_t key = 0; key < kKeys; ++key) {
            if ((keys >> key) & 1) access.SetString(refs[key], "v" + std::to_string(version));
          }
        },
        kCommitWithin);
  }

  void Observe(World& world, SimNode& node) override {
    for (size_t index = 0; index < kGroups; ++index) CheckGroup(world, node, index);
  }

  void Check(World& world, SimNode& node) override { Observe(world, node); }

 private:
  using Names = std::vector<std::string>;
  using Refs = std::vector<KeyRef>;

  struct Group {
    int writer = 0;
    uint64_t version = 0;
    std::map<uint64_t, uint64_t> written;  // version -> keys, a bit each
  };

  static Names MakeNames(size_t group) {
    Names names;
    for (size_t key = 0; key < kKeys; ++key) {
      names.push_back("together:" + std::to_string(group) + ":" + std::to_string(key));
    }
    return names;
  }

  static Refs MakeRefs(Keyspace& keyspace, const Names& names) {
    Refs refs;
    for (const std::string& name : names) refs.push_back(keyspace.Ref(kDatabase, name));
    return refs;
  }

  void CheckGroup(World& world, SimNode& node, size_t index) {
    const Group& group = groups_[index];
    const Names names = MakeNames(index);
    Keyspace& keyspace = node.store().keyspace();
    const Refs refs = MakeRefs(keyspace, names);
    Access access = keyspace.Lock(refs);
    uint64_t shown[kKeys] = {};
    std::string text;
    for (size_t key = 0; key < kKeys; ++key) {
      const auto view = access.Find(refs[key], false);
      std::string buffer;
      const std::string value(view ? view->Text(buffer) : std::string_view("v0"));
      shown[key] = std::strtoull(value.c_str() + 1, nullptr, 10);
      text += " " + names[key] + "=" + value;
    }
    for (size_t key = 0; key < kKeys; ++key) {
      if (shown[key] == 0) continue;
      const auto transaction = group.written.find(shown[key]);
      if (transaction == group.written.end()) {
        return world.Fail("I6", node.name() + " shows a version nobody wrote:" + text);
      }
      for (size_t other = 0; other < kKeys; ++other) {
        if (((transaction->second >> other) & 1) == 0 || shown[other] >= shown[key]) continue;
        return world.Fail("I6", node.name() + " shows a part of transaction " +
                                    std::to_string(shown[key]) + ":" + text);
      }
    }
  }

  Random random_;
  std::vector<Group> groups_;
};

}  // namespace

std::unique_ptr<Workload> MakeTransactions(Random random) {
  return std::make_unique<Transactions>(random);
}

}  // namespace starling::sim
