/// Ending the streams of a member's earlier incarnations, so that restarts leave no trace (I9).
///
/// A node that could not prove that it holds all it ever sent goes on as a new incarnation; nothing
/// will be added to the streams before it. Once every member has reported to it, over its present
/// link and under this very member list, that it holds exactly what the node itself holds of them,
/// the node writes `over/<name>` into the list: these streams are over, and here are their ends.
/// Whoever holds them so far marks them in its vector, where one entry stands for them all from
/// then on; the log drops them, and slots of theirs may be folded into one (Store::MarkOver,
/// register.h).
///
/// Members that are away keep it waiting, and nothing else waits for it. Streams of forgotten
/// members stay as they are: one that returns must find its counters' nets as they were at its end.
/// A plain computation; not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include <spdlog/logger.h>

#include "replication/member_list.h"
#include "storage/store.h"

namespace starling {

class Ending {
 public:
  Ending(Store& store, MemberList& list, std::shared_ptr<spdlog::logger> log)
      : store_(store), list_(list), log_(std::move(log)) {}

  /// Writes that own earlier streams are over if there are any and `others`, the newest report of
  /// each other member, agree with what this node holds of them. Returns whether it was written:
  /// refresh the list.
  bool Write(const std::vector<const VersionVector*>& others);
  /// Marks what the list has as over and this node holds so far. False where it holds streams of
  /// others beyond their ends: only a disk that lost what it had reported, while its last messages
  /// were still on the way, can bring that about; the cluster's whole state mends it (joining.h).
  bool Mark();

 private:
  Store& store_;
  MemberList& list_;
  std::shared_ptr<spdlog::logger> log_;
};

}  // namespace starling
