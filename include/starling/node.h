/// A starling node inside this process: the door to everything else.
///
///     auto node = starling::Node::Open();
///     if (!node) { std::cerr << node.error().message << '\n'; return 1; }
///     starling::Counter hits = node->GetCounter("hits");
///     hits.Add();
///
/// Thread-safe, but Close, moving and destruction are for one thread. No exceptions are thrown;
/// errors are values. Handles may outlive the node and then answer kClosed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "starling/claims.h"
#include "starling/counter.h"
#include "starling/kv.h"
#include "starling/level.h"
#include "starling/locks.h"
#include "starling/members.h"
#include "starling/options.h"
#include "starling/ordered_counter.h"
#include "starling/result.h"
#include "starling/statistics.h"

namespace starling {

class NodeCore;

class Node {
 public:
  /// Opens the data folder, recovers what it holds and begins to look for the other members; does
  /// not wait for them. Blocks for the recovery (about a second per million keys). Errors (nothing
  /// runs): kInvalidArgument (names the option), kUnavailable (the folder is another process's),
  /// kAlreadyExists (a living node of this name), kRefused (the folder belongs to another name or
  /// user), kCorruption, kIo.
  static Result<Node> Open(const NodeOptions& options = {});

  Node(Node&&) noexcept;
  Node& operator=(Node&&) noexcept;
  /// As Close(), whose outcome is logged.
  ~Node();

  /// The counter kept under the key `name`. Handles of one name share one cell. Looking one up
  /// costs a map access under a lock: keep the handle.
  Counter GetCounter(std::string_view name);
  /// The same key, with additions that are ordered and answered.
  OrderedCounter GetCounter(std::string_view name, const LevelOptions& options) const;
  /// Keys and values, at a level: `kv({.level = Level::kMajority})`.
  Kv kv(const LevelOptions& options = {}) const;
  /// Locks and semaphores that hold in the whole cluster.
  Locks locks() const;
  /// Who was first in the whole cluster.
  Claims claims() const;

  /// Returns once everything this process wrote before the call is in the log, and on stable
  /// storage with Fsync::kAlways; peers are sent it in the same moment. Errors: kUnknownOutcome
  /// (this append failed), kReadOnly (an earlier one did), kClosed.
  Status Sync();

  /// Members that the node knows, itself included; sorted by name. Empty after Close.
  std::vector<Member> Members() const;
  NodeStatistics Statistics() const;
  /// The name under which the cluster knows this node.
  const std::string& name() const;
  /// `host:port` where members reach it.
  const std::string& address() const;

  /// Logs what is pending, hands over to the members what they lack (at most `leave_timeout`), says
  /// goodbye and closes the folder. Waits for calls in progress on other threads. The second call
  /// does nothing. Errors: those of Sync; the node is closed all the same.
  Status Close();

 private:
  explicit Node(std::shared_ptr<NodeCore> core);
  std::shared_ptr<NodeCore> core_;
};

}  // namespace starling
