#include "tests/support/linearizability.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_set>
#include <vector>

namespace starling {
namespace {

using Kind = KeyOperation::Kind;
using Value = std::optional<std::string>;

struct Outcome {
  bool fits = false;  ///< One copy would have answered so.
  Value after;
};

/// What the operation makes of what a key holds.
Outcome Step(const Value& value, const KeyOperation& operation) {
  const auto if_answered = [&](const std::optional<std::string>& result, Value after) {
    return Outcome{operation.unknown || operation.result == result, std::move(after)};
  };
  switch (operation.kind) {
    case Kind::kGet:
      return if_answered(value, value);
    case Kind::kSet:
      return {true, operation.argument};
    case Kind::kSetIfAbsent:
      return value ? if_answered(std::nullopt, value) : if_answered("OK", operation.argument);
    case Kind::kDelete:
      return if_answered(value ? "1" : "0", std::nullopt);
    case Kind::kDeleteIfEqual: {
      const bool equal = value == operation.argument;
      return if_answered(equal ? "1" : "0", equal ? Value() : value);
    }
    case Kind::kIncrement: {
      const std::string sum = std::to_string((value ? std::stoll(*value) : 0) + 1);
      return if_answered(sum, sum);
    }
    case Kind::kSetIfEqual: {
      const bool equal = value == operation.expected;
      return if_answered(equal ? "1" : "0", equal ? Value(operation.argument) : value);
    }
  }
  return {};
}

/// A set of operations and the value they led to: whoever comes here again need not go on.
struct Visited {
  std::vector<uint64_t> taken;
  Value value;

  friend bool operator==(const Visited&, const Visited&) = default;
};

struct VisitedHash {
  size_t operator()(const Visited& visited) const {
    size_t hash = visited.value ? std::hash<std::string>()(*visited.value) : 0;
    for (const uint64_t bits : visited.taken) hash = hash * 0x9e3779b97f4a7c15 + bits;
    return hash;
  }
};

class Search {
 public:
  Search(std::vector<KeyOperation> operations, uint64_t max_steps)
      : operations_(std::move(operations)), steps_left_(max_steps) {
    std::stable_sort(operations_.begin(), operations_.end(),
                     [](const auto& a, const auto& b) { return a.called < b.called; });
    for (const KeyOperation& operation : operations_) {
      must_ += Returns(operation) ? 1 : 0;
      hinted_ = hinted_ || operation.ran != KeyOperation::kNever;
    }
    FindTwins();
    for (size_t i = 0; i < operations_.size(); ++i) tried_.push_back(i);
    std::stable_sort(tried_.begin(), tried_.end(), [this](size_t a, size_t b) {
      return operations_[a].ran < operations_[b].ran;
    });
    taken_.resize((operations_.size() + 63) / 64);
  }

