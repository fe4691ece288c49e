/// What a shared folder must be able to do to be the only voter of a host (DESIGN.md section 6).
///
/// Each epoch is a file; that it can be created only once is the vote. `node/` does this with
/// files, tests with a model. Calls do not wait for other processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replication/replicator.h"
#include "starling/result.h"

namespace starling {

/// Who holds an epoch; written once, as it is created.
struct EpochHolder {
  std::string name;      ///< Of the node.
  uint64_t session = 0;  ///< Of its process, never used twice.
  std::string boot_id;   ///< Of the host; stamps of another boot say nothing.

  friend bool operator==(const EpochHolder&, const EpochHolder&) = default;
};

/// An epoch as it can be read back. What is torn is left out.
struct EpochContent {
  std::optional<EpochHolder> holder;    ///< None: killed before it could say who it is.
  Instant renewed{};                    ///< Of the boot's clock; 0: given back.
  std::optional<std::string> snapshot;  ///< The last; none: killed before it was finished.
  std::vector<std::string> records;     ///< Appended after it, in their order.
};

class EpochFolder {
 public:
  virtual ~EpochFolder() = default;

  /// The epochs that are there, ascending. Errors: kIo (the folder is gone).
  virtual Result<std::vector<uint64_t>> Epochs() = 0;
  /// Votes: creates the epoch, which this process may write to from now on, renewed at `now`.
  /// kAlreadyExists: somebody else has it. kIo: nobody is known to have it.
  virtual Status Create(uint64_t epoch, const EpochHolder& holder, Instant now) = 0;
  /// kNotFound: it is not there.
  virtual Result<EpochContent> Read(uint64_t epoch) = 0;
  /// The same without snapshot and records: a look that costs little.
  virtual Result<EpochContent> ReadHead(uint64_t epoch) = 0;
  /// Whether the process that holds an epoch is known to have ended.
  virtual bool HasEnded(const EpochHolder& holder) = 0;

  // --- the epoch that this process created last ---
  /// Writes what must outlive the epoch, whole: it replaces what was appended before. Errors as
  /// Append.
  virtual Status AppendSnapshot(std::string_view snapshot) = 0;
  /// On disk as `appendfsync` means it when this returns. Error (a full disk): nothing of it can be
  /// read back, unless cutting it off failed too (kUnknownOutcome).
  virtual Status Append(std::string_view record) = 0;
  /// Says until when the lease is counted from; 0 gives it back.
  virtual Status Renew(Instant now) = 0;
  /// Whether there is no later epoch, and the path still names this one's file: asked after an
  /// append or a command, before anybody hears of it. Errors: kIo (nobody can tell).
  virtual Result<bool> IsNewest() = 0;
  /// Takes it back: nothing was decided in it, and whoever had the one before has it again.
  virtual void Abandon() = 0;
  /// Drops the epochs below.
  virtual void DropEarlier() = 0;
};

}  // namespace starling
