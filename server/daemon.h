/// starlingd without its process: a running node with its Redis port.
///
/// `Start` and `Stop` are for one thread, the control thread, which runs the io_context that
/// connections are accepted on. What the commands and threads inside share is shared_state.h.
#pragma once

#include <asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "node/runtime.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/settings.h"
#include "server/settings_sources.h"
#include "server/shared_state.h"
#include "starling/result.h"

namespace starling {

struct DaemonOptions {
  Settings settings;
  std::string config_file;
  EnvironmentVariables environment;
  /// Called once, from any thread, when a client has asked for the end (SHUTDOWN).
  std::function<void()> on_shutdown;
};

class Daemon {
 public:
  /// Opens the port, the data folder and the gossip port, and serves. `control` and `log` outlive
  /// it. Errors (nothing is left running): those of ResolveSettings, Listener::Open and
  /// Runtime::Start, and kIo for the files that the options name.
  static Result<std::unique_ptr<Daemon>> Start(asio::io_context& control, DaemonOptions options,
                                               Log& log);
  ~Daemon();

  uint16_t port() const { return listener_->port(); }
  uint16_t gossip_port() const { return runtime_->gossip_port(); }
  Runtime& runtime() { return *runtime_; }

  /// The graceful end: accepts and serves no more, hands over to the members what they lack, closes
  /// the store. Errors: those of Runtime::Close. The second call does nothing.
  Status Stop();

 private:
  Daemon(DaemonOptions options, Log& log) : options_(std::move(options)), log_(log) {}
  Status OpenNode();
  void Serve();
  void Admit(Connection connection);
  Status ApplyChanged(const Settings& next);
  std::string PortsFile() const;
  Status WritePortsFile();

  DaemonOptions options_;
  Log& log_;
  bool wrote_ports_file_ = false;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<SharedState> shared_;
  bool stopped_ = false;
};

/// Makes sure that the process may open as many files as `maxclients` connections need. Errors:
/// kLimitExceeded says how many it may have.
Status RaiseDescriptorLimit(int maxclients);

}  // namespace starling
