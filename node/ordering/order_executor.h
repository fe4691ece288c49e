/// Runs orders: those of other nodes' clients while this node holds the lease, and those of its own
/// that may have to wait, and all scripts.
///
/// One thread at a time serves: it takes what has arrived, runs it, commits once for all of it and
/// hands the replies back, so that the costs of a commit are shared as widely as the load allows
/// (as in server/io_thread.h). That is this object's own thread; where little has arrived and it
/// sleeps, the thread that brings an order may serve instead (RunHere), since two changes of
/// threads cost more than most orders. What a client of another node watches lives here between its
/// WATCH and its EXEC, for as long as the epoch lasts; who waits for a key waits here. When the
/// lease ends, those who wait are given back unrun, and wait at the next leaseholder. While a
/// script runs, the keyspace's gate is closed (keyspace_gate.h); orders that come while it runs for
/// too long are answered at once that the node is busy.
///
/// Thread-safe. Invariants: I7; I9 (requests are bounded by replication/order_book.h and by their
/// clients' limits, watches here).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <spdlog/logger.h>

#include "node/claim_desk.h"
#include "node/command.h"
#include "node/keyspace_gate.h"
#include "node/lease_watch.h"
#include "node/ordering/blocked_orders.h"
#include "node/ordering/claim_decider.h"
#include "node/ordering/claim_patterns.h"
#include "node/ordering/order_codec.h"
#include "node/ordering/order_services.h"
#include "node/runtime.h"
#include "replication/order_book.h"
#include "storage/records.h"

namespace starling {

class OrderExecutor final : private OrderRunner {
 public:
  /// Runs the runtime's orders from now on. What is borrowed outlives it.
  OrderExecutor(Runtime& runtime, const CommandTable& commands, Scripting& scripting,
                std::shared_ptr<spdlog::logger> log, ClaimPatterns patterns = {});
  ~OrderExecutor() override;

  // --- orders of this node's own clients ---
  using Sink = std::function<void(std::vector<OrderEffect> ended)>;
  /// Where the ends of orders go whose numbers begin as `base` does (Runtime::AddOrderSink); called
  /// on the thread that serves, must not block. Before the first of them. `serve`, where there is
  /// one, has the thread that brings them call RunHere: it is called, on any thread, where nobody
  /// else waits for what a majority holds now; must not block.
  void SetSink(uint64_t base, Sink sink, std::function<void()> serve = {});
  struct OwnOrder {
    uint64_t number = 0;
    Order order;
    /// In which this node leads, as the client was told; where that has ended the order comes back
    /// unrun. 0: the order is of no lease.
    uint64_t epoch = 0;
    /// It ought to be of one, but no leaseholder is in reach: what needs a majority is refused.
    bool without_lease = false;
    std::unique_ptr<ClientTransaction> watched{};  ///< By its transaction; null: nothing.
    VersionVector written{};  ///< WAIT: up to where its client's writes stand, by their streams.
  };
  /// `here`: this thread is going to call RunHere.
  void RunOwn(OwnOrder order, bool here = false);
  /// Serves what has arrived on the calling thread, if it is little and no other thread serves: its
  /// sinks may be called before this returns. The caller is not inside the keyspace's gate and
  /// holds no lock. `meanwhile` is called again and again where a script runs for so long that
  /// others are told that the node is busy; it must not call this object's RunHere.
  void RunHere(const std::function<void()>& meanwhile);
  void DropOwnClient(uint64_t client);
  /// Which keys become claims where this node decides.
  const ClaimPatterns& claim_patterns() const { return patterns_; }
  /// How many orders wait here: for a key, or for members. As of the last round.
  size_t waiting() const { return waiting_count_.load(std::memory_order_relaxed); }
  /// How often a majority was asked whether it holds what orders wrote: many may share a round.
  uint64_t majority_rounds() const { return majority_rounds_.load(std::memory_order_relaxed); }

 private:
  using ClientKey = std::pair<PeerProcess, uint64_t>;
  /// A client of another node that watches keys here.
  struct Watcher {
    explicit Watcher(Keyspace& keyspace) : transaction(keyspace) {}
    ClientTransaction transaction;
    uint64_t epoch = 0;
  };
  /// An order that has arrived. It runs step by step: what needs a majority goes on when it has
  /// one.
  struct Running {
    PeerProcess peer;  // none: an own client's
    uint64_t id = 0;   // the peer's, or the number
    ClientKey client;
    std::string request;
    DecodedOrder decoded;  // borrows from the request
    ClientState state;
    uint64_t epoch = 0;                          // own: in which it may run
    bool without_lease = false;                  // own
    std::unique_ptr<ClientTransaction> watched;  // own
    size_t next = 0;                             // of its steps
    std::string replies;
    /// Since when it waits for a majority; none: it does not, or that is not asked for yet.
    std::optional<std::chrono::nanoseconds> begun;
    Stamp records_upto;       // its last record; none: it has written none
    size_t open_step = 0;     // the first whose record was not decided when its last was written
    size_t open_replies = 0;  // bytes of replies before that
    std::vector<RecordId> open_records{};  // from there on
    std::optional<KeyRef> met;             // what held it back, without its name
    bool saw_claim = false;                // it is told nothing that others may deny
    bool in_doubt = false;                 // whether an earlier leaseholder has served it
    bool decided = false;                  // a majority holds all that it wrote
    BlockRequest block;                    // what it waits for
    std::optional<std::chrono::nanoseconds> until;
    VersionVector written;  // own: WAIT

