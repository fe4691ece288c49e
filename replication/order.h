/// Clients' requests that run at the leaseholder: values that the host and the machines exchange.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "replication/forwarding_message.h"
#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling {

/// A client's requests on their way to the leaseholder (forwarding.h).
struct Order {
  uint64_t client = 0;  ///< This process's number for it.
  std::string request;  ///< Not empty; only the layer above knows its form.
  /// It writes nothing, so that it may be run again.
  bool repeatable = false;
  /// How long its answer is waited for; none: as long as the leaseholder is there (a client that
  /// blocks).
  std::optional<std::chrono::nanoseconds> timeout;
  /// It may wait for long before it does anything. A leaseholder tells by what stands in its
  /// request whether one before has served it in a way that counts, so that the next may be asked
  /// again; only a leaseholder may.
  bool waits = false;
  bool in_doubt = false;  ///< One that waits: it has been asked for before, in vain.
  /// The number of an order of this process which it concerns: it is not sent before that; 0: none.
  uint64_t behind = 0;
};

/// How an order ended for whoever gave it.
enum class OrderResult : uint8_t {
  kDone,
  kUnordered,  ///< Run, but not while the lease was held: it may miss what others have done.
  kNotRun,     ///< Nowhere, nor will it be: no leaseholder is in reach, or this node leads now.
  kAskHere,    ///< One that waits: this node led or leads; a leaseholder can tell if it was run.
  kUnknown,    ///< It may have been run, and nobody is left to ask.
  kTimedOut,   ///< The leaseholder has not answered in time: it may have run it, or may yet.
};

/// All that an order did stands in the stream of `origin` up to `upto`. None: it was not run, or
/// nobody knows.
struct OrderPosition {
  Origin origin;
  Stamp upto;
};

/// A process of a member.
struct PeerProcess {
  NodeId node;
  uint64_t session = 0;

  friend auto operator<=>(const PeerProcess&, const PeerProcess&) = default;
};

/// An order that a peer wants run here (order_book.h).
struct RemoteOrder {
  uint64_t id = 0;
  uint64_t client = 0;  ///< Of the peer's process.
  std::string request;
};

/// What came of running one.
struct ExecutedOrder {
  uint64_t id = 0;
  OrderOutcome outcome = OrderOutcome::kDone;
  std::string reply;
};

}  // namespace starling
