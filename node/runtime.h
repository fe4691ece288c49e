/// The running node: a store, its replication and its upkeep, with the threads that drive them.
///
/// One thread carries the replication engine and its sockets, one does the background work (expiry,
/// freeing, checkpoints), one flushes what in-process callers wrote; all three sleep while there is
/// nothing to do. Own batches reach the replication thread by one queue, which is woken once per
/// burst. Thread-safe, but Leave and Close are for one caller at a time and end it: after Close
/// only `options()` and destruction are allowed. Invariants: nothing leaves the node before the
/// journal has it (I7); every queue has a maximum (I9).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/logger.h>

#include "node/lease_watch.h"
#include "replication/replicator.h"
#include "starling/result.h"
#include "storage/journal.h"
#include "storage/store.h"

namespace starling {

class KeyspaceGate;
class OrderRunner;

/// The bits of an order's number from here up say whose sink hears of its end.
inline constexpr int kOrderSinkShift = 48;

struct RuntimeOptions {
  /// The member's name, unique in the cluster; fixes its id. Letters, digits, `.`, `_`, `-`; at
  /// most 128.
  std::string name;
  /// Clusters of different names never meet. Same characters as `name`.
  std::string cluster = "starling";
  /// Data folder. Empty: RocksDB's in-memory environment, all state ends with the process.
  std::string folder;
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  /// Address to listen on and to dial from. Others reach what it names; widening it opens the
  /// gossip port to the network, so a secret belongs with it.
  std::string bind = "127.0.0.1";
  /// What other members dial, without a port. Empty: `bind`, or this host's first address where
  /// `bind` is the any-address.
  std::string advertise;
  /// 0 takes a free port.
  uint16_t gossip_port = 0;
  /// Seeds, `host:port`; names are resolved again every `resolve_interval`. With seeds the meeting
  /// folder is not used: it neither finds nor creates.
  std::vector<std::string> join;
  /// Members that must meet before a seed-listed cluster is created. 0: as many as `join` names.
  int expect = 0;
  /// Who votes in a cluster that is created now: the names of 1, 3 or 5 members. Empty: with seeds
  /// the 1, 3 or 5 smallest names, else the meeting folder. A cluster that exists keeps its own.
  std::vector<std::string> voters;
  /// Whether processes of this host meet in a shared folder.
  bool meeting_folder = true;
  /// Folder that holds the meeting folders of all clusters. Empty: `$XDG_RUNTIME_DIR/starling`,
  /// else
  /// `/tmp/starling-<uid>`.
  std::string meeting_folder_path;
  /// How long a member may be away before it is ended. Shorter: less memory for its sake; longer:
  /// it returns more cheaply.
  std::chrono::milliseconds forget_after{std::chrono::hours(24)};
  /// How far a clock may be ahead of the members' median.
  std::chrono::milliseconds max_clock_skew{500};
  /// Members prove that they know it; empty: none needed.
  std::string secret;
  /// At most this long after an in-process write it is in the log and on its way. Longer: fewer,
  /// larger batches; shorter: sooner visible. At least 100 microseconds.
  std::chrono::microseconds flush_interval{1000};
  /// How often names in `join` are resolved again.
  std::chrono::milliseconds resolve_interval{10'000};
  /// The folder was made from a backup: begin a new incarnation.
  bool restored = false;
  /// See StoreOptions.
  uint64_t checkpoint_log_bytes = 128 << 20;
  /// See KeyspaceOptions.
  int shards = 16;
  /// A cluster that this node was in before its folder knew: used where the meeting folder holds
  /// none yet, so that siblings that start together after a reboot do not create a second one.
  std::optional<ClusterRecord> known_cluster;
};

/// Hears of members and clusters; called on the replication thread: must not block nor call back.
using EventListener = std::function<void(const EventEffect& event)>;

class Runtime {
 public:
  /// Opens the store, listens, starts the threads and begins to look for the cluster; does not wait
  /// for others. Errors (nothing runs): kInvalidArgument (names the option), kAlreadyExists (a
  /// living node of this name), kRefused (meeting folder of another user, folder of another name),
  /// and the store's.
  static Result<std::unique_ptr<Runtime>> Start(const RuntimeOptions& options,
                                                std::shared_ptr<spdlog::logger> log,
                                                EventListener listener = {});
  /// Closes where Close has not been called.
  ~Runtime();

