/// Figures of one node at one moment. Plain values.
#pragma once

#include <cstdint>
#include <string>

namespace starling {

struct NodeStatistics {
  /// The cluster's id, 16 hexadecimal digits; empty while this node is in none.
  std::string cluster_id;
  uint64_t keys = 0;                ///< Of the node's database.
  uint64_t keys_with_deadline = 0;  ///< Of them, those that expire.
  uint64_t memory_bytes = 0;        ///< Taken by keys, values and indexes.
  uint64_t log_bytes = 0;           ///< Taken by the log on disk (in memory for an ephemeral node).
  uint64_t tombstones = 0;          ///< Deletions remembered for members that have not seen them.
  uint64_t writes = 0;              ///< Since the node was opened.
  uint64_t flushes = 0;             ///< Flushes of in-process writes since then.
  /// Requests of any member's that wait at this node, the leaseholder: for a lock, or for something
  /// to take.
  uint64_t requests_waiting = 0;
  uint64_t counters = 0;  ///< Registered counters.
  /// Counters whose key cannot take their increments now (no integer, or int64 would overflow):
  /// these wait in the counter, and are added once the key can.
  uint64_t counters_blocked = 0;
  /// Sum of |n| of increments that could not even wait.
  uint64_t increments_refused = 0;
  uint64_t members_alive = 0;  ///< This node included.
  uint64_t members = 0;        ///< Those that are not forgotten and have not left.
  /// Wall clock milliseconds of the last checkpoint; 0: none yet.
  int64_t last_checkpoint_millis = 0;
  /// The node stopped writing after its disk refused an append.
  bool read_only = false;
};

}  // namespace starling
