#include "node/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "node/random_number.h"

namespace starling {
namespace {

constexpr int kAttempts = 40;
constexpr auto kBetweenAttempts = std::chrono::milliseconds(5);
constexpr size_t kMaxLockFileBytes = size_t{64} << 10;
constexpr std::string_view kAside = ".aside-";
/// A file aside that nobody has locked after this long was left by a killed process.
constexpr int64_t kLeftoverSeconds = 60;

Error SystemError(const Folder& folder, const std::string& name, const char* step) {
  return Error{Code::kIo, folder.path + "/" + name + ": " + step + ": " + std::strerror(errno)};
}

/// Who owns a lock file.
struct Owner {
  pid_t pid = 0;
  uint64_t started = 0;        ///< Clock ticks since boot.
  uint64_t pid_namespace = 0;  ///< In which `pid` means something.
};

/// Field 22 of /proc/<pid>/stat; nullopt when there is no such process.
std::optional<uint64_t> ProcessStart(pid_t pid) {
  const Descriptor file(
      open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return std::nullopt;
  char text[1024];
  const ssize_t size = read(file.get(), text, sizeof(text));
  if (size <= 0) return std::nullopt;
  std::string_view rest(text, static_cast<size_t>(size));
  // The command name, in parentheses, may hold anything.
  const size_t name_end = rest.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(name_end + 1);
  for (int field = 3; field <= 22; ++field) {
    const size_t begin = rest.find_first_not_of(' ');
    if (begin == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(begin);
    const std::string_view word = rest.substr(0, rest.find(' '));
    // A zombie has ended; only its parent has not asked yet.
    if (field == 3 && (word == "Z" || word == "X")) return std::nullopt;
    if (field == 22) {
      uint64_t started = 0;
      std::from_chars(word.data(), word.data() + word.size(), started);
      return started;
    }
    rest.remove_prefix(word.size());
  }
  return std::nullopt;
}

uint64_t OwnPidNamespace() {
  struct stat info {};
  return stat("/proc/self/ns/pid", &info) == 0 ? static_cast<uint64_t>(info.st_ino) : 0;
}

std::optional<Owner> ParseOwner(std::string_view line) {
  if (!line.starts_with("process ")) return std::nullopt;
  line.remove_prefix(std::strlen("process "));
  uint64_t fields[3] = {};
  for (uint64_t& field : fields) {
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), field);
    if (error != std::errc()) return std::nullopt;
    line.remove_prefix(static_cast<size_t>(end - line.data()));
    if (line.starts_with(' ')) line.remove_prefix(1);
  }
  return Owner{static_cast<pid_t>(fields[0]), fields[1], fields[2]};
}

/// Whether the owner runs or has ended. Other namespaces and systems without /proc say nothing.
enum class Life { kRuns, kEnded, kUnknown };

Life LifeOf(const std::optional<Owner>& owner) {
  if (!owner || owner->pid_namespace == 0 || owner->started == 0) return Life::kUnknown;
  if (owner->pid_namespace != OwnPidNamespace()) return Life::kUnknown;
  return ProcessStart(owner->pid) == owner->started ? Life::kRuns : Life::kEnded;
}

std::string AsideName(const std::string& name) {
  return std::string(kAside) + name + "-" + std::to_string(getpid()) + "-" +
         std::to_string(RandomNumber());
}

bool SameFile(int descriptor, const Folder& folder, const std::string& name) {
  struct stat open_file {
  }, named{};
  return fstat(descriptor, &open_file) == 0 &&
         fstatat(folder.descriptor.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/// Writes a file aside, locked where asked; the caller links and unlinks it.
Result<Descriptor> WriteAside(const Folder& folder, const std::string& aside,
                              std::string_view content, mode_t mode, bool lock, bool durable) {
  Descriptor file(openat(folder.descriptor.get(), aside.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file.valid()) return SystemError(folder, aside, "creating");
  const char* failed = nullptr;
  if (lock && flock(file.get(), LOCK_EX | LOCK_NB) != 0) failed = "locking";
  if (failed == nullptr && !WriteAt(file.get(), content, 0)) failed = "writing";
  if (failed == nullptr && durable && fsync(file.get()) != 0) failed = "syncing";
  if (failed != nullptr) {
    const Error error = SystemError(folder, aside, failed);
    unlinkat(folder.descriptor.get(), aside.c_str(), 0);
    return error;
  }
  return file;
}

/// Links `aside` to `name` and removes `aside`; kAlreadyExists where `name` is there.
Status Place(const Folder& folder, const std::string& aside, const std::string& name) {
  const int directory = folder.descriptor.get();
  Status placed;
  if (linkat(directory, aside.c_str(), directory, name.c_str(), 0) != 0) {
    placed = errno == EEXIST ? Error{Code::kAlreadyExists, folder.path + "/" + name + " exists"}
                             : SystemError(folder, name, "creating");
  }
  unlinkat(directory, aside.c_str(), 0);
  return placed;
}

/// Removes `name` if it still is the file that was found stale. Whoever removes a file of another
/// owner holds the folder's lock, so that nobody removes what has just taken the stale one's place.
void RemoveStale(const Folder& folder, const std::string& name, int descriptor) {
  const Descriptor lock(openat(folder.descriptor.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid() || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return;
  if (SameFile(descriptor, folder, name)) unlinkat(folder.descriptor.get(), name.c_str(), 0);
}

Result<std::string> ReadDescriptor(const Folder& folder, const std::string& name, int descriptor,
                                   size_t max_bytes) {
  struct stat info {};
  if (fstat(descriptor, &info) != 0) return SystemError(folder, name, "examining");
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) > max_bytes) {
    return Error{Code::kCorruption, folder.path + "/" + name + ": not a file of at most " +
                                        std::to_string(max_bytes) + " bytes"};
  }
  std::string content(static_cast<size_t>(info.st_size), '\0');
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t got =
        pread(descriptor, content.data() + size, content.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(folder, name, "reading");
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  content.resize(size);
  return content;
}

}  // namespace

std::string OwnProcessLine() {
  return "process " + std::to_string(getpid()) + " " +
         std::to_string(ProcessStart(getpid()).value_or(0)) + " " +
         std::to_string(OwnPidNamespace()) + "\n";
}

bool ProcessHasEnded(std::string_view line) { return LifeOf(ParseOwner(line)) == Life::kEnded; }

std::optional<ProcessEnd> WatchProcess(std::string_view line) {
  const std::optional<Owner> owner = ParseOwner(line);
  const Life life = LifeOf(owner);
  if (life == Life::kUnknown) return std::nullopt;
  ProcessEnd end{life == Life::kEnded, Descriptor()};
  if (end.ended) return end;
  end.descriptor = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, owner->pid, 0)));
  if (!end.descriptor.valid() && errno != ESRCH) return std::nullopt;
  // Another process may have got its number before it was opened.
  end.ended = !end.descriptor.valid() || LifeOf(owner) == Life::kEnded;
  return end;
}

bool WriteAt(int file, std::string_view bytes, int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += written;
  }
  return true;
}

Descriptor::~Descriptor() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status CreateWhole(const Folder& folder, const std::string& name, std::string_view content,
                   mode_t mode, bool durable) {
  const std::string aside = AsideName(name);
  Result<Descriptor> file = WriteAside(folder, aside, content, mode, true, durable);
  if (!file) return file.error();
  if (Status placed = Place(folder, aside, name); !placed) return placed;
  if (durable && fsync(folder.descriptor.get()) != 0) return SystemError(folder, name, "syncing");
  return {};
}

Result<std::string> ReadWhole(const Folder& folder, const std::string& name, size_t max_bytes) {
  const Descriptor file(openat(folder.descriptor.get(), name.c_str(),
                               O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) {
    if (errno == ENOENT) return Error{Code::kNotFound, folder.path + "/" + name + " is not there"};
    return SystemError(folder, name, "opening");
  }
  return ReadDescriptor(folder, name, file.get(), max_bytes);
}

LockFile::LockFile(LockFile&& other) noexcept
    : folder_(std::move(other.folder_)),
      name_(std::move(other.name_)),
      descriptor_(std::move(other.descriptor_)) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  if (this != &other) {
    Release();
    folder_ = std::move(other.folder_);
    name_ = std::move(other.name_);
    descriptor_ = std::move(other.descriptor_);
  }
  return *this;
}

LockFile::~LockFile() { Release(); }

void LockFile::Release() {
  if (!held()) return;
  // Unlinked first, then unlocked: nobody finds it unlocked under its name.
  if (InPlace()) unlinkat(folder_->descriptor.get(), name_.c_str(), 0);
  const Descriptor closed = std::move(descriptor_);
}

Result<LockFile> LockFile::Acquire(std::shared_ptr<const Folder> folder, const std::string& name,
                                   std::string_view text, mode_t mode) {
  const std::string content = OwnProcessLine() + std::string(text);
  pid_t holder = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    // Rounds after the first are rare: a stale file that another process is just removing.
    if (attempt > 0) std::this_thread::sleep_for(kBetweenAttempts);
    const std::string aside = AsideName(name);
    Result<Descriptor> file = WriteAside(*folder, aside, content, mode, true, false);
    if (!file) return file.error();
    const Status placed = Place(*folder, aside, name);
    if (placed) {
      LockFile lock;
      lock.folder_ = folder;
      lock.name_ = name;
      lock.descriptor_ = *std::move(file);
      return lock;
    }
    if (placed.error().code != Code::kAlreadyExists) return placed.error();
    Result<LockFileState> state = ProbeLockFile(*folder, name);
    if (!state) return state.error();
    holder = state->pid;
    if (state->alive && (state->certain || attempt >= 2)) break;
  }
  return Error{Code::kAlreadyExists,
               folder->path + "/" + name + " is held by process " + std::to_string(holder)};
}

