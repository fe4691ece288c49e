#include "storage/host_identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "storage/posix_file.h"

namespace starling {
namespace {

constexpr const char* kBootIdFile = "/proc/sys/kernel/random/boot_id";
constexpr size_t kMaxHostName = 256;

}  // namespace

Result<std::string> BootId() {
  Result<std::string> text = ReadSmallFile(kBootIdFile);
  if (!text) return Error{Code::kIo, text.error().message};
  while (!text->empty() && text->back() == '\n') text->pop_back();
  if (text->empty()) return Error{Code::kIo, std::string(kBootIdFile) + " is empty"};
  return text;
}

Result<std::string> FolderIdentity(const std::string& folder) {
  struct statx info {};
  if (::statx(AT_FDCWD, folder.c_str(), 0, STATX_INO | STATX_BTIME, &info) != 0) {
    return FileError("look at", folder, errno);
  }
  std::string identity = "inode " + std::to_string(info.stx_ino);
  if ((info.stx_mask & STATX_BTIME) != 0) {
    identity += " born " + std::to_string(info.stx_btime.tv_sec) + "." +
                std::to_string(info.stx_btime.tv_nsec);
  }
  return identity;
}

std::string HostName() {
  std::array<char, kMaxHostName> name{};
  // Leaves the last byte alone, so that a name cut off there still ends.
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

}  // namespace starling
