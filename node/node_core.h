/// What Node, Kv and Counter handles share: the runtime behind a gate.
///
/// Handles hold the core by shared pointer and pass its gate in every call; Node::Close closes the
/// gate, waits, and takes the runtime away, so handles may outlive the node. Thread-safe as
/// OperationGate is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <spdlog/logger.h>

#include "node/counter_registry.h"
#include "node/data_folder.h"
#include "node/lock_keeper.h"
#include "node/operation_gate.h"
#include "node/ordering/order_client.h"
#include "node/ordering/order_executor.h"
#include "node/runtime.h"
#include "node/scripting/scripting.h"
#include "starling/options.h"

namespace starling {

class NodeCore {
 public:
  explicit NodeCore(std::shared_ptr<spdlog::logger> logger)
      : log(std::move(logger)), counters(log) {}

  /// The error of every call after Close.
  static Error Closed() { return Error{Code::kClosed, "the node has been closed"}; }

  /// The error of every write after the disk refused one.
  static Error ReadOnly() {
    return Error{Code::kReadOnly, "the node stopped writing after its log refused an append"};
  }

  Keyspace& keyspace() { return runtime->store().keyspace(); }

  OperationGate gate;
  std::shared_ptr<spdlog::logger> log;
  uint8_t database = 0;
  std::chrono::milliseconds leave_timeout{1000};
  std::string name;
  std::string address;
  std::optional<DataFolder> folder;  // given back after the runtime has closed it
  std::unique_ptr<Runtime> runtime;
  const CommandTable commands;
  Scripting scripting;
  std::unique_ptr<OrderExecutor> orders;  // while it runs, this node can lead
  std::unique_ptr<OrderClient> order_client;
  std::unique_ptr<LockKeeper> lock_keeper;
  CounterRegistry counters;
};

}  // namespace starling
