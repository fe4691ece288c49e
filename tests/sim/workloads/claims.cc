/// Claims through any node: one winner each whatever fails, and what was answered is seen by all
/// later ones (I3, I4); locks with a time to live, of which no two clients believe at once that
/// they hold it, and whose tokens only rise; what a script does with a claim once, whoever asks for
/// it how often (I3); and once faults have ended every request ends.

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

#include "tests/sim/workload.h"
#include "tests/support/linearizability.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = KeyOperation::Kind;

constexpr size_t kOpenKeys = 3;
constexpr size_t kOperationsOfAKey = 40;
/// Each may have happened at any time, or never: with many of them everything fits, after a long
/// search.
constexpr size_t kUnknownOfAKey = 6;
constexpr uint64_t kStepsOfACheck = 300'000;
constexpr int kLocks = 2;
constexpr int kAskedOnce = 12;
constexpr Duration kEndsWithin = seconds(30);

/// What clients saw of one key.
struct ClaimHistory {
  std::string key;
  std::deque<KeyOperation> operations;  // stable addresses: those under way are filled in later
  uint64_t losses = 0;                  // of the cluster, when it began
  std::string last_value;
  size_t unknown = 0;  // writes of which nobody can say whether they happened
};

struct LockState {
  std::string value;
  Instant until{};  // the holder believes so
  uint64_t token = 0;
  uint64_t losses = 0;  // of the cluster, when it was granted
};

/// Something that is to be done once: `granted` when a client was told that it did it.
struct OnceState {
  std::string number;
  uint64_t losses = 0;
  int asked = 0;
  bool granted = false;
  bool agreed = false;  ///< Granted when all nodes agreed: each shows it.
};

class Claims final : public Workload {
 public:
  explicit Claims(Random random) : random_(random) {}

  const char* name() const override { return "claims"; }

  /// Several clients at once: what they ask for meets while it is undecided.
  void Step(World& world) override {
    for (uint64_t i = random_.Between(1, 4); i > 0 && !world.failed(); --i) AskOne(world);
  }

  void Check(World& world, SimNode& node) override {
    for (const auto& history : open_) CheckHistory(world, *history);
    open_.clear();
    if (node.index() == 0) NoteAgreed();
    CheckSums(world, node);
    if (!OperatorMustDecide(world)) ExpectEnds(world, node);
  }

 private:
  void AskOne(World& world) {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    if (random_.Chance(250)) return StepLock(world, *node);
    if (random_.Chance(200)) return StepOnce(world, *node);
    while (open_.size() < kOpenKeys) Open(world);
    const auto index = random_.Below(kOpenKeys);
    const auto history = open_[index];
    if (history->operations.size() >= kOperationsOfAKey || history->unknown >= kUnknownOfAKey ||
        history->losses != Losses(world)) {
      CheckHistory(world, *history);
      open_.erase(open_.begin() + static_cast<ptrdiff_t>(index));
      return;
    }
    StepHistory(world, *node, history);
  }

  static uint64_t Losses(World& world) { return world.lease().losses(); }

  void Open(World& world) {
    auto history = std::make_shared<ClaimHistory>();
    history->key = "claim:" + std::to_string(++keys_);
    history->losses = Losses(world);
    open_.push_back(std::move(history));
  }

  void StepHistory(World& world, SimNode& node, const std::shared_ptr<ClaimHistory>& history) {
    KeyOperation& operation = history->operations.emplace_back();
    const uint64_t choice = random_.Below(100);
    std::string request;
    if (choice < 30) {
      request = "get " + history->key;
    } else if (choice < 60) {
      operation.kind = Kind::kSetIfAbsent;
      operation.argument = "v" + std::to_string(++values_);
      history->last_value = operation.argument;
      request = "claim " + history->key + " " + operation.argument + " 0";
    } else if (choice < 72) {
      operation.kind = Kind::kSet;
      operation.argument = "v" + std::to_string(++values_);
      history->last_value = operation.argument;
      request = "set " + history->key + " " + operation.argument;
    } else if (choice < 92 && !history->last_value.empty()) {
      operation.kind = Kind::kDeleteIfEqual;
      operation.argument = history->last_value;
      request = "release " + history->key + " " + operation.argument;
    } else {
      operation.kind = Kind::kDelete;
      request = "delete " + history->key;
    }
    operation.called = world.now().count();
    operation.client = node.index();
    operation.unknown = true;  // until it is answered
    node.Ask(request, [&world, history, &operation](Outcome outcome, const std::string& reply) {
      if (outcome == Outcome::kUnknown) {
        history->unknown += operation.kind == Kind::kGet ? 0 : 1;
        return;
      }
      operation.unknown = false;
      operation.returned = world.now().count();
      if (outcome == Outcome::kRefused) {
        // It has done nothing: a read that fits anywhere.
        operation.kind = Kind::kGet;
        operation.unknown = true;
      } else if (operation.kind == Kind::kSetIfAbsent) {
        if (reply.starts_with("OK ")) operation.result = "OK";
      } else if (operation.kind != Kind::kSet && reply != "nil") {
        operation.result = reply;
      }
    });
  }

  void CheckHistory(World& world, const ClaimHistory& history) {
    // What those who count have lost nobody can keep; and where clocks run too far apart, what is
    // only read may be stale.
    if (history.losses != Losses(world) || world.clocks_apart()) return;
    std::vector<KeyOperation> operations;
    for (const KeyOperation& one : history.operations) {
      // What was read is not known: it fits anywhere.
      if (one.unknown && one.kind == Kind::kGet) continue;
      operations.push_back(one);
    }
    if (operations.empty()) return;
    const Linearization found = CheckLinearizable(operations, kStepsOfACheck);
    world.CountSearch(found.gave_up);
    if (found.possible || found.gave_up) return;
    std::string text = history.key + " was not one copy; in order:";
    for (const KeyOperation& one : found.longest) text += "\n  " + ToString(one);
    text += "\nand none of these can come next:";
    for (const KeyOperation& one : found.stuck) text += "\n  " + ToString(one);
    world.Fail("I3", text);
  }