bool InPlace(const Folder& folder) {
  struct stat held {
  }, named{};
  return fstat(folder.descriptor.get(), &held) == 0 && lstat(folder.path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

bool LockFile::InPlace() const { return held() && SameFile(descriptor_.get(), *folder_, name_); }

void LockFile::Touch() const {
  if (held()) futimens(descriptor_.get(), nullptr);
}

Result<LockFileState> ProbeLockFile(const Folder& folder, const std::string& name) {
  LockFileState state;
  const Descriptor file(openat(folder.descriptor.get(), name.c_str(),
                               O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) {
    if (errno == ENOENT) return state;
    return SystemError(folder, name, "opening");
  }
  Result<std::string> content = ReadDescriptor(folder, name, file.get(), kMaxLockFileBytes);
  if (!content) return content.error();
  const size_t line_end = content->find('\n');
  const std::optional<Owner> owner = ParseOwner(std::string_view(*content).substr(0, line_end));
  if (owner) state.pid = owner->pid;
  // Shared, so that two that look at once do not take each other for the owner.
  const bool unlocked = flock(file.get(), LOCK_SH | LOCK_NB) == 0;
  const Life life = LifeOf(owner);
  if (unlocked || life == Life::kEnded) {
    RemoveStale(folder, name, file.get());
    return state;
  }
  if (!owner) {
    return Error{Code::kCorruption, folder.path + "/" + name +
                                        ": its first line does not name a process; not a lock "
                                        "file of starling"};
  }
  state.alive = true;
  state.certain = life == Life::kRuns;
  state.text = content->substr(line_end == std::string::npos ? content->size() : line_end + 1);
  return state;
}

void RemoveLeftovers(const Folder& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!name.starts_with(kAside)) continue;
    const Descriptor file(openat(folder.descriptor.get(), name.c_str(),
                                 O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!file.valid() || fstat(file.get(), &info) != 0) continue;
    const auto age =
        std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) - info.st_mtime;
    if (age < kLeftoverSeconds || flock(file.get(), LOCK_SH | LOCK_NB) != 0) continue;
    RemoveStale(folder, name, file.get());
  }
}

}  // namespace starling
