/// A thread that serves clients: reads what is ready, runs it, commits once, replies to all.
///
/// One turn: every ready session reads, parses and executes; then the journal is committed once,
/// for all that arrived together; then all replies are sent. So the costs of a commit are shared as
/// widely as the load allows, and nothing is told that the log does not hold (I7).
///
/// What stands below under "any thread" may be called from any. The
/// mutex guards the sessions: this thread holds it while it works on them, others to look at them.
/// It is let go for the commit and to look at other threads' sessions, so that no thread ever holds
/// two.
///
/// After a turn that brought orders to the executor the thread runs them itself if they are few and
/// the executor is idle (OrderExecutor::RunHere). While a script among them runs for too long, the
/// thread takes turns within that: clients hear that the node is busy, and can kill the script.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "node/keyspace_gate.h"
#include "server/descriptor.h"
#include "server/event_loop.h"
#include "server/services.h"
#include "server/session.h"
#include "server/shared_state.h"
#include "server/statistics.h"
#include "server/turn_order.h"
#include "server/unblocking.h"
#include "storage/reused_buffer.h"

namespace starling {

/// Requests parsed ahead of their execution, so that their keys can be prefetched. Words borrow
/// from the session's input.
struct RequestBatch {
  static constexpr size_t kMost = 32;
  static constexpr size_t kKeptBytes = 1 << 20;  // of words, from one batch to the next

  struct Request {
    size_t first_word;
    size_t words;
    size_t end;  ///< Bytes of the input up to this request's end.
  };
  std::vector<std::string_view> words;
  std::vector<Request> requests;
  size_t end = 0;          ///< Bytes of the input that the parser is done with.
  bool exhausted = false;  ///< Nothing whole is left behind this batch.

  void Clear() {
    EmptyKeeping(words, kKeptBytes);
    requests.clear();
    exhausted = false;
  }
};

/// An accepted connection on its way to its thread.
struct Accepted {
  Descriptor socket;
  std::string address;
  std::string local_address;
};

class IoThread {
 public:
  IoThread(SharedState& shared, int index);
  ~IoThread();

  void Start();
  /// Sends what may leave, closes every session and ends the thread; waits for it. Idempotent.
  void Stop();

  // --- any thread ---
  void Adopt(Accepted accepted);
  /// Connections given to this thread and not yet closed.
  uint64_t assigned() const { return assigned_.load(std::memory_order_relaxed); }
  void Kill(uint64_t id);
  /// Lets sessions go on that CLIENT PAUSE holds.
  void ResumePaused();
  /// For a client of this thread.
  void UnblockClient(const Unblock& unblock);
  /// The reply for who waits by AwaitLater.
  void AnswerLater(uint64_t number, std::string reply);
  /// Calls with every client, under the mutex; the caller holds no thread's.
  void VisitClients(const std::function<void(const ClientInfo&)>& visit);
  const ThreadStatistics& statistics() const { return statistics_; }
  void ResetStatistics() { statistics_.Reset(); }

