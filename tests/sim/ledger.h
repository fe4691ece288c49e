/// What simulated clients were told: every operation, and whether the cluster still owes it.
///
/// An operation is acknowledged once Journal::Commit has returned on its node. From then on it is
/// certain, until every disk and process that held it has lost it (a power loss without
/// `appendfsync always`, an emptied disk): then it may count or not, the same everywhere. An
/// operation that was never acknowledged has an unknown outcome from the start. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "replication/member_list.h"
#include "storage/version_vector.h"

namespace starling::sim {

using OperationId = size_t;

class Ledger {
 public:
  struct Operation {
    int node = 0;
    uint64_t life = 0;  ///< Which run of the node's process it ran in.
    bool acknowledged = false;
    bool certain = false;  ///< Acknowledged and not lost since.
    Origin origin;         ///< Once acknowledged: the stream that holds it...
    Stamp upto;            ///< ...and up to where one must hold that to hold the operation.
    VersionVector seen;    ///< What the node held when it ran.
  };

  OperationId Begin(int node, uint64_t life, VersionVector seen);
  void Acknowledge(OperationId id, const Origin& origin, Stamp upto);
  /// A member was forgotten: its streams ended like this.
  void Forgotten(NodeId node, const MemberList::End& end);
  /// It has entered again, and writes as `present` from now on.
  void Returned(const Origin& present);
  /// Whether it lies beyond such an end: its author writes it again when it returns, and who had
  /// seen it before had not seen what comes then.
  bool WrittenAgain(const Operation& operation) const;
  bool WrittenAgain(OperationId id) const { return WrittenAgain(operations_[id]); }
  /// Whether such a one is taken out where `node` enters: all are but its own that it writes again,
  /// those that stood when it did.
  bool TakenOut(OperationId id, int node) const;
  /// A member that was forgotten meanwhile does not write this again (Reissue: a FLUSHDB).
  void NotRepeated(OperationId id) { not_repeated_.insert(id); }
  /// Whether who holds `held` holds the operation. A stream that is over is held as far as anybody
  /// held it when it ended: what was lost before is not in it.
  static bool Holds(const VersionVector& held, const Operation& operation);
  /// Somebody may have lost something: whatever none of `held` covers is no longer certain.
  void Lost(const std::vector<VersionVector>& held);
  /// Of streams that `held` has as over, what is not repeated may count or not.
  void Ended(const VersionVector& held);

  const Operation& operator[](OperationId id) const { return operations_[id]; }
  bool certain(OperationId id) const { return operations_[id].certain; }
  /// Whether `later` ran where `earlier` had been seen; false where that is not known.
  bool Saw(OperationId later, OperationId earlier) const;
  size_t size() const { return operations_.size(); }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t lost() const { return lost_; }
  void ForEach(const std::function<void(const Operation&)>& visit) const;

 private:
  std::vector<Operation> operations_;
  std::set<OperationId> not_repeated_;
  struct End {
    uint64_t incarnation = 0;
    uint64_t last = 0;  // incarnation: what it wrote outside as later ones has ended, too
    VersionVector streams;
    bool returned = false;
  };
  std::map<NodeId, std::vector<End>> ends_;  // in order
  uint64_t acknowledged_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace starling::sim
