/// A list that any node pushes to at both ends, inserts into, pops from and deletes whole: what was
/// pushed is there once or was removed, and nothing removed comes back (I8).

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/history.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

constexpr const char* kPresent = "in";
constexpr const char* kName = "list";

class Lists final : public Workload {
 public:
  explicit Lists(Random random) : random_(random) {}

  const char* name() const override { return "lists"; }

  void Step(World& world) override {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    const uint64_t choice = random_.Below(1000);
    const uint64_t place = random_.Next();
    node->Write(
        [&](Store& store, OperationId operation) {
          const KeyRef key = store.keyspace().Ref(0, kName);
          Access access = store.keyspace().Lock(key);
          const auto view = access.Find(key);
          const size_t length = view ? view->size : 0;
          if (choice < 600) {
            Push(access, key, choice, place % (length + 1), operation);
          } else if (choice < 980 && length > 0) {
            const size_t at = choice < 750 ? 0 : choice < 900 ? length - 1 : place % length;
            Of(Texts(access, key)[at]).Removed(operation);
            access.RemoveRange(key, ElementType::kList, at, 1);
          } else if (length > 0) {
            // By its stamp it takes also what it has not seen, and what a slow clock pushes later.
            deletions_.push_back(operation);
            for (auto& [text, history] : histories_) history.Removed(operation);
            access.Delete(key);
          }
        },
        kCommitWithin);
  }

  void Observe(World& world, SimNode& node) override {
    const std::vector<std::string> texts = Texts(node);
    if (texts.empty()) return;
    const std::string& text = texts[random_.Below(texts.size())];
    const std::string why = Of(text).WhyNotNow(world.ledger(), node, kPresent);
    if (!why.empty()) world.Fail("I8", why);
  }

  void Check(World& world, SimNode& node) override {
    const std::string present = kPresent;
    const std::vector<std::string> texts = Texts(node);
    for (auto& [text, history] : histories_) {
      const auto times = std::count(texts.begin(), texts.end(), text);
      if (times > 1) world.Fail("I8", text + " is in the list twice on " + node.name());
      const std::string why = history.WhyNotFinally(world.ledger(), times > 0 ? &present : nullptr);
      if (!why.empty()) world.Fail(times > 0 ? "I8" : "I10", why);
    }
  }

 private:
  void Push(Access& access, const KeyRef& key, uint64_t choice, size_t place,
            OperationId operation) {
    const std::string text = "pushed " + std::to_string(++pushed_);
    if (choice < 50) {
      access.InsertElementAt(key, place, Value::Bytes(text));
    } else {
      access.PushElement(key, choice % 2 == 0, Value::Bytes(text));
    }
    Of(text).Wrote(operation, kPresent);
    for (const OperationId deletion : deletions_) Of(text).Removed(deletion);
  }

  static std::vector<std::string> Texts(Access& access, const KeyRef& key) {
    std::vector<std::string> texts;
    access.ForEachInOrder(key, ElementType::kList, 0, SIZE_MAX, false,
                          [&](std::string_view, const Value& payload) {
                            texts.emplace_back(payload.bytes);
                            return true;
                          });
    return texts;
  }
  static std::vector<std::string> Texts(SimNode& node) {
    Keyspace& keyspace = node.store().keyspace();
    const KeyRef key = keyspace.Ref(0, kName);
    Access access = keyspace.Lock(key);
    return Texts(access, key);
  }

  History& Of(const std::string& text) {
    return histories_.try_emplace(text, std::string(kName) + " " + text).first->second;
  }

  Random random_;
  uint64_t pushed_ = 0;
  std::map<std::string, History> histories_;
  std::vector<OperationId> deletions_;
};

}  // namespace

std::unique_ptr<Workload> MakeLists(Random random) { return std::make_unique<Lists>(random); }

}  // namespace starling::sim
