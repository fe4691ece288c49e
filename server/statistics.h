/// What one I/O thread counts, and the sums over all.
///
/// Counters are written by their thread alone and read by any: relaxed atomics without locked
/// instructions.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "node/command.h"
#include "node/node_services.h"

namespace starling {

/// One writer, many readers.
class Tally {
 public:
  void Add(uint64_t by) { value_.store(get() + by, std::memory_order_relaxed); }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

/// Calls of one command.
struct CommandTally {
  std::atomic<const CommandSpec*> command{nullptr};
  Tally calls;
  Tally nanos;
  Tally rejected;
  Tally failed;
};

/// A hash table by the row's address that never grows: every row is in it from the start.
class CommandTallies {
 public:
  explicit CommandTallies(const CommandTable& commands);
  CommandTally& Of(const CommandSpec& command);
  const std::vector<CommandTally>& slots() const { return slots_; }
  void Reset();

 private:
  size_t SlotOf(const CommandSpec* command) const;
  std::vector<CommandTally> slots_;
  size_t mask_;
};

struct ThreadStatistics {
  explicit ThreadStatistics(const CommandTable& table) : commands(table) {}

  CommandTallies commands;
  Tally commands_processed;
  Tally bytes_in;
  Tally bytes_out;
  Tally clients;
  Tally input_buffers;   ///< Bytes, as of the last look (once a second).
  Tally output_buffers;  ///< Likewise.
  Tally largest_input;   ///< Largest input buffer of the last look.
  Tally largest_output;

  void Reset();
};

/// Calls of one command over all threads.
struct CommandTotals {
  uint64_t calls = 0;
  uint64_t nanos = 0;
  uint64_t rejected = 0;
  uint64_t failed = 0;
};
std::map<std::string, CommandTotals> SumCommands(
    const std::vector<const ThreadStatistics*>& threads);

/// Error replies by their code (`ERR`, `WRONGTYPE`), at most kMaxCodes of them. Thread-safe.
class ErrorTallies {
 public:
  static constexpr size_t kMaxCodes = 128;

  /// `reply` as it stands in the output, `-` first.
  void Count(std::string_view reply);
  std::map<std::string, uint64_t> Get() const;
  uint64_t total() const { return total_.load(std::memory_order_relaxed); }
  void Reset();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t, std::less<>> counts_;
  std::atomic<uint64_t> total_{0};
};

}  // namespace starling
