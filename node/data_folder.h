/// Which data folder an embedded node takes, so that a restarted process is the same node.
///
/// The candidates are `<cluster>-0`, `<cluster>-1`, ... in one folder of the user; a process takes
/// the first that no living process holds. Beside them lies `<cluster>.cluster`, the cluster they
/// belong to, so that nodes that start together after a reboot (which empties the meeting folder)
/// do not create another.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "node/cluster_file.h"
#include "node/lock_file.h"
#include "starling/result.h"

namespace starling {

/// A taken folder; given back on destruction. Movable value, not thread-safe.
class DataFolder {
 public:
  /// `home` empty: `$XDG_STATE_HOME/starling`, else `~/.local/state/starling`. Errors: kRefused
  /// (another user's folder), kLimitExceeded (a thousand are in use), kUnavailable (no home folder
  /// is known; says which option helps), kIo.
  static Result<DataFolder> Take(const std::string& home, const std::string& cluster);

  /// Where to keep the data; the folder itself is created by whoever opens it.
  const std::string& path() const { return path_; }
  int number() const { return number_; }
  /// `<host name>-<cluster>-<number>`, the default name of the node that lives in it.
  std::string NodeName() const;

  /// The cluster that the folders here belong to, if they do already. Errors: kCorruption, kIo.
  Result<std::optional<ClusterRecord>> KnownCluster() const;
  /// Notes it for later nodes; the first one stays.
  Status NoteCluster(const ClusterRecord& record) const;

 private:
  std::shared_ptr<const Folder> home_;
  std::string cluster_;
  std::string path_;
  int number_ = 0;
  LockFile lock_;
};

/// This host's name as far as it is a plain name; "host" where it is none.
std::string PlainHostName();

}  // namespace starling
