#include "node/meeting_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "node/address.h"

namespace starling {
namespace {

constexpr std::string_view kSuffix = ".node";
constexpr const char* kClusterFile = "cluster";
/// Entries beyond this are not looked at: somebody else's files.
constexpr size_t kMaxEntries = 4096;
constexpr size_t kMaxWarned = 64;
/// Every so many scans the files are marked as in use and leftovers are removed.
constexpr int kUpkeepScans = 60;

/// Kinds of file systems whose locks do not show which process of this host lives.
constexpr struct {
  uint32_t magic;
  const char* name;
} kNetworkFileSystems[] = {
    {0x6969, "NFS"},      {0x517B, "SMB"},        {0xFF534D42, "CIFS"}, {0xFE534D42, "SMB2"},
    {0x5346414F, "AFS"},  {0x00C36400, "Ceph"},   {0x01021997, "9P"},   {0x73757245, "Coda"},
    {0x47504653, "GPFS"}, {0x0BD00BD0, "Lustre"},
};

Error SystemError(const std::string& path, const char* step) {
  return Error{Code::kIo, "meeting folder: " + path + ": " + step + ": " + std::strerror(errno)};
}

Status MakeFolders(const std::string& path, mode_t mode) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      // A parent that cannot be written to but is there will do.
      struct stat info {};
      const int why = errno;
      if (stat(part.c_str(), &info) != 0) {
        errno = why;
        return SystemError(part, "creating the folder");
      }
    }
    if (slash == std::string::npos) return {};
  }
}

Result<std::shared_ptr<const Folder>> OpenFolderAt(const std::string& path, bool is_private) {
  Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.valid()) {
    if (errno == ELOOP || errno == ENOTDIR) {
      return Error{Code::kRefused, path + " is not a folder (symbolic links are not followed)"};
    }
    return SystemError(path, "opening the folder");
  }
  if (is_private) {
    struct stat info {};
    if (fstat(folder.get(), &info) != 0) return SystemError(path, "examining the folder");
    if (info.st_uid != geteuid()) {
      return Error{Code::kRefused, path + " belongs to user " + std::to_string(info.st_uid) +
                                       ", not to user " + std::to_string(geteuid()) +
                                       "; remove it, or name another place"};
    }
    if ((info.st_mode & 077) != 0 && fchmod(folder.get(), 0700) != 0) {
      return SystemError(path, "closing the folder to other users");
    }
  }
  return std::shared_ptr<const Folder>(std::make_shared<Folder>(Folder{std::move(folder), path}));
}

Status RefuseNetwork(const Folder& folder) {
  struct statfs info {};
  if (fstatfs(folder.descriptor.get(), &info) != 0) return {};
  for (const auto& kind : kNetworkFileSystems) {
    if (static_cast<uint32_t>(info.f_type) == kind.magic) {
      return Error{Code::kRefused, folder.path + " is on a network file system (" + kind.name +
                                       "); the meeting folder must be on this host"};
    }
  }
  return {};
}

/// $XDG_RUNTIME_DIR/starling where that is usable, else /tmp/starling-<uid>.
std::string DefaultBase() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && runtime[0] == '/' && access(runtime, W_OK | X_OK) == 0) {
    return std::string(runtime) + "/starling";
  }
  return "/tmp/starling-" + std::to_string(geteuid());
}

