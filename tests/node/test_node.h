/// A node without sockets or threads for tests of commands: a store on a disk in memory, a clock
/// moved by hand, one client, and batches that travel when the test says so.
///
/// Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "node/command.h"
#include "node/node_services.h"
#include "node/scripting/scripting.h"
#include "storage/store.h"
#include "tests/support/manual_time.h"
#include "tests/support/memory_engine.h"

namespace starling {

/// A node around the commands that has nothing: every question gets the empty answer.
class EmptyServices : public NodeServices {
 public:
  const CommandTable& commands() override { return table_; }
  Scripting& scripting() override { return scripting_; }
  std::vector<std::pair<std::string, std::string>> GetConfig(std::string_view) override;
  Status SetConfig(const std::vector<std::pair<std::string, std::string>>&) override;
  Status RewriteConfig() override;
  std::string RequirePass() override { return {}; }
  std::vector<ClientInfo> Clients() override { return {}; }
  int KillClients(const std::function<bool(const ClientInfo&)>&, uint64_t) override { return 0; }
  void PauseClients(std::chrono::milliseconds, bool) override {}
  void UnpauseClients() override {}
  void CountCommand(const CommandSpec& command, CommandOutcome outcome) override;
  MemoryFigures Memory() override { return {}; }
  std::string Info(const std::vector<std::string>&) override { return {}; }
  void ResetStatistics() override {}
  std::vector<LatencyEvent> Latency() override { return {}; }
  int ResetLatency(const std::vector<std::string>&) override { return 0; }
  std::vector<MemberInfo> Members() override { return {}; }
  LeaseInfo Lease() override { return {}; }
  Status Forget(const std::vector<std::string>&) override;
  Status Join(const std::vector<std::string>&) override;
  Status Backup(const std::string&) override;
  Status Shutdown(bool) override { return {}; }
  Status StartCheckpoint() override { return {}; }

  /// How often each outcome was counted, by command name.
  std::map<std::pair<std::string, CommandOutcome>, int> counted;

 private:
  CommandTable table_;
  Scripting scripting_;
};

class TestNode {
 public:
  TestNode(std::string name, ManualTime& time);

  /// Runs one command of words without spaces; the reply as it would be sent.
  std::string Do(std::string_view line);
  /// The same with the words given one by one.
  std::string Do(std::vector<std::string> words);
  /// Commits, and gives every batch since the last call that `this` wrote.
  std::vector<SharedBytes> TakeBatches();
  void Apply(const std::vector<SharedBytes>& batches);

  ClientState& client() { return client_; }
  Store& store() { return *store_; }
  EmptyServices& services() { return services_; }

 private:
  EmptyServices services_;
  MemoryDisk disk_;
  ClientState client_;
  std::mt19937_64 random_{1};
  std::vector<SharedBytes> batches_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ClientTransaction> transaction_;
};

/// Each takes what the other wrote: what two connected members do.
void Exchange(TestNode& a, TestNode& b);

}  // namespace starling
