/// What a leaseholder writes down as its epoch begins (DESIGN.md section 6): who has the epoch, and
/// what it held then. Claims of earlier epochs outside that vector are void.
///
/// The records stand in the cluster's own database as one hash, an element an epoch, so that they
/// replicate, persist and merge as every key does; the last `kEpochsKept` are kept.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "storage/keyspace.h"
#include "storage/version_vector.h"

namespace starling {

struct EpochRecord {
  std::string holder;    ///< The node's name.
  VersionVector vector;  ///< What it held, and might tell, before this record.

  friend bool operator==(const EpochRecord&, const EpochRecord&) = default;
};

using EpochRecords = std::map<uint64_t, EpochRecord>;

inline constexpr uint64_t kEpochsKept = 64;

/// Writes the record of `epoch` and removes those that are too old; the caller commits the journal.
/// Locks the keyspace.
void WriteEpochRecord(Keyspace& keyspace, uint64_t epoch, const EpochRecord& record);
/// The records that are held here. What cannot be read is left out. Locks the keyspace.
EpochRecords ReadEpochRecords(Keyspace& keyspace);

}  // namespace starling
