#include "server/statistics.h"

namespace starling {

CommandTallies::CommandTallies(const CommandTable& commands) {
  size_t slots = 64;
  while (slots < 4 * commands.all().size()) slots *= 2;
  slots_ = std::vector<CommandTally>(slots);
  mask_ = slots - 1;
  for (const CommandSpec* command : commands.all()) slots_[SlotOf(command)].command = command;
}

size_t CommandTallies::SlotOf(const CommandSpec* command) const {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
  size_t at = (reinterpret_cast<uintptr_t>(command) * kMultiplier) >> 32 & mask_;
  while (true) {
    const CommandSpec* there = slots_[at].command.load(std::memory_order_relaxed);
    if (there == command || there == nullptr) return at;
    at = (at + 1) & mask_;
  }
}

CommandTally& CommandTallies::Of(const CommandSpec& command) { return slots_[SlotOf(&command)]; }

void CommandTallies::Reset() {
  for (CommandTally& tally : slots_) {
    for (Tally* count : {&tally.calls, &tally.nanos, &tally.rejected, &tally.failed}) count->Set(0);
  }
}

void ThreadStatistics::Reset() {
  commands.Reset();
  for (Tally* count : {&commands_processed, &bytes_in, &bytes_out}) count->Set(0);
}

std::map<std::string, CommandTotals> SumCommands(
    const std::vector<const ThreadStatistics*>& threads) {
  std::map<std::string, CommandTotals> totals;
  for (const ThreadStatistics* thread : threads) {
    for (const CommandTally& tally : thread->commands.slots()) {
      const CommandSpec* command = tally.command.load(std::memory_order_relaxed);
      const bool used = tally.calls.get() != 0 || tally.rejected.get() != 0;
      if (command == nullptr || !used) continue;
      CommandTotals& sum = totals[command->name];
      sum.calls += tally.calls.get();
      sum.nanos += tally.nanos.get();
      sum.rejected += tally.rejected.get();
      sum.failed += tally.failed.get();
    }
  }
  return totals;
}

void ErrorTallies::Count(std::string_view reply) {
  constexpr size_t kLongestCode = 32;
  total_.fetch_add(1, std::memory_order_relaxed);
  std::string_view code = reply.substr(1, reply.find_first_of(" \r\n") - 1);
  code = code.substr(0, kLongestCode);
  std::lock_guard lock(mutex_);
  auto found = counts_.find(code);
  if (found != counts_.end()) {
    ++found->second;
  } else if (counts_.size() < kMaxCodes) {
    counts_.emplace(code, 1);
  }
}

std::map<std::string, uint64_t> ErrorTallies::Get() const {
  std::lock_guard lock(mutex_);
  return {counts_.begin(), counts_.end()};
}

void ErrorTallies::Reset() {
  std::lock_guard lock(mutex_);
  counts_.clear();
  total_.store(0, std::memory_order_relaxed);
}

}  // namespace starling
