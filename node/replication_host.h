/// The thread that drives the replication engine: feeds it what sockets, timers, the journal and
/// the meeting folder bring, and carries out what it answers.
///
/// Everything of Asio here belongs to that one thread, and so does the engine, but for a question
/// that another thread asks while it has none to answer itself (AwaitMajority). Public functions
/// are thread-safe once Run has been called, except Run and Stop themselves. Invariant: own batches
/// reach the engine in stream order, after their append (Enqueue is the journal's sink).
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <spdlog/logger.h>

#include "node/epoch_files.h"
#include "node/folder_watch.h"
#include "node/keyspace_gate.h"
#include "node/lease_watch.h"
#include "node/meeting_folder.h"
#include "node/repeat_filter.h"
#include "node/runtime.h"
#include "node/seed_resolver.h"
#include "node/transport.h"
#include "replication/order_book.h"
#include "replication/replicator.h"
#include "starling/result.h"
#include "storage/store.h"

namespace starling {

class ReplicationHost final : private TransportHandler {
 public:
  /// What is borrowed outlives the host.
  ReplicationHost(const RuntimeOptions& options, Store& store, TimeSource& time, KeyspaceGate& gate,
                  EventListener listener, std::shared_ptr<spdlog::logger> log);
  ~ReplicationHost() override;

  /// Listens, shows the node in the meeting folder, starts the engine. Errors as Runtime::Start;
  /// then the host is only good for destruction.
  Status Open();
  /// Starts the thread.
  void Run();
  /// Ends the thread after the sockets had a moment to send what is queued. What Ask was given
  /// before is still answered.
  void Stop();

  /// One own batch, after its append. Never blocks. One that comes alone goes to the members at
  /// once; those that follow it closely go together, so that a stream of them wakes nobody for
  /// each.
  void Enqueue(const BatchHeader& header, SharedBytes bytes);

  /// Runs `function(Replicator&)` on the thread and returns its result.
  template <typename Function>
  auto Ask(Function function) -> std::invoke_result_t<Function, Replicator&>;

  // --- orders (replication/forwarding.h) ---
  /// Where ends of orders go; called on the thread, once per burst: must not block.
  using OrderSink = std::function<void(std::vector<OrderEffect> ended)>;
  /// The number that orders of this sink begin with. Sinks live as long as the host.
  uint64_t AddOrderSink(OrderSink sink);
  /// Gives orders to the engine; their numbers begin with their sink's.
  void Submit(std::vector<std::pair<uint64_t, Order>> orders);
  void ClientGone(uint64_t client);
  /// Who runs peers' orders; null: nobody, they are refused. When it returns, the earlier one is
  /// called no more.
  void SetOrderRunner(OrderRunner* runner);
  void OnExecuted(const PeerProcess& peer, std::vector<ExecutedOrder> executed, Stamp upto);
  /// Whether no leaseholder is in reach, nor likely to be soon.
  bool out_of_reach() const { return out_of_reach_.load(std::memory_order_acquire); }

  /// See Runtime.
  void AskHoldings();
  Status Forget(const std::vector<std::string>& names);
  Status Join(const std::vector<std::string>& addresses);
  Result<std::string> ChangeVoters(const VoterRequest& request);
  Status Leave(std::chrono::milliseconds timeout);

  /// Replicator::AwaitMajority; the answer comes by lease(), perhaps before this returns: a
  /// folder's vote is there at once, and to wake the thread for it would take longer. For the
  /// thread that closes the keyspace's gate, while it is open.
  void AwaitMajority(uint64_t epoch, Stamp upto);

  LeaseWatch& lease() { return lease_; }
  uint16_t port() const { return transport_->port(); }
  const Address& address() const { return address_; }

 private:
  void OnConnected(LinkId link, const Address& dialled) override;
  void OnDialFailed(const Address& address, bool refused) override;
  void OnDisconnected(LinkId link) override;
  void OnFrame(LinkId link, std::string_view frame) override;
  void OnBurstEnd() override { EndBurst(); }