  Store& store();
  const RuntimeOptions& options() const;
  /// Where members reach this node.
  uint16_t gossip_port() const;
  const Address& address() const;

  /// Says that an in-process caller has written: commits within `flush_interval`. Costs one atomic
  /// load while a flush is due already.
  void FlushSoon();
  /// The same after a write of `bytes`; and where more is unlogged than the flusher keeps up with,
  /// the caller commits it itself, so that what is unlogged stays bounded (I9).
  void FlushSoon(size_t bytes);
  /// Flushes of in-process writes so far.
  uint64_t flushes() const;
  /// What a flush calls first, on the flushing thread: collects writes that are not in the keyspace
  /// yet. Set once, before the first FlushSoon.
  void SetCollector(std::function<void()> collect);

  // --- cluster; each asks the replication thread and waits for it (microseconds) ---
  std::vector<MemberInfo> Members();
  std::optional<ClusterRecord> Cluster();
  /// Members, this one included, that are known to hold all of `positions`, for each of them: WAIT.
  std::vector<int> HoldersOf(const std::vector<VersionVector>& positions);
  /// What others hold of others' streams is known up to a second late: asks them, at most every
  /// limits::kAskHoldings. Returns at once.
  void AskHoldings();
  /// See Replicator::Forget.
  Status Forget(const std::vector<std::string>& names);
  /// Looks for members there too. Returns before any is found. Errors: kInvalidArgument (names the
  /// address; nothing changed).
  Status Join(const std::vector<std::string>& addresses);

  /// See Replicator::ChangeVoters.
  Result<std::string> ChangeVoters(const VoterRequest& request);

  /// Whoever works on the keyspace while others wait for it enters here; scripts close it.
  KeyspaceGate& gate();

  // --- the lease (lease_watch.h) ---
  LeaseWatch& lease();
  /// Asks the replication thread and waits for it.
  LeaseInfo Lease();
  /// Wants to hear, by lease(), when a majority holds the own stream up to `upto`, which is in the
  /// log, acknowledged in `epoch`. Returns at once. If the epoch ends, lease() says that instead.
  void AwaitMajority(uint64_t epoch, Stamp upto);
  // --- order (replication/forwarding.h) ---
  /// Whether no leaseholder is in reach, nor likely to be soon. Costs an atomic load.
  bool OutOfReach() const;
  /// Where the ends of orders go, on the replication thread: must not block. Returns what the
  /// numbers of these orders begin with: add to it from 1 on. Lives as long as the runtime.
  uint64_t AddOrderSink(std::function<void(std::vector<OrderEffect>)> sink);
  /// Has orders run at the leaseholder; the sink hears of each end.
  void Submit(std::vector<std::pair<uint64_t, Order>> orders);
  /// A client that gave orders has gone.
  void ClientGone(uint64_t client);
  /// Who runs other nodes' orders; null: nobody. Once it returns, the earlier one is called no
  /// more.
  void SetOrderRunner(OrderRunner* runner);
  void OnExecuted(const PeerProcess& peer, std::vector<ExecutedOrder> executed, Stamp upto);

  // --- disk ---
  /// A verified copy in `folder`, which must not exist. Blocks. Errors: kAlreadyExists, kIo.
  Status Backup(const std::string& folder);
  /// Begins a checkpoint on the background thread. kUnavailable when one is running.
  Status StartCheckpoint();
  /// Whether a checkpoint asked for by StartCheckpoint has not ended yet.
  bool checkpoint_running() const;
  /// Outcome of the last finished one.
  Status last_checkpoint() const;

  // --- the end ---
  /// Hands over what others lack and tells them; waits at most `timeout`. kUnavailable when time
  /// ran out: the others will find out by themselves. Close comes next either way.
  Status Leave(std::chrono::milliseconds timeout);
  /// Stops the threads, closes the sockets, commits and closes the store. The second call does
  /// nothing.
  Status Close();

 private:
  class Impl;
  explicit Runtime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace starling
