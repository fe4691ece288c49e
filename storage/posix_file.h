/// Small file operations whose errors name file and reason.
///
/// Stateless. All block. Errors are kIo unless said otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "starling/result.h"

namespace starling {

/// A file descriptor that closes itself.
class FileHandle {
 public:
  explicit FileHandle(int fd = -1) : fd_(fd) {}
  FileHandle(FileHandle&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileHandle& operator=(FileHandle&& other) noexcept;
  ~FileHandle();
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// kIo with what could not be done to which file, and errno's reason.
Error FileError(std::string_view doing, const std::string& path, int error_number);

/// open(2) with O_CLOEXEC; `mode` for new files.
Result<FileHandle> OpenFile(const std::string& path, int flags, unsigned mode = 0600);
/// Reads up to `size` bytes at `position`; fewer only at the file's end.
Result<size_t> ReadAt(const FileHandle& file, const std::string& path, uint64_t position,
                      char* buffer, size_t size);
/// Writes all of `bytes` at the file's position.
Status WriteAll(const FileHandle& file, const std::string& path, std::string_view bytes);
Status SyncFile(const FileHandle& file, const std::string& path);
/// Makes the names in `folder` durable.
Status SyncFolder(const std::string& folder);
/// Creates or replaces a file and makes it durable: the old or the new content is there, never
/// half.
Status WriteFileDurably(const std::string& folder, const std::string& name, std::string_view bytes);
/// The whole content of a small file. kNotFound when there is none.
Result<std::string> ReadSmallFile(const std::string& path);
/// Creates `folder` and missing parents with mode 0700.
Status MakeFolder(const std::string& folder);

}  // namespace starling