  Linearization Run() {
    Linearization found;
    found.possible = Extend();
    found.gave_up = !found.possible && steps_left_ == 0;
    if (found.possible) return found;
    for (const size_t index : longest_) found.longest.push_back(operations_[index]);
    std::vector<bool> taken(operations_.size());
    for (const size_t index : longest_) taken[index] = true;
    int64_t first_return = KeyOperation::kNever;
    for (size_t i = 0; i < operations_.size(); ++i) {
      if (!taken[i]) first_return = std::min(first_return, ReturnOf(operations_[i]));
    }
    for (size_t i = 0; i < operations_.size(); ++i) {
      if (!taken[i] && operations_[i].called <= first_return) {
        found.stuck.push_back(operations_[i]);
      }
    }
    return found;
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  struct Frame {
    size_t next = 0;  // the place in tried_ of the operation to try next
    Value value;      // before it
  };

  static int64_t ReturnOf(const KeyOperation& operation) {
    return operation.unknown ? KeyOperation::kNever : operation.returned;
  }
  static bool Returns(const KeyOperation& operation) {
    return ReturnOf(operation) != KeyOperation::kNever;
  }
  bool Taken(size_t index) const { return (taken_[index / 64] >> index % 64 & 1) != 0; }
  void Flip(size_t index) { taken_[index / 64] ^= uint64_t{1} << index % 64; }

  /// Of operations with unknown outcomes that ask for the same, the earlier is as good wherever the
  /// later is: they are taken in the order of their calls only, and so are their hints.
  void FindTwins() {
    std::map<std::tuple<Kind, std::string, std::string>, std::vector<size_t>> alike;
    for (size_t i = 0; i < operations_.size(); ++i) {
      const KeyOperation& one = operations_[i];
      if (!Returns(one)) alike[{one.kind, one.argument, one.expected}].push_back(i);
    }
    twin_.assign(operations_.size(), kNone);
    for (const auto& [asked, twins] : alike) {
      std::vector<int64_t> hints;
      for (const size_t index : twins) hints.push_back(operations_[index].ran);
      std::sort(hints.begin(), hints.end());
      for (size_t i = 0; i < twins.size(); ++i) {
        operations_[twins[i]].ran = hints[i];
        if (i > 0) twin_[twins[i]] = twins[i - 1];
      }
    }
  }
  /// Whether an earlier one that asks for the same is still to be taken.
  bool AfterTwin(size_t index) const { return twin_[index] != kNone && !Taken(twin_[index]); }

  /// The earliest return of those not taken: who was called after it cannot come before it.
  int64_t Deadline() const {
    int64_t deadline = KeyOperation::kNever;
    for (size_t i = first_; i < operations_.size(); ++i) {
      if (operations_[i].called > deadline) break;
      if (!Taken(i)) deadline = std::min(deadline, ReturnOf(operations_[i]));
    }
    return deadline;
  }

  /// Depth first, without recursion: histories are long.
  bool Extend() {
    std::vector<Frame> frames(1);
    std::vector<size_t> order;
    size_t done = 0;  // of those that must be
    while (!frames.empty()) {
      if (done == must_) return true;
      while (first_ < operations_.size() && Taken(first_)) ++first_;
      Frame& frame = frames.back();
      // Without hints they are tried in the order of their calls, which ends at the deadline.
      if (!hinted_ && frame.next < first_) frame.next = first_;
      const int64_t deadline = Deadline();
      bool went = false;
      while (!went && frame.next < tried_.size()) {
        const size_t index = tried_[frame.next];
        const bool late = operations_[index].called > deadline;
        if (late && !hinted_) break;
        ++frame.next;
        if (late || Taken(index) || AfterTwin(index)) continue;
        if (steps_left_ == 0) return false;
        --steps_left_;
        Outcome outcome = Step(frame.value, operations_[index]);
        if (!outcome.fits) continue;
        // What changes nothing need not happen; and where its answer says that it has changed
        // nothing, what must happen may as well do so now.
        const bool must = Returns(operations_[index]);
        const bool idle = outcome.after == frame.value;
        if (idle && !must) continue;
        if (idle && operations_[index].kind != Kind::kSet) frame.next = tried_.size();
        Flip(index);
        if (!visited_.insert({taken_, outcome.after}).second) {
          Flip(index);
          continue;
        }
        order.push_back(index);
        done += must ? 1 : 0;
        if (order.size() > longest_.size()) longest_ = order;
        frames.push_back({0, std::move(outcome.after)});
        went = true;
      }
      if (went) continue;
      frames.pop_back();
      if (order.empty()) break;
      Flip(order.back());
      done -= Returns(operations_[order.back()]) ? 1 : 0;
      first_ = std::min(first_, order.back());
      order.pop_back();
    }
    return done == must_;
  }

  std::vector<KeyOperation> operations_;
  uint64_t steps_left_;
  size_t must_ = 0;
  bool hinted_ = false;
  std::vector<size_t> tried_;  // the operations in the order in which they are tried
  std::vector<size_t> twin_;   // of each the one before it with an unknown outcome like its own
  size_t first_ = 0;           // all before it are taken
  std::vector<uint64_t> taken_;
  std::vector<size_t> longest_;
  std::unordered_set<Visited, VisitedHash> visited_;
};

}  // namespace

Linearization CheckLinearizable(const std::vector<KeyOperation>& operations, uint64_t max_steps) {
  return Search(operations, max_steps).Run();
}

std::string ToString(const KeyOperation& operation) {
  static constexpr const char* kNames[] = {
      "get", "set", "set-if-absent", "delete", "delete-if-equal", "increment", "set-if-equal"};
  std::string text = "client " + std::to_string(operation.client) + " " +
                     kNames[static_cast<size_t>(operation.kind)];
  if (!operation.argument.empty()) text += " " + operation.argument;
  if (operation.kind == KeyOperation::Kind::kSetIfEqual) text += " for " + operation.expected;
  text += operation.unknown ? " -> unknown" : " -> " + operation.result.value_or("none");
  text += " [" + std::to_string(operation.called) + ", ";
  text += operation.returned == KeyOperation::kNever ? "never" : std::to_string(operation.returned);
  return text + "]";
}

}  // namespace starling
