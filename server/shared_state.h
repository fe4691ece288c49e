/// What the I/O threads of one server share.
///
/// Every part is thread-safe by itself; `threads` is filled before the first thread runs and
/// emptied after the last has ended. Owned by the daemon, outlives its threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "node/command.h"
#include "node/ordering/level.h"
#include "node/ordering/order_executor.h"
#include "node/runtime.h"
#include "node/scripting/scripting.h"
#include "server/client_pause.h"
#include "server/config.h"
#include "server/latency_monitor.h"
#include "server/statistics.h"

namespace starling {

class IoThread;

/// Per second, as of the last second.
struct Rates {
  Tally commands;
  Tally bytes_in;
  Tally bytes_out;
};

struct SharedState {
  SharedState(Runtime& the_runtime, Settings settings, std::string config_file,
              std::shared_ptr<spdlog::logger> the_log);
  ~SharedState();

  /// Computes the rates since the last call; called by the first I/O thread once a second.
  void SampleRates(std::chrono::nanoseconds now);

  Runtime& runtime;
  Store& store;
  const CommandTable commands;
  Scripting scripting;
  const LevelRules levels;
  /// Of other nodes' clients; ends before the runtime is closed.
  std::unique_ptr<OrderExecutor> orders;
  Config config;
  LatencyMonitor latency;
  ErrorTallies errors;
  ClientPause pause;
  Rates rates;
  std::shared_ptr<spdlog::logger> log;
  std::vector<std::unique_ptr<IoThread>> threads;

  /// Asks the process to end; `save`: with a checkpoint. Set before the first thread runs.
  std::function<void(bool save)> end_process;

  std::atomic<uint64_t> next_client_id{1};
  std::atomic<uint64_t> clients{0};
  std::atomic<uint64_t> connections_received{0};
  std::atomic<uint64_t> connections_rejected{0};
  std::atomic<uint64_t> clients_cut_off{0};  ///< By limits of input, output or idle time.
  uint64_t startup_memory = 0;
  int64_t started_wall_millis = 0;
  std::chrono::nanoseconds started{0};

 private:
  struct Sample {
    std::chrono::nanoseconds at{0};
    uint64_t commands = 0;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
  };
  Sample last_sample_;  // the first I/O thread's
};

}  // namespace starling
