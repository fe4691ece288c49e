#include "server/services.h"

#include "server/info.h"
#include "server/io_thread.h"
#include "server/process_memory.h"

namespace starling {
namespace {

/// Lets a mutex that the caller holds go for the length of a scope.
class Unlocked {
 public:
  explicit Unlocked(std::mutex& mutex) : mutex_(mutex) { mutex_.unlock(); }
  ~Unlocked() { mutex_.lock(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  std::mutex& mutex_;
};

}  // namespace

SettingValues ThreadServices::GetConfig(std::string_view pattern) {
  return shared_.config.Get(pattern);
}

Status ThreadServices::SetConfig(const SettingValues& values) { return shared_.config.Set(values); }

Status ThreadServices::RewriteConfig() { return shared_.config.Rewrite(); }

std::string ThreadServices::RequirePass() { return thread_.settings().requirepass; }

void ThreadServices::VisitAllClients(
    const std::function<void(IoThread&, const ClientInfo&)>& visit) {
  Unlocked unlocked(thread_.mutex());
  for (const std::unique_ptr<IoThread>& thread : shared_.threads) {
    thread->VisitClients([&](const ClientInfo& client) { visit(*thread, client); });
  }
}

std::vector<ClientInfo> ThreadServices::Clients() {
  std::vector<ClientInfo> clients;
  VisitAllClients([&](IoThread&, const ClientInfo& client) { clients.push_back(client); });
  return clients;
}

int ThreadServices::KillClients(const std::function<bool(const ClientInfo&)>& match,
                                uint64_t self) {
  int killed = 0;
  bool self_too = false;
  VisitAllClients([&](IoThread& thread, const ClientInfo& client) {
    if (!match(client)) return;
    ++killed;
    if (client.state.id == self) {
      self_too = true;
    } else {
      thread.Kill(client.state.id);
    }
  });
  Session* session = self_too ? thread_.Find(self) : nullptr;
  if (session != nullptr) session->CloseAfterReply();
  return killed;
}

bool ThreadServices::UnblockClient(uint64_t id, bool with_error) {
  VisitAllClients([&](IoThread& thread, const ClientInfo& client) {
    if (client.state.id == id && client.waits) unblock_ = BegunUnblock{&thread, id, with_error};
  });
  return unblock_.has_value();
}

void ThreadServices::PauseClients(std::chrono::milliseconds time, bool writes_only) {
  const std::chrono::nanoseconds now = thread_.Now();
  shared_.pause.Begin(now + time, now, writes_only);
}

void ThreadServices::UnpauseClients() {
  shared_.pause.End();
  for (const std::unique_ptr<IoThread>& thread : shared_.threads) thread->ResumePaused();
}

void ThreadServices::CountCommand(const CommandSpec& command, CommandOutcome outcome) {
  CommandTally& tally = thread_.counters().commands.Of(command);
  if (outcome == CommandOutcome::kRejected) {
    tally.rejected.Add(1);
    return;
  }
  const uint64_t ticks = TickClock::Ticks();
  const std::chrono::nanoseconds took(clock_.Nanoseconds(ticks - last_ticks_));
  last_ticks_ = ticks;
  tally.calls.Add(1);
  tally.nanos.Add(static_cast<uint64_t>(took.count()));
  if (outcome == CommandOutcome::kFailed) tally.failed.Add(1);
  const std::chrono::milliseconds threshold = thread_.settings().latency_monitor_threshold;
  if (threshold.count() > 0 && took >= threshold) {
    const bool fast = (command.flags & kFast) != 0;
    shared_.latency.Record(fast ? "fast-command" : "command",
                           shared_.store.clock().time().WallMillis() / 1000,
                           std::chrono::duration_cast<std::chrono::milliseconds>(took));
  }
}

MemoryFigures ThreadServices::Memory() { return MemoryOf(shared_); }

std::string ThreadServices::Info(const std::vector<std::string>& sections) {
  return InfoText(shared_, sections);
}

void ThreadServices::ResetStatistics() {
  for (const std::unique_ptr<IoThread>& thread : shared_.threads) thread->ResetStatistics();
  shared_.errors.Reset();
  shared_.connections_received = 0;
  shared_.connections_rejected = 0;
  shared_.clients_cut_off = 0;
}

std::vector<LatencyEvent> ThreadServices::Latency() { return shared_.latency.Events(); }

int ThreadServices::ResetLatency(const std::vector<std::string>& events) {
  return shared_.latency.Reset(events);
}

std::vector<MemberInfo> ThreadServices::Members() { return shared_.runtime.Members(); }

LeaseInfo ThreadServices::Lease() { return shared_.runtime.Lease(); }

Status ThreadServices::Forget(const std::vector<std::string>& names) {
  return shared_.runtime.Forget(names);
}

Status ThreadServices::Join(const std::vector<std::string>& addresses) {
  return shared_.runtime.Join(addresses);
}

Result<std::string> ThreadServices::ChangeVoters(const VoterRequest& request) {
  return shared_.runtime.ChangeVoters(request);
}

Status ThreadServices::Backup(const std::string& folder) { return shared_.runtime.Backup(folder); }

Status ThreadServices::Shutdown(bool save) {
  shared_.end_process(save);
  return {};
}

Status ThreadServices::StartCheckpoint() { return shared_.runtime.StartCheckpoint(); }

}  // namespace starling
