/// Clients that wait for something to take, through any node (BLPOP at level `majority`): what is
/// put somewhere is taken once, by one of them, and nothing is lost, whoever leads (I3, I4, I13).
#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <string>

#include "tests/sim/workload.h"
#include "tests/support/linearizability.h"

namespace starling::sim {
namespace {

using Kind = KeyOperation::Kind;

constexpr size_t kPlaces = 2;
constexpr size_t kOperationsOfAPlace = 40;
/// Each, answered so or still under way, may have happened at any time, or never: with many of them
/// everything fits, and a search for an order takes long.
constexpr size_t kUnknownOfAPlace = 8;
constexpr uint64_t kStepsOfACheck = 300'000;

/// What clients saw of one place, where one thing at a time may be.
struct Place {
  std::string key;
  std::deque<KeyOperation> operations;  // stable addresses: those under way are filled in later
  uint64_t losses = 0;                  // of the cluster, when it began
  size_t waiting = 0;

  size_t unknown() const {
    return static_cast<size_t>(std::count_if(
        operations.begin(), operations.end(),
        [](const KeyOperation& one) { return one.unknown && one.kind != Kind::kGet; }));
  }
};

class Waits final : public Workload {
 public:
  explicit Waits(Random random) : random_(random) {}

  const char* name() const override { return "waits"; }

  void Step(World& world) override {
    SimNode* node = world.PickServing(random_);
    if (node == nullptr) return;
    std::shared_ptr<Place>& place = places_[random_.Below(kPlaces)];
    const bool over = place != nullptr && (place->operations.size() >= kOperationsOfAPlace ||
                                           place->unknown() >= kUnknownOfAPlace ||
                                           place->losses != world.lease().losses());
    if (over) CheckPlace(world, *place);
    if (over || place == nullptr) {
      place = std::make_shared<Place>();
      place->key = "place:" + std::to_string(++numbers_);
      place->losses = world.lease().losses();
    }
    // Now they wait for things, now the things for them.
    place->waiting < random_.Below(4) ? Take(world, *node, place) : Put(world, *node, place);
  }

  void Check(World& world, SimNode&) override {
    for (std::shared_ptr<Place>& place : places_) {
      if (place != nullptr) CheckPlace(world, *place);
      place.reset();
    }
  }

 private:
  static KeyOperation& Begin(World& world, SimNode& node, Place& place, Kind kind) {
    KeyOperation& operation = place.operations.emplace_back();
    operation.kind = kind;
    operation.called = world.now().count();
    operation.client = node.index();
    operation.unknown = true;  // until it is answered
    return operation;
  }

  /// It has done nothing: a read that fits anywhere.
  static void Nothing(KeyOperation& operation) {
    operation.kind = Kind::kGet;
    operation.unknown = true;
  }

  void Put(World& world, SimNode& node, const std::shared_ptr<Place>& place) {
    KeyOperation& operation = Begin(world, node, *place, Kind::kSetIfAbsent);
    operation.argument = "v" + std::to_string(++numbers_);
    node.Ask("claim " + place->key + " " + operation.argument + " 0",
             [&world, place, &operation](Outcome outcome, const std::string& reply) {
               if (outcome == Outcome::kUnknown) return;
               if (outcome == Outcome::kRefused) return Nothing(operation);
               operation.unknown = false;
               operation.returned = world.now().count();
               if (reply.starts_with("OK ")) operation.result = "OK";
             });
  }

  void Take(World& world, SimNode& node, const std::shared_ptr<Place>& place) {
    KeyOperation& operation = Begin(world, node, *place, Kind::kDelete);
    ++place->waiting;
    node.Ask("take " + place->key + " taker" + std::to_string(++numbers_),
             [&world, place, &operation](Outcome outcome, const std::string& reply) {
               --place->waiting;
               if (outcome == Outcome::kUnknown) return;
               if (outcome == Outcome::kRefused || reply == "nil") return Nothing(operation);
               operation.kind = Kind::kDeleteIfEqual;
               operation.argument = reply;
               operation.result = "1";
               operation.unknown = false;
               operation.returned = world.now().count();
             });
  }

  void CheckPlace(World& world, const Place& place) {
    // What those who count have lost nobody can keep.
    if (place.losses != world.lease().losses() || world.clocks_apart()) return;
    std::vector<KeyOperation> operations;
    for (const KeyOperation& one : place.operations) {
      if (one.kind != Kind::kGet) operations.push_back(one);
    }
    if (operations.empty()) return;
    const Linearization found = CheckLinearizable(operations, kStepsOfACheck);
    world.CountSearch(found.gave_up);
    if (found.possible || found.gave_up) return;
    std::string text = place.key + ": something was lost or taken twice; in order:";
    for (const KeyOperation& one : found.longest) text += "\n  " + ToString(one);
    text += "\nand none of these can come next:";
    for (const KeyOperation& one : found.stuck) text += "\n  " + ToString(one);
    text += "\nof all:";
    for (const KeyOperation& one : operations) text += "\n  " + ToString(one);
    world.Fail("I3", text);
  }

  Random random_;
  std::array<std::shared_ptr<Place>, kPlaces> places_;
  uint64_t numbers_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeWaits(Random random) { return std::make_unique<Waits>(random); }

}  // namespace starling::sim
