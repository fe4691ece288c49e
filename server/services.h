/// What commands of one I/O thread may ask of the daemon: NodeServices over the shared state.
///
/// One object per thread, used on it alone, while it holds its sessions' mutex; what concerns other
/// threads' clients lets that mutex go for the time.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/node_services.h"
#include "server/shared_state.h"
#include "server/tick_clock.h"

namespace starling {

class ThreadServices final : public NodeServices {
 public:
  struct BegunUnblock {
    IoThread* thread = nullptr;  ///< That client's.
    uint64_t client = 0;
    bool with_error = false;
  };

  ThreadServices(SharedState& shared, IoThread& thread) : shared_(shared), thread_(thread) {}

  /// Commands that are counted from here on began at `now`.
  void BeginTurn(std::chrono::nanoseconds now) {
    turn_began_ = now;
    clock_.Compare(now);
    last_ticks_ = TickClock::Ticks();
  }
  std::chrono::nanoseconds turn_began() const { return turn_began_; }

  /// What CLIENT UNBLOCK, which has just run, has begun; none: nothing.
  std::optional<BegunUnblock> TakeUnblock() { return std::exchange(unblock_, std::nullopt); }

  const CommandTable& commands() override { return shared_.commands; }
  Scripting& scripting() override { return shared_.scripting; }

  SettingValues GetConfig(std::string_view pattern) override;
  Status SetConfig(const SettingValues& values) override;
  Status RewriteConfig() override;
  std::string RequirePass() override;

  std::vector<ClientInfo> Clients() override;
  int KillClients(const std::function<bool(const ClientInfo&)>& match, uint64_t self) override;
  bool UnblockClient(uint64_t id, bool with_error) override;
  void PauseClients(std::chrono::milliseconds time, bool writes_only) override;
  void UnpauseClients() override;

  void CountCommand(const CommandSpec& command, CommandOutcome outcome) override;
  MemoryFigures Memory() override;
  std::string Info(const std::vector<std::string>& sections) override;
  void ResetStatistics() override;
  std::vector<LatencyEvent> Latency() override;
  int ResetLatency(const std::vector<std::string>& events) override;

  std::vector<MemberInfo> Members() override;
  LeaseInfo Lease() override;
  Status Forget(const std::vector<std::string>& names) override;
  Status Join(const std::vector<std::string>& addresses) override;
  Result<std::string> ChangeVoters(const VoterRequest& request) override;
  Status Backup(const std::string& folder) override;

  Status Shutdown(bool save) override;
  Status StartCheckpoint() override;

 private:
  void VisitAllClients(const std::function<void(IoThread&, const ClientInfo&)>& visit);

  SharedState& shared_;
  IoThread& thread_;
  std::chrono::nanoseconds turn_began_{0};
  TickClock clock_;
  uint64_t last_ticks_ = 0;
  std::optional<BegunUnblock> unblock_;
};

}  // namespace starling
