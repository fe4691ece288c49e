/// What a leaseholder writes down as its epoch begins (DESIGN.md section 6): who has the epoch,
/// what it held then, and who votes. Claims of earlier epochs outside that vector are void; voters
/// of lower versions are voters no more.
///
/// The records stand in the cluster's own database as one hash, an element an epoch, so that they
/// replicate, persist and merge as every key does; the last `kEpochsKept` are kept. Beside them
/// stand the voters that an operator has forced, by version.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "replication/lease_message.h"
#include "storage/keyspace.h"
#include "storage/version_vector.h"

namespace starling {

struct EpochRecord {
  std::string holder;    ///< The node's name.
  VersionVector vector;  ///< What it held, and might tell, before this record.
  VoterSet voters;       ///< As it stated or changed them last; version 0: the folder votes.
  /// The newest epoch whose record it held then; 0: it held none.
  std::optional<uint64_t> follows = 0;  // nothing: written before this was

  friend bool operator==(const EpochRecord&, const EpochRecord&) = default;
};

using EpochRecords = std::map<uint64_t, EpochRecord>;

inline constexpr uint64_t kEpochsKept = 64;

/// Writes the record of `epoch` and removes those that are too old; the caller commits the journal.
/// Locks the keyspace.
void WriteEpochRecord(Keyspace& keyspace, uint64_t epoch, const EpochRecord& record);
/// The records that are held here. What cannot be read is left out. Locks the keyspace.
EpochRecords ReadEpochRecords(Keyspace& keyspace);
/// Those of `records` that `epoch` goes back to, each to the one that it follows, itself included.
/// What a majority held of an earlier epoch all later ones go back to. An epoch that is left out
/// had not begun when a later one did: its holder, who may be back only now, has decided nothing.
EpochRecords LineageOf(const EpochRecords& records, uint64_t epoch);
/// Writes voters that an operator has forced; the caller commits the journal. Locks the keyspace.
void WriteForcedVoters(Keyspace& keyspace, const VoterSet& voters);
/// The newest voters that are held here, stated in an epoch or forced; version 0: none are. Locks
/// the keyspace.
VoterSet ReadVoters(Keyspace& keyspace);

}  // namespace starling
