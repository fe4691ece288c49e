/// Where the processes of one host find each other, and where their cluster is created.
///
/// One folder per cluster: `<name>.node` says where a living member listens (a lock file:
/// lock_file.h), `cluster` is the cluster's record, made once (cluster_file.h). By default the
/// folder is private to the user: mode 0700, the owner is checked, symbolic links are not followed.
/// Not thread-safe: one thread owns it. Calls block on small file operations only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "node/cluster_file.h"
#include "node/lock_file.h"
#include "replication/replicator.h"
#include "starling/result.h"

namespace starling {

/// Creates `path` (mode 0700, parents too) and opens it. Errors: kRefused (a symbolic link, or
/// another user's), kIo.
Result<std::shared_ptr<const Folder>> OpenPrivateFolder(const std::string& path);

class MeetingFolder {
 public:
  struct View {
    std::vector<Address> addresses;  ///< Of other living members, sorted.
    std::optional<ClusterRecord> record;
  };

  /// Opens (and creates) the folder of `cluster`. `base` empty: `$XDG_RUNTIME_DIR/starling`, else
  /// `/tmp/starling-<uid>`, private to the user; else the operator's choice, whose owner and mode
  /// are the operator's affair. Errors: kRefused (another user's, a symbolic link, or a network
  /// file system: its locks would not show who lives), kIo.
  static Result<std::unique_ptr<MeetingFolder>> Open(const std::string& base,
                                                     const std::string& cluster,
                                                     std::shared_ptr<spdlog::logger> log);

  /// Shows this node to the others until Withdraw or destruction. Errors (nothing is shown):
  /// kAlreadyExists (a living node of this name), kIo.
  Status Publish(const std::string& name, const Address& address);
  void Withdraw() { entry_ = LockFile(); }

  /// The cluster that was created here, created from `candidate` where there was none: of any
  /// number of nodes that ask at once all get the same. Errors: kCorruption, kIo.
  Result<ClusterRecord> EnsureCluster(const ClusterRecord& candidate);

  /// Who is there. Removes what dead members left. Repairs the own entry where a cleaner took it.
  /// Errors: kIo, kCorruption; single bad entries are logged once and left out.
  Result<View> Scan();

  const std::string& path() const { return folder_->path; }
  /// Changes where the folder was removed and stands anew (Scan repairs it).
  const std::shared_ptr<const Folder>& folder() const { return folder_; }

 private:
  MeetingFolder() = default;
  Status OpenFolder();
  Status RepairOwnEntry();
  void WarnOnce(const std::string& name, const Error& error);

  std::shared_ptr<spdlog::logger> log_;
  std::string base_;
  std::string cluster_;
  bool private_ = true;
  std::shared_ptr<const Folder> folder_;
  std::string name_;
  Address address_;
  LockFile entry_;
  std::optional<ClusterRecord> record_;
  std::vector<std::string> warned_;
  int scans_ = 0;
};

}  // namespace starling