  // --- locks ---

  void StepLock(World& world, SimNode& node) {
    const auto index = random_.Below(kLocks);
    LockState& lock = locks_[index];
    const std::string key = "lock:" + std::to_string(index);
    if (world.now() < lock.until && random_.Chance(400)) {
      lock.until = world.now();  // from now on the holder does not rely on it
      node.Ask("release " + key + " " + lock.value, [](Outcome, const std::string&) {});
      return;
    }
    const std::string value = "h" + std::to_string(++values_);
    const auto ttl = milliseconds(random_.Between(100, 3000));
    // Its holder's clock may run slower than the leaseholder's.
    const Instant until = world.now() + ttl * 95 / 100;
    const uint64_t losses = Losses(world);
    node.Ask("claim " + key + " " + value + " " + std::to_string(ttl.count()),
             [&world, &lock, key, value, until, losses](Outcome outcome, const std::string& reply) {
               if (outcome != Outcome::kAnswered || !reply.starts_with("OK ")) return;
               if (world.now() >= until || losses != Losses(world)) return;
               const uint64_t token = std::stoull(reply.substr(3));
               const bool kept = lock.losses == losses;
               if (kept && world.now() < lock.until && !world.clocks_apart()) {
                 world.Fail("I3", key + " is held by " + lock.value + " and " + value);
               }
               if (kept && token <= lock.token) {
                 world.Fail("I3", key + ": the token fell from " + std::to_string(lock.token) +
                                      " to " + std::to_string(token));
               }
               lock = {value, until, token, losses};
             });
  }

  // --- what is done once ---

  void StepOnce(World& world, SimNode& node) {
    if (!once_ || once_->asked >= kAskedOnce || once_->losses != Losses(world)) {
      once_ = std::make_shared<OnceState>();
      once_->number = std::to_string(++keys_);
      once_->losses = Losses(world);
      sums_.push_back(once_);
    }
    ++once_->asked;
    const auto once = once_;
    if (random_.Chance(400)) {
      const bool granted = once->granted;
      return node.Ask("get sum:" + once->number,
                      [&world, once, granted](Outcome outcome, const std::string& reply) {
                        if (outcome == Outcome::kAnswered) CheckSum(world, *once, granted, reply);
                      });
    }
    node.Ask(
        "once once:" + once->number + " v" + std::to_string(++values_) + " sum:" + once->number,
        [&world, once](Outcome outcome, const std::string& reply) {
          if (outcome != Outcome::kAnswered || !reply.starts_with("OK ")) return;
          if (once->granted && once->losses == Losses(world)) {
            world.Fail("I3", "once:" + once->number + " was granted to two");
          }
          once->granted = true;
        });
  }

  static void CheckSum(World& world, const OnceState& once, bool granted,
                       const std::string& reply) {
    if (once.losses != Losses(world) || world.clocks_apart()) return;
    if (reply != "nil" && reply != "1") {
      world.Fail("I3", "sum:" + once.number + " is " + reply + ": it was done more than once");
    }
    if (granted && reply == "nil") {
      world.Fail("I4", "sum:" + once.number + " is absent: what was answered was not done");
    }
  }

  /// What is granted while the nodes are looked at one after another reaches the last of them
  /// later.
  void NoteAgreed() {
    for (const auto& once : sums_) once->agreed = once->granted;
  }

  void CheckSums(World& world, SimNode& node) {
    Keyspace& keyspace = node.store().keyspace();
    for (const auto& once : sums_) {
      const KeyRef key = keyspace.Ref(Orders::kDatabase, "sum:" + once->number);
      std::string buffer;
      const auto view = keyspace.Lock(key).Find(key);
      CheckSum(world, *once, once->agreed, view ? std::string(view->Text(buffer)) : "nil");
    }
  }

  // --- the end ---

  void ExpectEnds(World& world, SimNode& node) {
    const auto granted = std::make_shared<bool>(false);
    const auto waiting = std::make_shared<bool>(false);
    const auto done = [&] {
      if (*granted || *waiting || !node.serving()) return *granted;
      *waiting = true;
      node.Ask("claim end:" + std::to_string(++keys_) + " v 500",
               [granted, waiting](Outcome outcome, const std::string& reply) {
                 *waiting = false;
                 *granted = outcome == Outcome::kAnswered && reply.starts_with("OK ");
               });
      return *granted;
    };
    if (!world.RunUntil(done, kEndsWithin)) {
      return world.Fail("liveness", node.name() + " is granted no claim");
    }
    const auto decided = [&] {
      for (int i = 0; i < world.size(); ++i) {
        if (!world.node(i).up() || world.node(i).store().keyspace().records().AnyUndecided())
          return false;
      }
      return true;
    };
    if (!world.RunUntil(decided, kEndsWithin)) world.Fail("liveness", "a record stays undecided");
  }

  Random random_;
  std::vector<std::shared_ptr<ClaimHistory>> open_;
  std::shared_ptr<OnceState> once_;
  std::vector<std::shared_ptr<OnceState>> sums_;
  LockState locks_[kLocks];
  uint64_t keys_ = 0;
  uint64_t values_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeClaims(Random random) { return std::make_unique<Claims>(random); }

}  // namespace starling::sim
