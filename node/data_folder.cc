#include "node/data_folder.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "node/address.h"
#include "node/meeting_folder.h"
#include "storage/host_identity.h"

namespace starling {
namespace {

constexpr int kMaxFolders = 1000;

std::string HomeOfUser() {
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return home;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 << 10);
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0) return {};
  return found == nullptr || found->pw_dir == nullptr ? std::string() : found->pw_dir;
}

Result<std::string> DefaultHome() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return std::string(state) + "/starling";
  const std::string home = HomeOfUser();
  if (!home.empty() && home[0] == '/') return home + "/.local/state/starling";
  return Error{Code::kUnavailable,
               "no place for data: XDG_STATE_HOME and HOME are not set; set `folder`, or "
               "`ephemeral` to keep nothing on disk"};
}

}  // namespace

Result<DataFolder> DataFolder::Take(const std::string& home, const std::string& cluster) {
  if (!IsPlainName(cluster)) {
    return Error{
        Code::kInvalidArgument,
        "cluster '" + cluster +
            "': a name is 1 to 128 letters, digits, '.', '_' or '-', not starting with '.'"};
  }
  Result<std::string> path = home.empty() ? DefaultHome() : Result<std::string>(home);
  if (!path) return path.error();
  Result<std::shared_ptr<const Folder>> opened = OpenPrivateFolder(*path);
  if (!opened) {
    return Error{opened.error().code,
                 opened.error().message + "; set `folder`, or `ephemeral` to keep nothing on disk"};
  }
  DataFolder taken;
  taken.home_ = *std::move(opened);
  taken.cluster_ = cluster;
  for (int number = 0; number < kMaxFolders; ++number) {
    const std::string name = cluster + "-" + std::to_string(number);
    Result<LockFile> lock = LockFile::Acquire(taken.home_, name + ".lock", {});
    if (!lock) {
      if (lock.error().code == Code::kAlreadyExists) continue;
      return lock.error();
    }
    taken.lock_ = *std::move(lock);
    taken.path_ = taken.home_->path + "/" + name;
    taken.number_ = number;
    return taken;
  }
  return Error{Code::kLimitExceeded, taken.home_->path + ": " + std::to_string(kMaxFolders) +
                                         " folders of cluster '" + cluster + "' are in use"};
}

std::string DataFolder::NodeName() const {
  const std::string suffix = "-" + cluster_ + "-" + std::to_string(number_);
  // Long host and cluster names are cut where a name must end.
  constexpr size_t kMaxName = 128;
  const std::string host = PlainHostName();
  const size_t room = suffix.size() >= kMaxName ? 1 : kMaxName - suffix.size();
  std::string name = host.substr(0, room) + suffix;
  return name.size() <= kMaxName ? name : name.substr(name.size() - kMaxName);
}

Result<std::optional<ClusterRecord>> DataFolder::KnownCluster() const {
  return ReadClusterFile(*home_, cluster_ + ".cluster");
}

Status DataFolder::NoteCluster(const ClusterRecord& record) const {
  const Result<ClusterRecord> noted =
      EnsureClusterFile(*home_, cluster_ + ".cluster", record, 0600);
  return noted ? Status() : Status(noted.error());
}

std::string PlainHostName() {
  std::string name = HostName();
  name = name.substr(0, name.find('.'));
  return IsPlainName(name) ? name : "host";
}

}  // namespace starling