    /// Whether it is of the epoch before this one, so that nobody else has led since.
    bool OfEpochBefore(uint64_t led) const { return epoch != 0 && epoch + 1 == led; }
  };
  struct Drop {
    PeerProcess peer;
    std::optional<std::vector<uint64_t>> clients;
  };
  struct Done {
    bool own = false;
    PeerProcess peer;
    ExecutedOrder order;
    int protocol = 2;
    size_t head_bytes = 0;
    size_t replies = 0;
    std::string request;
    uint64_t epoch = 0;
    bool saw_claim = false;
    bool decided = false;
  };
  using RunningPtr = std::unique_ptr<Running>;
  enum class Progress : uint8_t {
    kDone,
    kWaits,     ///< For keys, or for holders: `block` says for what. Nothing was done.
    kHeldBack,  ///< Something it met has to be decided first. This step has done nothing.
    kPending,   ///< A majority has to hold what it wrote.
  };

  // The gossip thread:
  void Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) override;
  void DropClients(const PeerProcess& peer, const std::vector<uint64_t>& clients) override;
  void DropProcess(const PeerProcess& peer) override;

  // Any thread:
  void Push(std::vector<RunningPtr> orders, bool here = false);
  void Push(Drop drop);
  void Wake(bool& reason);
  /// The same for whoever waits for it.
  void OnMajority();
  uint64_t LeadsEpoch();
  std::chrono::nanoseconds Now();

  // This object's thread:
  void Serve();
  /// A round as soon as no other thread serves: that may be so when this one has just begun, too.
  void OwnRound(std::unique_lock<std::mutex>& lock);

  /// Whether something is to be done before this object's thread would wake.
  bool TimerIsSooner() const {
    return next_timer_ && (!sleeps_until_ || *next_timer_ < *sleeps_until_);
  }

  // Whichever serves:
  /// One round: all that has arrived. `lock` holds the mutex, and is let go meanwhile.
  void Round(std::unique_lock<std::mutex>& lock);
  bool Awaited() const {
    return touched_ || lease_changed_ || majority_advanced_ || !arrived_.empty();
  }
  std::optional<std::chrono::nanoseconds> NextTimer() const;
  /// Whose few orders are all that waits for a majority: the first bits of their numbers.
  std::optional<uint64_t> OneWhoAwaitsMajority() const;
  void Apply(const Drop& drop);
  void Begin(RunningPtr order);
  /// Reads the request; false: it has ended.
  bool Prepare(Running& order);
  /// Called by a script that runs: answers what has arrived, if it runs for too long.
  void WhileScriptRuns();
  void AnswerBusy(Running& order, const OrderStep& step);
  ClaimDesk::Kind ClaimsOf(const Running& order) const;
  Progress RunSteps(Running& order, BlockRequest& block);
  /// One that is asked again: what an earlier leaseholder has done for it, perhaps this node in an
  /// earlier epoch. nullopt: nothing that counts.
  std::optional<Progress> FindEarlier(Running& order);
  /// CLIENT UNBLOCK, from where the client is connected (server/unblocking.h): answers 1, or nil
  /// where that client does not wait here. nullopt: it is something else.
  std::optional<Progress> UnblockClient(Running& order);
  /// Runs it on, and puts it where it has to wait.
  void Continue(RunningPtr order);
  struct ResolvedStep {
    const OrderStep& step;
    CommandTable::Resolved resolved;  // of a single command
    bool script = false;              // some of it is one
  };
  ResolvedStep Resolve(const OrderStep& step) const;
  void RunStep(Running& order, const ResolvedStep& step, CommandContext& context);
  /// The same by a majority, where the step needs one. False: it has to wait, and has done nothing.
  bool RunDecided(Running& order, const ResolvedStep& step, CommandContext& context);
  void RunTransaction(Running& order, const OrderStep& step, CommandContext& context);

