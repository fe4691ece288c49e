/// Brings clients' requests to the leaseholder and the answers back (DESIGN.md section 6).
///
/// The asking end; order_book.h is the other. An order is sent once, to whoever holds the lease;
/// its answer is given out when this node holds what it tells of. Where no answer comes it is asked
/// for by its id, and where nobody is left to ask its outcome is unknown: what may have been run is
/// never run elsewhere (COUNTEREXAMPLES 2), unless it only reads. An order that is known not to
/// have been run goes to the next leaseholder; so does one that waits, whatever came of it: that
/// one knows it again where a majority holds what was done for it. What was done for one at level
/// `leased` may be hidden with the leaseholder that was lost.
///
/// Messages may be lost, doubled or late. A state machine without I/O; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "replication/order.h"
#include "replication/peer_sender.h"
#include "storage/store.h"

namespace starling {

class OrderTaker {
 public:
  virtual ~OrderTaker() = default;
  /// The end of an order given by Submit.
  /// `text`: the reply, or where the order was not run, or is to be asked for here, its request.
  virtual void Deliver(uint64_t order, OrderResult result, std::string text,
                       const OrderPosition& position) = 0;
};

/// What no order is run twice by, nor after its end was told. Tests leave one out and must see it.
struct ForwardingRules {
  bool lost_orders_are_unknown = true;  ///< Counterexample 2: not run elsewhere.
  bool doubles_are_recognised = true;   ///< By their ids, at the running end.
  bool refusals_are_remembered = true;  ///< A late double of what was refused is not run.
  /// A process is asked only for what it was given itself, and does not take what it does not know
  /// for what was never run.
  bool processes_are_told_apart = true;
  bool lost_waits_are_unknown = true;  ///< They are asked again, but not given back as never run.
};

class Forwarding {
 public:
  Forwarding(Store& store, PeerSender& sender, OrderTaker& taker, ForwardingRules rules = {})
      : store_(store), sender_(sender), taker_(taker), rules_(rules) {}

  /// Takes orders, each under a number of the caller's that is never used twice.
  void Submit(std::vector<std::pair<uint64_t, Order>> orders, Instant now);
  /// The client has gone: nobody waits for what it ordered.
  void OnClientGone(uint64_t client);
  /// Whether no leaseholder has been in reach for as long as orders wait for one: who asks runs
  /// its commands by itself at once.
  bool OutOfReach(Instant now) const;

  /// The leaseholder as far as is known: none, this node, or a peer.
  void SetHolder(std::optional<NodeId> holder, Instant now);
  /// The link to a member's process stands.
  void OnPeer(NodeId peer, uint64_t session, Instant now);
  void OnPeerLost(NodeId peer, Instant now);
  /// Something has come from a peer.
  void OnHeard(NodeId peer, Instant now);
  /// The process of this session is no more: it will not tell what came of its orders.
  void OnProcessEnded(uint64_t session, Instant now);
  void OnAnswers(NodeId from, const Answers& answers, Instant now);
  /// More is held than before: answers may have been waiting for it.
  void OnProgress(Instant now);
  void OnTick(Instant now);
  Instant NextTimer() const;

 private:
  struct Answered {
    OrderResult result = OrderResult::kDone;
    std::string reply;
    Origin origin;
    Stamp upto;
    Instant at{};
  };
  /// Where an order was sent, and under which id.
  struct Sent {
    NodeId to;
    uint64_t session = 0;  // of that node's process
    uint64_t id = 0;
    Instant at{};  // or asked for last
  };
  struct Outgoing {
    Order order;
    Instant submitted{};
    Instant not_before{};  // refused: when to try again
    std::optional<Sent> sent;
    std::optional<Answered> answered;
    uint64_t forgotten_by = 0;  // the session of who last said that it was
  };
  struct Peer {
    bool linked = false;
    uint64_t session = 0;
    Instant lost{};
    bool ended = false;  // for certain; else it may come back
    Instant heard{};     // last
    Instant led{};       // last heard of as the leaseholder
  };

  /// Sends what waits for a leaseholder, if there is one.
  void Route(Instant now);
  /// Looks at all orders: ends those that will not be answered, routes the rest.
  void Review(Instant now);
  /// How an order has ended; nullopt: it goes on. One that may be run again is unsent where it
  /// will not be answered.
  std::optional<OrderResult> Judge(uint64_t number, Outgoing& outgoing, Instant now);
  bool MayAnswer(const Outgoing& outgoing, Instant now) const;
  bool IsLate(const Outgoing& outgoing, Instant now) const;
  bool Holds(const Answered& answered) const;
  /// Asks for what was sent and not answered for a while.
  void AskAgain(Instant now);
  void Unsend(uint64_t number, Outgoing& outgoing);
  void Finish(uint64_t number, OrderResult result);
  uint64_t DoneBelow() const { return ids_.empty() ? next_id_ : ids_.begin()->first; }

  Store& store_;
  PeerSender& sender_;
  OrderTaker& taker_;
  const ForwardingRules rules_;

  std::map<NodeId, Peer> peers_;
  std::optional<NodeId> holder_;
  Instant holder_since_{};
  /// Since when, where there is none: nobody waits for a first one, which may never come.
  Instant without_holder_ = -std::chrono::hours(1);
  bool lost_holder_passed_ = true;  // a tick has seen it out of reach

  std::map<uint64_t, Outgoing> outgoing_;  // by number
  std::set<uint64_t> unsent_;              // numbers
  std::map<uint64_t, uint64_t> ids_;       // of those sent and not answered: their numbers
  std::set<uint64_t> answered_;            // numbers; what they tell of is not held yet
  uint64_t next_id_ = 1;
  Instant next_look_{};
};

}  // namespace starling
