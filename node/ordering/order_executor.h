/// Runs the orders of other nodes' clients while this node holds the lease.
///
/// One thread takes what has arrived, runs it, commits once for all of it and hands the replies
/// back, so that the costs of a commit are shared as widely as the load allows (as in
/// server/io_thread.h). What a client watches lives here between its WATCH and its EXEC, for as
/// long as the epoch lasts. Thread-safe. Invariants: I7; I9 (requests are bounded by
/// replication/order_book.h, watches here).
#pragma once

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
#include <vector>

#include <spdlog/logger.h>

#include "node/command.h"
#include "node/ordering/order_codec.h"
#include "node/ordering/order_services.h"
#include "node/runtime.h"
#include "replication/order_book.h"

namespace starling {

class OrderExecutor final : private OrderRunner {
 public:
  /// Runs the runtime's orders from now on. What is borrowed outlives it.
  OrderExecutor(Runtime& runtime, const CommandTable& commands, Scripting& scripting,
                std::shared_ptr<spdlog::logger> log);
  ~OrderExecutor() override;

 private:
  using ClientKey = std::pair<PeerProcess, uint64_t>;
  /// A client of another node that watches keys here.
  struct Watcher {
    explicit Watcher(Keyspace& keyspace) : transaction(keyspace) {}
    ClientTransaction transaction;
    uint64_t epoch = 0;
  };
  struct Work {
    PeerProcess peer;
    std::vector<RemoteOrder> orders;
  };
  struct Drop {
    PeerProcess peer;
    std::optional<std::vector<uint64_t>> clients;
  };
  struct Done {
    PeerProcess peer;
    ExecutedOrder order;
    int protocol = 2;
    size_t replies = 0;
  };

  // The gossip thread:
  void Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) override;
  void DropClients(const PeerProcess& peer, const std::vector<uint64_t>& clients) override;
  void DropProcess(const PeerProcess& peer) override;

  // This object's:
  void Serve();
  void ServeAll(std::deque<Work> work);
  Done RunOrder(const PeerProcess& peer, const RemoteOrder& order, uint64_t epoch);
  void RunStep(const ClientKey& key, const OrderStep& step, const DecodedOrder& order,
               CommandContext& context, uint64_t epoch);
  void RunTransaction(const ClientKey& key, const OrderStep& step, uint64_t watch_epoch,
                      CommandContext& context, uint64_t epoch);
  void Watch(const ClientKey& key, Arguments words, CommandContext& context, uint64_t epoch);
  uint64_t LeadsEpoch();
  void DropWatchers(const Drop& drop);
  void HandBack(std::vector<Done> done, const Status& committed);

  Runtime& runtime_;
  const CommandTable& commands_;
  OrderServices services_;
  std::shared_ptr<spdlog::logger> log_;
  std::mt19937_64 random_;
  std::map<ClientKey, Watcher> watchers_;

  std::mutex mutex_;  // guards the three below
  std::condition_variable wake_;
  std::deque<Work> work_;
  std::vector<Drop> drops_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace starling