/// Names in the folder. A listing of its own descriptor: positions are per open file.
Result<std::vector<std::string>> ListFolder(const Folder& folder) {
  const int descriptor = openat(folder.descriptor.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* listing = descriptor < 0 ? nullptr : fdopendir(descriptor);
  if (listing == nullptr) {
    const Error error = SystemError(folder.path, "listing");
    if (descriptor >= 0) close(descriptor);
    return error;
  }
  std::vector<std::string> names;
  while (const dirent* entry = readdir(listing)) {
    if (names.size() >= kMaxEntries) break;
    names.emplace_back(entry->d_name);
  }
  closedir(listing);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<std::shared_ptr<const Folder>> OpenPrivateFolder(const std::string& path) {
  if (Status made = MakeFolders(path, 0700); !made) return made.error();
  return OpenFolderAt(path, true);
}

Result<std::unique_ptr<MeetingFolder>> MeetingFolder::Open(const std::string& base,
                                                           const std::string& cluster,
                                                           std::shared_ptr<spdlog::logger> log) {
  if (!IsPlainName(cluster)) {
    return Error{Code::kInvalidArgument, "cluster name '" + cluster + "' is not plain"};
  }
  std::unique_ptr<MeetingFolder> folder(new MeetingFolder);
  folder->log_ = std::move(log);
  folder->private_ = base.empty();
  // Where it is must not change with the process's working directory.
  std::error_code error;
  folder->base_ = base.empty() ? DefaultBase() : std::filesystem::absolute(base, error).string();
  if (error) return Error{Code::kIo, "meeting folder: " + base + ": " + error.message()};
  folder->cluster_ = cluster;
  if (Status opened = folder->OpenFolder(); !opened) return opened.error();
  return folder;
}

Status MeetingFolder::OpenFolder() {
  const std::string path = base_ + "/" + cluster_;
  if (private_) {
    // Both levels are ours alone: whoever could replace the outer one would own the inner one.
    Result<std::shared_ptr<const Folder>> outer = OpenPrivateFolder(base_);
    if (!outer) return outer.error();
    if (mkdirat((*outer)->descriptor.get(), cluster_.c_str(), 0700) != 0 && errno != EEXIST) {
      return SystemError(path, "creating the folder");
    }
  } else {
    const mode_t everybody = 0777;  // as far as the umask lets it
    if (Status made = MakeFolders(path, everybody); !made) return made.error();
  }
  Result<std::shared_ptr<const Folder>> opened = OpenFolderAt(path, private_);
  if (!opened) return opened.error();
  if (Status local = RefuseNetwork(**opened); !local) return local;
  folder_ = *std::move(opened);
  return {};
}

Status MeetingFolder::Publish(const std::string& name, const Address& address) {
  Result<LockFile> entry = LockFile::Acquire(folder_, name + std::string(kSuffix),
                                             "address " + address + "\n", private_ ? 0600 : 0644);
  if (!entry) {
    if (entry.error().code != Code::kAlreadyExists) return entry.error();
    return Error{Code::kAlreadyExists, "a node named '" + name + "' runs in cluster '" + cluster_ +
                                           "' on this host already: " + entry.error().message};
  }
  name_ = name;
  address_ = address;
  entry_ = *std::move(entry);
  return {};
}

Result<ClusterRecord> MeetingFolder::EnsureCluster(const ClusterRecord& candidate) {
  Result<ClusterRecord> record =
      EnsureClusterFile(*folder_, kClusterFile, candidate, private_ ? 0600 : 0644);
  if (record) record_ = *record;
  return record;
}

Status MeetingFolder::RepairOwnEntry() {
  if (!entry_.held() || (entry_.InPlace() && InPlace(*folder_))) return {};
  log_->warn("the meeting folder was cleaned, publishing again: folder={}", folder_->path);
  // The folder itself may have gone, and its path may name a new one.
  entry_ = LockFile();
  if (Status opened = OpenFolder(); !opened) return opened;
  if (Status published = Publish(name_, address_); !published) return published;
  if (!record_) return {};
  const Result<ClusterRecord> record = EnsureCluster(*record_);
  return record ? Status() : Status(record.error());
}

void MeetingFolder::WarnOnce(const std::string& name, const Error& error) {
  if (warned_.size() >= kMaxWarned) return;
  if (std::find(warned_.begin(), warned_.end(), name) != warned_.end()) return;
  warned_.push_back(name);
  log_->warn("an entry of the meeting folder is left out: entry={} reason={}", name, error.message);
}

Result<MeetingFolder::View> MeetingFolder::Scan() {
  if (Status repaired = RepairOwnEntry(); !repaired) return repaired.error();
  Result<std::vector<std::string>> names = ListFolder(*folder_);
  if (!names) return names.error();
  View view;
  for (const std::string& name : *names) {
    if (!name.ends_with(kSuffix)) continue;
    if (entry_.held() && name == name_ + std::string(kSuffix)) continue;
    Result<LockFileState> state = ProbeLockFile(*folder_, name);
    if (!state) {
      WarnOnce(name, state.error());
      continue;
    }
    if (!state->alive) continue;
    std::string_view text = state->text;
    constexpr std::string_view kWord = "address ";
    const bool worded = text.starts_with(kWord);
    if (worded) text = text.substr(kWord.size(), text.find('\n') - kWord.size());
    const Result<Endpoint> endpoint = ParseEndpoint(text);
    if (!worded || !endpoint) {
      WarnOnce(name, Error{Code::kCorruption, "it holds no address"});
      continue;
    }
    view.addresses.emplace_back(text);
  }
  std::sort(view.addresses.begin(), view.addresses.end());
  Result<std::optional<ClusterRecord>> record = ReadClusterFile(*folder_, kClusterFile);
  if (!record) return record.error();
  view.record = *record;
  if (++scans_ % kUpkeepScans == 0) {
    entry_.Touch();
    utimensat(folder_->descriptor.get(), kClusterFile, nullptr, AT_SYMLINK_NOFOLLOW);
    RemoveLeftovers(*folder_, *names);
  }
  return view;
}

}  // namespace starling
