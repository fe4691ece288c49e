#include "storage/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace starling {

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

Error FileError(std::string_view doing, const std::string& path, int error_number) {
  return Error{Code::kIo, "cannot " + std::string(doing) + " " + path + ": " +
                              std::generic_category().message(error_number)};
}

Result<FileHandle> OpenFile(const std::string& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return FileError("open", path, errno);
  return FileHandle(fd);
}

Result<size_t> ReadAt(const FileHandle& file, const std::string& path, uint64_t position,
                      char* buffer, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t count =
        ::pread(file.fd(), buffer + done, size - done, static_cast<off_t>(position + done));
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError("read", path, errno);
    done += static_cast<size_t>(count);
  }
  return done;
}

Status WriteAll(const FileHandle& file, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.fd(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Status SyncFile(const FileHandle& file, const std::string& path) {
  if (::fsync(file.fd()) != 0) return FileError("sync", path, errno);
  return {};
}

Status SyncFolder(const std::string& folder) {
  const Result<FileHandle> handle = OpenFile(folder, O_RDONLY | O_DIRECTORY);
  if (!handle) return handle.error();
  return SyncFile(*handle, folder);
}

Status WriteFileDurably(const std::string& folder, const std::string& name,
                        std::string_view bytes) {
  const std::string path = folder + "/" + name;
  const std::string fresh = path + ".new";
  {
    const Result<FileHandle> file = OpenFile(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file) return file.error();
    if (Status status = WriteAll(*file, fresh, bytes); !status) return status;
    if (Status status = SyncFile(*file, fresh); !status) return status;
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return FileError("rename", fresh, errno);
  return SyncFolder(folder);
}

Result<std::string> ReadSmallFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return Error{Code::kNotFound, "there is no file " + path};
  if (fd < 0) return FileError("open", path, errno);
  const FileHandle file(fd);
  std::string text;
  char buffer[4096];
  while (true) {
    const Result<size_t> count = ReadAt(file, path, text.size(), buffer, sizeof buffer);
    if (!count) return count.error();
    text.append(buffer, *count);
    if (*count < sizeof buffer) return text;
  }
}

Status MakeFolder(const std::string& folder) {
  for (size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    const std::string part = folder.substr(0, end);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      const int reason = errno;
      struct stat info {};
      // On a read-only parent mkdir may name another reason than that the folder is there.
      if (::stat(part.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        return FileError("create folder", part, reason);
      }
    }
    if (end == std::string::npos) break;
  }
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return FileError("look at", folder, errno);
  if (!S_ISDIR(info.st_mode)) return FileError("use as a folder", folder, ENOTDIR);
  return {};
}

}  // namespace starling