  // --- this thread ---
  SharedState& shared() { return shared_; }
  EventLoop& loop() { return loop_; }
  ThreadStatistics& counters() { return statistics_; }
  RequestBatch& batch() { return batch_; }
  std::mt19937_64& random() { return random_; }
  ThreadServices& services() { return services_; }
  std::mutex& mutex() { return mutex_; }
  std::chrono::nanoseconds Now() const { return shared_.store.clock().time().Monotonic(); }
  /// The present settings; costs one atomic load while they are unchanged.
  const Settings& settings();
  /// Whether the journal was read-only when this turn began: keys are not served, nothing commits.
  bool turn_without_log() const { return turn_without_log_; }
  /// Where the commands of this turn run that belong to the leaseholder.
  const TurnOrder& turn_order() const { return turn_order_; }
  /// Has an order run at the leaseholder; its number, by which the session hears of its end.
  /// `client` as in Order; 0: Unblocking hears of it.
  uint64_t SubmitOrder(uint64_t client, Order order);
  /// Has this node's executor run it; `leased`: as the leaseholder's, while it leads.
  /// `watched`, `written`: as OrderExecutor::OwnOrder.
  uint64_t RunOwnOrder(uint64_t client, Order order, bool leased,
                       std::unique_ptr<ClientTransaction> watched, VersionVector written);
  /// A number for a reply that another thread gives later; the session hears of it by that.
  uint64_t AwaitLater(uint64_t client);
  /// Before a command runs here: waits for a script to end. False: it has run for too long, and the
  /// command is to be refused. What this turn has done is committed before a script can begin.
  /// The sessions' mutex, which the caller holds, is let go meanwhile: who is inside may want it.
  bool EnterKeyspace();
  /// A command has run here: what it read or wrote is committed before its client is told.
  void NoteRun() { has_run_ = true; }
  /// Destroys a transaction that watches keys, as soon as no script runs.
  void Retire(std::unique_ptr<ClientTransaction> transaction) {
    retired_.push_back(std::move(transaction));
  }
  /// The session takes part in this turn's commit.
  void JoinTurn(Session& session) { turn_.push_back(&session); }
  /// The session waits for the end of a CLIENT PAUSE.
  void AddPaused(Session& session) { paused_.push_back(session.id()); }
  /// The session has closed; it is destroyed at the end of the turn.
  void Bury(uint64_t id) { dead_.push_back(id); }
  /// Null when there is none.
  Session* Find(uint64_t id);

 private:
  void Run();
  void Turn(std::chrono::milliseconds wait);
  void Open(Accepted accepted);
  void BeginTurn();
  void ServeReady(std::span<const EventLoop::Ready> ready);
  void FinishTurn();
  Status Commit();
  /// As EnterKeyspace, without waiting.
  bool EnterAtOnce();
  void LeaveKeyspace();
  /// Destroys closed sessions, and transactions that were retired.
  void RemoveDead();
  void WakePaused();
  TurnOrder FindTurnOrder();
  /// Whether what ran as the leaseholder's in this turn may be answered as such.
  bool KeepsOrder();
  void TakeOrderEnds(std::vector<OrderEffect> ended);
  void SendOrders();
  void Tick();
  std::chrono::milliseconds UntilNextWork() const;

  SharedState& shared_;
  const int index_;
  ThreadStatistics statistics_;
  RequestBatch batch_;
  std::mt19937_64 random_;
  uint64_t settings_version_ = 0;
  std::shared_ptr<const Settings> settings_;
  ThreadServices services_;
  EventLoop loop_;
  std::atomic<uint64_t> assigned_{0};
  bool stopping_ = false;
  std::chrono::nanoseconds next_tick_{0};
  std::chrono::nanoseconds next_retry_{0};

  std::mutex mutex_;  // guards sessions_ and what is in them
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<Session*> turn_;
  bool inside_ = false;       // the keyspace's gate
  bool has_run_ = false;      // a command, in this turn
  bool runs_script_ = false;  // this thread itself; the turn is within that
  std::vector<std::unique_ptr<ClientTransaction>> retired_;
  bool turn_without_log_ = false;
  TurnOrder turn_order_;
  uint64_t order_base_ = 0;  // what the numbers of this thread's orders begin with
  uint64_t last_order_ = 0;
  std::unordered_map<uint64_t, uint64_t> orders_;  // their numbers, and whose they are
  Unblocking unblocking_{*this};
  bool brought_orders_ = false;  // to the executor, in this turn; or a majority has what it brought
  std::vector<OrderEffect> ended_here_;                    // on this thread; for the next turn
  std::vector<std::pair<uint64_t, Order>> unsent_orders_;  // of this turn
  std::vector<uint64_t> more_;                             // have requests for the next turn
  std::vector<uint64_t> paused_;
  std::vector<uint64_t> dead_;
  std::thread thread_;
  std::thread::id id_;  // its; set before it brings an order
};

}  // namespace starling
