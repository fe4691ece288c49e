/// Entering a cluster that exists: the whole state first, own writes after it (DESIGN.md section
/// 3).
///
/// A joiner, and a forgotten member that returns, take a member's whole state in one step, take out
/// what they wrote beyond what the cluster accepts, begin a new incarnation, and write that again
/// with stamps after the state (COUNTEREXAMPLES 16, 18, 27). Only then is the cluster's record
/// persisted and their beginning asked for. Not thread-safe.
///
/// A crash in the middle leaves the node outside, and it starts over; writes that it alone held and
/// had taken out but not yet written again are lost then.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <spdlog/logger.h>

#include "replication/member_list.h"
#include "replication/walk_receiver.h"
#include "storage/store.h"

namespace starling {

/// Names of what the replicator persists by Store::PutRecord.
namespace record_names {
inline constexpr const char* kCluster = "cluster";
inline constexpr const char* kProposal = "cluster-proposal";
inline constexpr const char* kCaps = "capped-streams";
inline constexpr const char* kStopped = "stopped-members";
inline constexpr const char* kAddresses = "addresses";
}  // namespace record_names

class Joining {
 public:
  Joining(Store& store, MemberList& list, std::shared_ptr<spdlog::logger> log)
      : store_(store), list_(list), log_(std::move(log)) {}

  /// Reads back where own earlier streams are capped. Errors: the store's, kCorruption.
  Status Load();

  /// The cluster to enter; while one is set, its whole state is wanted.
  void Want(const ClusterRecord& record) { target_ = record; }
  void Abandon() { target_.reset(); }
  const std::optional<ClusterRecord>& target() const { return target_; }

  /// Takes the state and enters: afterwards the record is persisted and the target cleared. Errors:
  /// the store's (up to the step that failed; the target stays, and the next walk starts over).
  Status Complete(const WalkReceiver::Taken& taken);

 private:
  Status Cap(const std::map<Origin, Stamp>& caps);

  Store& store_;
  MemberList& list_;
  std::shared_ptr<spdlog::logger> log_;
  std::optional<ClusterRecord> target_;
};

}  // namespace starling