  // Claims (order_claims.cc):
  /// Decides what a majority holds, and finishes the orders that waited for it.
  void DecideHeld();
  /// Orders of the epoch before, where that was this node's too, and what it left is decided.
  void CarryOver();
  enum class Carried : uint8_t { kCounts, kVoid, kLost };
  /// What became of what the order wrote. kVoid: nothing, and it is wound back to before that.
  Carried CarryOver(Running& order);
  /// The same for what earlier epochs left.
  void DecideEarlier();
  /// Runs on, first come first, those that were held back.
  void RetryHeldBack(bool lease_changed);
  void AddPending(RunningPtr order);
  /// Answers those that have waited for a majority for too long; their records stay undecided.
  void EndLate(std::chrono::nanoseconds now);
  void EndLate(Running& order);
  /// How long an order waits for a majority to hold what it wrote, and how long it may be held back
  /// while nothing is decided: less than its client waits for the leaseholder.
  static constexpr std::chrono::seconds kMajorityWait{4};
  /// Has the members take what was written, and asks for a majority of them.
  void AskMajority();
  /// The same, and waits for the own disk where it has to sync: the time of those who wait for a
  /// majority begins.
  void AwaitMajority();
  void Watch(Running& order, Arguments words, CommandContext& context);
  void Block(RunningPtr order, BlockRequest request);
  /// Tries those again whose keys have changed since the last call.
  void ServeTouched();
  /// Tries a waiting order again; true: it is done.
  bool Retry(uint64_t sequence);
  /// Where a step deletes a key under which somebody waits for a lock: has the one who has waited
  /// longest take it in the same record, so that one majority is asked for both. Returns the
  /// sequence of who took it, and its reply is there; 0: nobody.
  uint64_t HandOver(const Running& order, const OrderStep& step);
  /// Runs what it waits for, of that key alone, in the speculation under way.
  void TakeLock(Running& next, std::string_view name);
  /// Who was handed a lock waits for the record like who let it go.
  void AwaitHandedOver(uint64_t sequence, const Records::Written& written);
  /// Of the keys that it waits for, the first that has what it wants.
  std::optional<std::string_view> FindReady(const Running& order);
  void EndWaits(std::chrono::nanoseconds now);
  /// Its time is up, or `error`, which is not empty, ends it.
  void EndWait(uint64_t sequence, std::string_view error);
  void EndWaitsForHolders(std::chrono::nanoseconds now);
  /// The lease has ended: who waits under it waits elsewhere.
  void GiveBackWaiting();
  void Finish(Running& order, OrderOutcome outcome);
  /// Whether the request writes nothing, and leaves nothing here, so that it may run again.
  bool OnlyReads(const std::string& request) const;
  void HandBack();
  /// `committed`: whether the log has what they did.
  void Deliver(std::vector<Done> done, const Status& committed);

  Runtime& runtime_;
  const CommandTable& commands_;
  KeyspaceGate& gate_;
  const ClaimPatterns patterns_;
  OrderServices services_;
  std::shared_ptr<spdlog::logger> log_;
  std::mt19937_64 random_;
  std::map<ClientKey, Watcher> watchers_;
  uint64_t last_sequence_ = 0;
  std::map<uint64_t, RunningPtr> waiting_;  // by their sequence
  BlockedOrders blocked_;                   // those of them that wait for keys
  std::deque<RunningPtr> held_back_;        // first come first
  std::vector<RunningPtr> pending_;         // a majority has to hold what they wrote
  ClaimDecider claims_;
  uint64_t decisions_ = 0;                 // Records::decisions when last looked at
  bool decided_ = false;                   // they have risen in this round
  std::chrono::nanoseconds decided_at_{};  // the end of the round in which they last did
  std::vector<Done> done_;                 // of this round
  std::optional<Stamp> unsynced_;          // asked for in this round, and not held here yet
  LeaseWatch::Subscription subscription_ = 0;
  LeaseWatch::Subscription majority_subscription_ = 0;

  const std::function<void()>* meanwhile_ = nullptr;  // of RunHere

  std::mutex mutex_;              // guards what follows
  std::condition_variable wake_;  // for this object's thread alone
  bool serving_ = false;          // some thread does: what is above is its own
  bool wants_to_serve_ = false;   // this object's thread, while another does
  std::optional<std::chrono::nanoseconds> next_timer_;    // as of the last round
  std::optional<std::chrono::nanoseconds> sleeps_until_;  // this object's thread; none: for ever
  std::deque<std::variant<RunningPtr, Drop>> arrived_;    // in the order of their arrival
  struct OrderSink {
    Sink end;
    std::function<void()> serve;  // perhaps none
  };
  std::map<uint64_t, OrderSink> sinks_;      // by the first bits of their numbers
  std::optional<uint64_t> awaits_majority_;  // as of the last round: one of them, alone
  bool touched_ = false;                     // a key that somebody waits for has changed
  bool lease_changed_ = false;
  bool majority_advanced_ = false;
  bool stop_ = false;
  std::atomic<size_t> waiting_count_{0};
  std::atomic<uint64_t> majority_rounds_{0};
  std::thread thread_;
};

}  // namespace starling