  Status OpenMeetingFolder();
  void ScanMeetingFolder();
  /// Lets the meeting folder vote, whichever folder stands there now.
  void OpenEpochs(uint64_t cluster);
  void FollowFolder(const std::optional<ClusterRecord>& record);
  void WatchFolder();
  std::vector<std::string> SortedVoters() const;
  void WarnOfOtherVoters(const ClusterRecord& record);
  void ScheduleScan();
  /// Tells the engine when the process ends, if it does so within a moment.
  void WatchProcessEnd(const ProcessEffect& process);
  void TakeLocalBatches();
  /// Has the engine know them before they are taken. Whether there are none.
  bool RememberLocalBatches();
  /// Those that come soon after what was just taken wait for this.
  void GatherLocalBatches();
  Instant Now() { return time_.Monotonic(); }
  /// Carries out and clears effects_.
  void CarryOut();
  /// Gives the engine an input and carries out what follows; returns what `input` returns.
  template <typename Function>
  auto Feed(Function input) -> std::invoke_result_t<Function>;
  /// Before an input: takes the engine and enters the keyspace's gate; while a script keeps that
  /// closed the engine is suspended.
  void BeginBurst();
  /// After the last input of a burst: sends, leaves the gate, sets the timer, lets the engine go.
  void EndBurst();
  /// AwaitMajority on the caller's thread. False: it is left to the thread, since the engine is in
  /// use, or something has to be sent before there can be an answer.
  bool AwaitAtOnce(uint64_t epoch, Stamp upto);
  void OnCalledIn();
  void ArmTimer();
  void Tell(const EventEffect& event);
  void CarryOutOrders(RunOrdersEffect run);
  /// Hands the ends of a burst to their sinks.
  void TellOrderEnds();
  void LogEvent(const EventEffect& event, const char* word, spdlog::level::level_enum level);
  /// Posts to the thread, or runs at once where it has ended.
  void Dispatch(std::function<void()> work);

  const RuntimeOptions& options_;
  Store& store_;
  TimeSource& time_;
  KeyspaceGate& gate_;
  EventListener listener_;
  std::shared_ptr<spdlog::logger> log_;
  LeaseWatch lease_;
  RepeatFilter refusals_{std::chrono::minutes(1)};

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  asio::steady_timer timer_{io_};
  asio::steady_timer gather_timer_{io_};
  asio::steady_timer scan_timer_{io_};
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<MeetingFolder> meeting_;
  struct EndWatch;
  std::map<uint64_t, std::unique_ptr<EndWatch>> ends_;  // by session
  std::shared_ptr<const Folder> followed_;
  uint64_t epochs_cluster_ = 0;  // whose the epochs are
  std::unique_ptr<EpochFiles> epochs_;
  std::unique_ptr<FolderWatch> watch_;
  std::unique_ptr<SeedResolver> resolver_;
  Address address_;
  bool inside_ = false;                  // the gate
  std::atomic<bool> called_in_ = false;  // this thread has a place inside that it has not taken yet

  // Guards the four below. Recursive, since what Ask runs may begin a burst.
  std::recursive_mutex engine_mutex_;
  std::unique_ptr<Replicator> replicator_;
  Effects effects_;         // left here by AwaitAtOnce: the thread carries them out
  bool suspended_ = false;  // the engine
  Instant armed_ = Instant::max();
  std::unique_lock<std::recursive_mutex> burst_{engine_mutex_, std::defer_lock};

  int scans_ = 0;
  bool scan_failed_ = false;
  std::shared_ptr<std::promise<void>> leaving_;

  OrderRunner* order_runner_ = nullptr;  // the thread's
  std::vector<OrderEffect> order_ends_;  // of this burst
  std::atomic<bool> out_of_reach_{true};
  std::mutex sinks_mutex_;  // guards order_sinks_
  std::vector<OrderSink> order_sinks_;

  std::mutex awaited_mutex_;  // guards the two below
  LeaseWatch::Held awaited_;
  bool awaited_posted_ = false;

  std::mutex local_mutex_;  // guards the four below
  std::vector<OwnBatch> local_;
  size_t remembered_ = 0;  // of them, by the engine
  size_t local_bytes_ = 0;
  bool local_awaited_ = false;          // the thread has been woken for them, or wakes by itself
  bool gathering_ = false;              // the thread's: gather_timer_ runs
  std::atomic<bool> connected_{false};  // without a connection, batches wake nobody

  std::mutex dispatch_mutex_;  // guards stopped_; held while work runs after the end
  bool stopped_ = false;
  std::thread thread_;
};

template <typename Function>
auto ReplicationHost::Feed(Function input) -> std::invoke_result_t<Function> {
  struct Burst {
    explicit Burst(ReplicationHost& of) : host(of) { host.BeginBurst(); }
    ~Burst() {
      host.CarryOut();
      host.EndBurst();
    }
    ReplicationHost& host;
  };
  const Burst burst(*this);
  return input();
}

template <typename Function>
auto ReplicationHost::Ask(Function function) -> std::invoke_result_t<Function, Replicator&> {
  using Answer = std::invoke_result_t<Function, Replicator&>;
  auto task = std::make_shared<std::packaged_task<Answer()>>([this, &function] {
    const std::lock_guard lock(engine_mutex_);
    return function(*replicator_);
  });
  std::future<Answer> answer = task->get_future();
  Dispatch([task] { (*task)(); });
  return answer.get();
}

}  // namespace starling
