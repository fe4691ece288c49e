/// The running end of forwarding (forwarding.h): each order of a peer is run once.
///
/// What came of an order is remembered until the peer says that it has the answer, or until there
/// is no room for it: then it is remembered that it was run (I13). An empty request only asks;
/// where its order is not known here, it is refused for ever, so that a late one does no harm
/// (COUNTEREXAMPLES 2). A state machine without I/O; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "replication/forwarding.h"
#include "replication/order.h"
#include "replication/peer_sender.h"
#include "storage/store.h"

namespace starling {

class OrderRunner {
 public:
  virtual ~OrderRunner() = default;
  /// Runs these, each client's in order; their outcome comes back by OnExecuted.
  virtual void Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) = 0;
  /// These clients of a process have gone.
  virtual void DropClients(const PeerProcess& peer, const std::vector<uint64_t>& clients) = 0;
  /// The process has gone, or was away for too long.
  virtual void DropProcess(const PeerProcess& peer) = 0;
};

class OrderBook {
 public:
  OrderBook(Store& store, PeerSender& sender, OrderRunner& runner, ForwardingRules rules = {})
      : store_(store), sender_(sender), runner_(runner), rules_(rules) {}

  void OnPeer(const PeerProcess& peer);
  void OnPeerLost(NodeId peer, Instant now);
  /// The process has ended: nobody waits for what it asked for, and what waits for it goes.
  void OnProcessEnded(uint64_t session);
  /// `leading`: orders that arrive now are run; else they are refused.
  void OnOrders(const PeerProcess& from, const Orders& orders, bool leading);
  void OnClientsGone(const PeerProcess& from, const ClientsGone& gone);
  /// `upto`: of the own stream, which holds all that they did.
  void OnExecuted(const PeerProcess& peer, std::vector<ExecutedOrder> executed, Stamp upto);
  void OnTick(Instant now);
  Instant NextTimer() const;

 private:
  struct Entry {
    bool running = true;
    OrderOutcome outcome = OrderOutcome::kDone;
    std::string reply;
    Origin origin;
    Stamp upto;
    size_t bytes = 0;  // counted: of its request while it runs, then of its reply
  };
  struct Asker {
    uint64_t session = 0;
    uint64_t known_from = 0;  // what came of smaller ids is not known
    uint64_t done_below = 0;  // nobody waits for smaller ids
    std::map<uint64_t, Entry> entries;
    size_t bytes = 0;
    bool linked = false;
    Instant lost{};
  };

  void Forget(NodeId peer, const Asker& asker);
  void DropDone(Asker& asker);
  void Conclude(Asker& asker, Entry& entry, OrderOutcome outcome, std::string reply, Stamp upto);
  void SendAnswers(NodeId to, const Asker& asker, const std::vector<uint64_t>& ids);

  Store& store_;
  PeerSender& sender_;
  OrderRunner& runner_;
  const ForwardingRules rules_;
  std::map<NodeId, Asker> askers_;
};

}  // namespace starling
