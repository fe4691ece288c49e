/// A created cluster as a small text file, made once and never changed.
///
/// Whoever creates it first wins; everybody else reads back what stands there. Stateless.
#pragma once

#include <optional>
#include <string>

#include "node/lock_file.h"
#include "replication/replicator.h"
#include "starling/result.h"

namespace starling {

/// The record in `name`, or none where there is no such file. Errors: kCorruption (names the file
/// and the line), kIo.
Result<std::optional<ClusterRecord>> ReadClusterFile(const Folder& folder, const std::string& name);

/// Creates `name` with `candidate` on stable storage, or reads what is there already. Atomic: among
/// any number of processes that call it at once, all get one record. Errors: as ReadClusterFile.
Result<ClusterRecord> EnsureClusterFile(const Folder& folder, const std::string& name,
                                        const ClusterRecord& candidate, mode_t mode);

/// A record for a cluster that `first_member` creates alone: a random id, the shared folder its
/// voter.
ClusterRecord NewClusterRecord(const std::string& first_member,
                               std::vector<std::string> voters = {});

}  // namespace starling
