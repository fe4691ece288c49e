/// What commands of other nodes' clients may ask of this node: its scripts, and no more. What
/// concerns a connection, or a node as such, is answered where the client is connected.
///
/// Thread-safe.
#pragma once

#include "node/node_services.h"

namespace starling {

class OrderServices final : public NodeServices {
 public:
  OrderServices(const CommandTable& commands, Scripting& scripting,
                std::function<void()> while_script_runs)
      : commands_(commands),
        scripting_(scripting),
        while_script_runs_(std::move(while_script_runs)) {}

  const CommandTable& commands() override { return commands_; }
  Scripting& scripting() override { return scripting_; }
  void WhileScriptRuns() override { while_script_runs_(); }

  std::vector<std::pair<std::string, std::string>> GetConfig(std::string_view) override {
    return {};
  }
  Status SetConfig(const std::vector<std::pair<std::string, std::string>>&) override {
    return Elsewhere();
  }
  Status RewriteConfig() override { return Elsewhere(); }
  std::string RequirePass() override { return {}; }

  std::vector<ClientInfo> Clients() override { return {}; }
  int KillClients(const std::function<bool(const ClientInfo&)>&, uint64_t) override { return 0; }
  void PauseClients(std::chrono::milliseconds, bool) override {}
  void UnpauseClients() override {}

  /// Counted where the client is connected.
  void CountCommand(const CommandSpec&, CommandOutcome) override {}
  MemoryFigures Memory() override { return {}; }
  std::string Info(const std::vector<std::string>&) override { return {}; }
  void ResetStatistics() override {}
  std::vector<LatencyEvent> Latency() override { return {}; }
  int ResetLatency(const std::vector<std::string>&) override { return 0; }

  std::vector<MemberInfo> Members() override { return {}; }
  LeaseInfo Lease() override { return {}; }
  Status Forget(const std::vector<std::string>&) override { return Elsewhere(); }
  Status Join(const std::vector<std::string>&) override { return Elsewhere(); }
  Status Backup(const std::string&) override { return Elsewhere(); }

  Status Shutdown(bool) override { return Elsewhere(); }
  Status StartCheckpoint() override { return Elsewhere(); }

 private:
  static Error Elsewhere() {
    return {Code::kRefused, "this concerns one node, and is not run for a client of another"};
  }

  const CommandTable& commands_;
  Scripting& scripting_;
  const std::function<void()> while_script_runs_;
};

}  // namespace starling
