#include "tests/sim/checkers/leased_checker.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "tests/sim/dump.h"
#include "tests/sim/world.h"

namespace starling::sim {

namespace {

using Kind = KeyOperation::Kind;

constexpr size_t kStepsOfAKey = 60;
/// Each may have happened at any time, or never: with many of them everything fits, after a long
/// search.
constexpr size_t kUnknownOfAKey = 8;
constexpr uint64_t kStepsOfACheck = 300'000;

std::optional<std::string> Shown(Store& store, const std::string& key) {
  Keyspace& keyspace = store.keyspace();
  return ReadString(keyspace, keyspace.Ref(Orders::kDatabase, key));
}

}  // namespace

bool LeasedChecker::Writes(const Step& step) {
  return step.run->wrote && step.operation.kind != Kind::kGet &&
         !(step.operation.kind == Kind::kSetIfEqual && step.answered &&
           step.operation.result == "0");
}

/// What is held of streams that are over nobody can say.
bool LeasedChecker::Holds(const VersionVector& held, const Run& run) {
  const Stamp upto = held.Get(run.origin);
  return run.logged && !run.lost && upto != VersionVector::kOver && upto >= run.upto;
}

LeasedChecker::History& LeasedChecker::Of(const std::string& key) {
  std::shared_ptr<History>& history = histories_[key];
  if (history == nullptr) {
    history = std::make_shared<History>();
    history->key = key;
  }
  return *history;
}

// --- clients ---

uint64_t LeasedChecker::Asked(const SimNode& node, const std::vector<Part>& parts) {
  const auto run = std::make_shared<Run>();
  run->number = runs_.size() + 1;
  for (const Part& part : parts) {
    History& history = Of(part.key);
    const auto step = std::make_shared<Step>();
    step->run = run;
    step->operation.kind = part.kind;
    step->operation.argument = part.argument;
    step->operation.expected = part.expected;
    step->operation.called = world_.now().count();
    step->operation.client = node.index();
    step->operation.unknown = true;  // until it is answered
    history.steps.push_back(step);
    run->steps.emplace_back(histories_[part.key], step);
  }
  runs_.emplace(run->number, run);
  return run->number;
}

void LeasedChecker::Ended(uint64_t number, Outcome outcome, const std::string& reply) {
  Run& run = *runs_.at(number);
  run.ended = true;
  run.answered = outcome == Outcome::kAnswered;
  run.refused = outcome == Outcome::kRefused;
  if (run.refused && run.wrote) {
    world_.Fail("I13", "request " + std::to_string(number) + " was refused, and was run");
  }
  std::istringstream words(reply);
  for (auto& [history, step] : run.steps) {
    std::string word;
    words >> word;
    step->answered = run.answered;
    if (!run.answered) continue;
    step->operation.unknown = false;
    step->operation.returned = world_.now().count();
    if (word != "nil") step->operation.result = word;
  }
}

bool LeasedChecker::IsFull(const std::string& key) {
  const History& history = Of(key);
  size_t unknown = history.hidden.size();
  size_t run = 0;
  for (const auto& step : history.steps) {
    if (step->segment != history.segment) continue;
    ++run;
    unknown += step->run->ended && !step->answered && Writes(*step) ? 1 : 0;
  }
  return run >= kStepsOfAKey || unknown >= kUnknownOfAKey;
}

void LeasedChecker::Retire(const std::string& key) {
  History& history = Of(key);
  Check(history, {});
  history.retired = true;
  history.steps.clear();
  history.hidden.clear();
}

// --- leaseholders ---

void LeasedChecker::OnTurn(Store& store, uint64_t epoch) {
  // A voter that has lost its disk, and is the only one, begins epochs that it had before.
  const bool begun_again = by_ < store.origin() && store.id() == by_.node;
  if (epoch <= epoch_ && !begun_again) return;
  epoch_ = epoch;
  held_ = store.vector();
  by_ = store.origin();
  for (auto& [key, history] : histories_) {
    if (!history->retired) GoOn(*history, store);
  }
}

void LeasedChecker::OnRan(uint64_t number, uint64_t epoch, bool wrote) {
  const auto found = runs_.find(number);
  if (found == runs_.end()) return;
  Run& run = *found->second;
  const bool repeatable = run.steps.front().second->operation.kind == Kind::kGet;
  if (!repeatable && (run.epoch != 0 || run.refused)) {
    world_.Fail(
        "I13",
        "request " + std::to_string(number) + " is run in epoch " + std::to_string(epoch) +
            (run.refused ? ", and was refused" : ", and was in " + std::to_string(run.epoch)));
  }
  run.epoch = epoch;
  run.wrote = wrote;
  for (auto& [history, step] : run.steps) {
    step->segment = history->segment;
    // Many run in one moment where a node goes on that stood still.
    int64_t last = world_.now().count() - 1;
    for (const auto& other : history->steps) {
      if (other->operation.ran != KeyOperation::kNever) last = std::max(last, other->operation.ran);
    }
    step->operation.ran = last + 1;
  }
}

void LeasedChecker::OnReply(uint64_t number, const Origin& origin, Stamp upto, bool ordered) {
  const auto found = runs_.find(number);
  if (found == runs_.end() || found->second->epoch == 0) return;
  Run& run = *found->second;
  run.logged = true;
  run.origin = origin;
  run.upto = upto;
  if (!ordered || !run.wrote || run.epoch >= epoch_ || world_.clocks_apart()) return;
  // Who goes on after itself has what it ran, logged or not.
  if (Holds(held_, run) || origin == by_) return;
  world_.Fail("I5", "request " + std::to_string(number) + " of epoch " + std::to_string(run.epoch) +
                        " is answered as ordered, and epoch " + std::to_string(epoch_) +
                        " has begun without what it wrote");
}

void LeasedChecker::OnLost(const std::vector<VersionVector>& held) {
  for (auto& [number, run] : runs_) {
    if (!run->logged || run->lost) continue;
    run->lost = std::none_of(held.begin(), held.end(), [&run = run](const VersionVector& each) {
      return each.Covers(run->origin, run->upto);
    });
  }
}

void LeasedChecker::GoOn(History& history, Store& store) {
  const VersionVector held = store.vector();
  std::vector<std::shared_ptr<Step>> lacks;
  bool cut = false;
  bool any = false;
  for (const auto& step : history.hidden) {
    if (Holds(held, *step->run)) continue;
    lacks.push_back(step);
    // What went with a stream that is over does not come and go any more.
    const bool over = held.Get(step->run->origin) == VersionVector::kOver;
    cut = cut || !step->run->logged || !over;
  }
  for (const auto& step : history.steps) {
    if (step->segment != history.segment || !Writes(*step)) continue;
    any = true;
    if (Holds(held, *step->run)) continue;
    lacks.push_back(step);
    cut = true;
  }
  if (any || cut) world_.trace().Add("-", cut ? "history-cut" : "history-goes-on", history.key);
  if (!cut) return;
  Check(history, {});
  std::vector<std::shared_ptr<Step>> later;  // not run, or to be run again
  for (const auto& step : history.steps) {
    const bool run = step->segment == history.segment;
    const bool again = step->operation.kind == Kind::kGet && !step->run->ended;
    if (!run || again) later.push_back(step);
  }
  history.steps = std::move(later);
  history.hidden = std::move(lacks);
  history.since = world_.now().count();
  history.initial = Shown(store, history.key);
  ++history.segment;
}

// --- the search ---

void LeasedChecker::Check(const History& history, const std::vector<KeyOperation>& also) {
  if (world_.failed() || world_.clocks_apart()) return;
  std::vector<KeyOperation> operations = also;
  if (history.initial) {
    KeyOperation first;
    first.kind = Kind::kSet;
    first.argument = *history.initial;
    first.result = "OK";
    first.called = first.returned = -1;
    first.client = -1;
    operations.push_back(first);
  }
  for (const auto& step : history.steps) {
    if (step->segment != history.segment) continue;
    // What an unknown read has read says nothing.
    if (!step->answered && !Writes(*step)) continue;
    KeyOperation one = step->operation;
    one.called = std::max(one.called, history.since);
    operations.push_back(one);
  }
  for (const auto& step : history.hidden) {
    KeyOperation one = step->operation;
    one.called = history.since;
    one.returned = one.ran = KeyOperation::kNever;
    one.unknown = true;
    // It has set what it set.
    if (one.kind == Kind::kSetIfEqual) one.kind = Kind::kSet;
    operations.push_back(one);
  }
  if (operations.empty()) return;
  const Linearization found = CheckLinearizable(operations, kStepsOfACheck);
  world_.CountSearch(found.gave_up);
  if (found.possible || found.gave_up) return;
  std::string text = history.key + " was not one copy under one lease, in epoch " +
                     std::to_string(epoch_) + " and since its history was cut last; in order:";
  for (const KeyOperation& one : found.longest) text += "\n  " + ToString(one);
  text += "\nand none of these can come next:";
  for (const KeyOperation& one : found.stuck) text += "\n  " + ToString(one);
  world_.Fail("I5", text);
}

// --- the end ---

LeasedChecker::Sum LeasedChecker::SumOf(const std::string& counter) const {
  Sum sum;
  for (const auto& [number, run] : runs_) {
    for (const auto& [history, step] : run->steps) {
      if (history->key != counter || step->operation.kind != Kind::kIncrement) continue;
      sum.run += run->wrote ? 1 : 0;
      sum.answered += run->answered && !run->lost ? 1 : 0;
    }
  }
  return sum;
}

void LeasedChecker::CheckNode(SimNode& node) {
  for (auto& [key, history] : histories_) {
    const auto shown = Shown(node.store(), key);
    const Sum sum = SumOf(key);
    if (sum.run > 0) {
      const uint64_t value = shown ? std::stoull(*shown) : 0;
      if (value < sum.answered || value > sum.run) {
        world_.Fail("I5", key + " is " + std::to_string(value) + " at " + node.name() + "; " +
                              std::to_string(sum.run) + " increments were run, " +
                              std::to_string(sum.answered) + " answered and not lost");
      }
    }
    if (history->retired) continue;
    GoOn(*history, node.store());
    KeyOperation last;
    last.result = shown;
    last.called = last.returned = world_.now().count();
    last.client = node.index();
    Check(*history, {last});
  }
}

}  // namespace starling::sim
