/// Files whose kernel lock shows that the process that wrote them lives.
///
/// A lock file appears whole (it is written aside, locked, then linked into place) and goes when
/// its owner closes it; one whose owner died is recognised as stale at once and removed by whoever
/// meets it. The lock is flock(2)'s, which two nodes of one process exclude each other by; since
/// children inherit it, the owner's process (id, start time, pid namespace) stands in the file too,
/// and an owner that is known to be gone is gone, whoever holds its descriptor. Value-like, not
/// thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "starling/result.h"

namespace starling {

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor();

  int get() const { return descriptor_; }
  bool valid() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

/// A folder held open, and the name it was opened by, for messages.
struct Folder {
  Descriptor descriptor;
  std::string path;
};

/// Whether its path still names this folder: it may have been removed or renamed, and another stand
/// there.
bool InPlace(const Folder& folder);

/// Creates a file whole or not at all: kAlreadyExists where `name` is there. With `durable` it is
/// on stable storage when this returns. Other errors: kIo. On failure nothing is left under `name`.
Status CreateWhole(const Folder& folder, const std::string& name, std::string_view content,
                   mode_t mode, bool durable);
/// The content of a regular file of at most `max_bytes`; symbolic links are not followed. Errors:
/// kNotFound, kCorruption (no such file kind, or too large), kIo.
Result<std::string> ReadWhole(const Folder& folder, const std::string& name, size_t max_bytes);

/// A line, with its end, by which others can tell whether this process still runs: id, start time,
/// pid namespace.
std::string OwnProcessLine();
/// Whether the process of such a line is known to have ended; false where nobody can tell (another
/// pid namespace, no /proc, no such line).
bool ProcessHasEnded(std::string_view line);
/// The end of another process of this host.
struct ProcessEnd {
  bool ended = false;
  Descriptor descriptor;  ///< Becomes readable when it ends (pidfd_open(2)); unless it has.
};
/// Of such a line's process; nullopt where nobody can tell.
std::optional<ProcessEnd> WatchProcess(std::string_view line);
/// Writes all of `bytes` at `offset` of the file; false: errno says why.
bool WriteAt(int file, std::string_view bytes, int64_t offset);

class LockFile {
 public:
  LockFile() = default;
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  /// Removes the file and gives up the lock.
  ~LockFile();

  /// Takes the lock `name` and publishes `text` (lines) in it. Errors (nothing is left behind):
  /// kAlreadyExists (held by a living process, which is named), kIo.
  static Result<LockFile> Acquire(std::shared_ptr<const Folder> folder, const std::string& name,
                                  std::string_view text, mode_t mode = 0600);

  bool held() const { return descriptor_.valid(); }
  /// Whether the file is still there under its name: a cleaner of temporary files may have taken
  /// it.
  bool InPlace() const;
  /// Marks it as in use, for cleaners that go by age.
  void Touch() const;

 private:
  void Release();

  std::shared_ptr<const Folder> folder_;
  std::string name_;
  Descriptor descriptor_;
};

/// What a look at somebody's lock file shows.
struct LockFileState {
  bool alive =
      false;  ///< False: there is none, or it was stale (and has been removed where possible).
  /// Whether the owner was seen to run; where not (another pid namespace), a moment's lock of
  /// somebody who looks may have been taken for it.
  bool certain = false;
  pid_t pid = 0;
  std::string text;  ///< Only where alive.
};

/// Looks without waiting. Errors: kIo, kCorruption (not written by a LockFile).
Result<LockFileState> ProbeLockFile(const Folder& folder, const std::string& name);

/// Removes what writers that were killed left aside in the folder.
void RemoveLeftovers(const Folder& folder, const std::vector<std::string>& names);

}  // namespace starling
