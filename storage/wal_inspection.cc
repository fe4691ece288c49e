#include "storage/wal_inspection.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "storage/crc32c.h"
#include "storage/posix_file.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;
constexpr size_t kRecycledHeaderBytes = 11;
/// Sequence and count, with which every write batch begins.
constexpr uint64_t kLeastRecordBytes = 12;
constexpr std::string_view kSuffix = ".log";
constexpr const char* kFollows = "follows a damaged file";
/// Where CutWals keeps what it cut.
constexpr const char* kCutFolder = "cut";

enum Fragment : uint8_t { kZero = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };
/// Types 5 to 8 are the same four in a recycled file.
constexpr uint8_t kRecycledOffset = 4;
constexpr uint8_t kLastKnownType = kLast + kRecycledOffset;

uint32_t ReadU32(const char* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// RocksDB stores a checksum rotated and shifted, so that a checksum of bytes with checksums in
/// them keeps its strength.
uint32_t Masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u; }

bool AllZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

/// Follows the fragments of one file.
class WalReader {
 public:
  WalReader(const FileHandle& file, WalFile& report) : file_(file), report_(report) {}

  Status Run() {
    std::string block(kBlockBytes, '\0');
    uint64_t position = 0;
    while (position < report_.size && report_.fault.empty()) {
      Result<size_t> size = ReadAt(file_, report_.path, position, block.data(), kBlockBytes);
      if (!size) return size.error();
      if (*size == 0) break;
      ReadBlock(position, std::string_view(block.data(), *size));
      position += *size;
    }
    if (report_.fault.empty() && in_record_) Fail("the file ends inside a record");
    return {};
  }

 private:
  void ReadBlock(uint64_t block_position, std::string_view block) {
    at_file_end_ = block.size() < kBlockBytes;
    size_t at = 0;
    while (report_.fault.empty() && block.size() - at >= kHeaderBytes) {
      const size_t length = ReadFragment(block.substr(at));
      if (length == 0) return;
      at += length;
      if (!in_record_) report_.valid_bytes = block_position + at;
    }
    if (!report_.fault.empty()) return;
    // Fewer bytes than a header at a block's end are padding.
    const std::string_view rest = block.substr(at);
    if (at_file_end_ ? !rest.empty() : !AllZero(rest)) {
      Fail(at_file_end_ ? "the file ends inside a record header" : "bytes in a block's padding");
    } else if (!in_record_) {
      report_.valid_bytes = block_position + block.size();
    }
  }

  /// Takes one fragment; returns its length, 0 after a fault.
  size_t ReadFragment(std::string_view bytes) {
    const size_t length = static_cast<unsigned char>(bytes[4]) |
                          static_cast<size_t>(static_cast<unsigned char>(bytes[5])) << 8;
    const auto type = static_cast<uint8_t>(bytes[6]);
    if (type == kZero || type > kLastKnownType) {
      return Fail(AllZero(bytes) ? "zeros instead of a record" : "unknown record type");
    }
    const bool recycled = type > kRecycledOffset;
    const size_t header = recycled ? kRecycledHeaderBytes : kHeaderBytes;
    if (header + length > bytes.size()) {
      return Fail(at_file_end_ ? "the file ends inside a record" : "record longer than its block");
    }
    // The type and, in recycled files, the file's number are under the checksum too.
    if (ReadU32(bytes.data()) != Masked(Crc32c(bytes.substr(6, header - 6 + length)))) {
      return Fail("checksum mismatch");
    }
    if (recycled && ReadU32(bytes.data() + kHeaderBytes) != static_cast<uint32_t>(report_.number)) {
      return Fail("record of an earlier use of the file");
    }
    return Follow(static_cast<Fragment>(recycled ? type - kRecycledOffset : type), length)
               ? header + length
               : 0;
  }

  bool Follow(Fragment type, size_t length) {
    const bool begins = type == kFull || type == kFirst;
    if (begins == in_record_) {
      Fail(begins ? "a record begins inside another" : "a record without its beginning");
      return false;
    }
    record_bytes_ = begins ? length : record_bytes_ + length;
    in_record_ = type == kFirst || type == kMiddle;
    if (in_record_) return true;
    if (record_bytes_ < kLeastRecordBytes) {
      in_record_ = true;  // The record that ends here is not counted as whole.
      Fail("record too short for a write batch");
      return false;
    }
    ++report_.records;
    return true;
  }

  size_t Fail(const char* why) {
    report_.fault = why;
    return 0;
  }

  const FileHandle& file_;
  WalFile& report_;
  bool in_record_ = false;
  bool at_file_end_ = false;
  uint64_t record_bytes_ = 0;
};

Result<std::vector<WalFile>> ListWals(const std::string& folder) {
  std::vector<WalFile> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.ends_with(kSuffix)) continue;
    WalFile file;
    const char* const digits_end = name.data() + name.size() - kSuffix.size();
    const auto parsed = std::from_chars(name.data(), digits_end, file.number);
    if (parsed.ec != std::errc() || parsed.ptr != digits_end) continue;
    file.path = it->path().string();
    files.push_back(std::move(file));
  }
  if (error) return FileError("list", folder, error.value());
  std::sort(files.begin(), files.end(),
            [](const WalFile& a, const WalFile& b) { return a.number < b.number; });
  return files;
}

Result<uint64_t> SizeOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return FileError("look at", path, errno);
  return static_cast<uint64_t>(info.st_size);
}

/// Copies what follows `file.valid_bytes` to `to`, durably.
Status KeepTail(const WalFile& file, const std::string& to) {
  const Result<FileHandle> source = OpenFile(file.path, O_RDONLY);
  if (!source) return source.error();
  const Result<FileHandle> copy = OpenFile(to, O_WRONLY | O_CREAT | O_TRUNC);
  if (!copy) return copy.error();
  std::string buffer(size_t{1} << 20, '\0');
  for (uint64_t position = file.valid_bytes;;) {
    const Result<size_t> size = ReadAt(*source, file.path, position, buffer.data(), buffer.size());
    if (!size) return size.error();
    if (*size == 0) return SyncFile(*copy, to);
    Status status = WriteAll(*copy, to, std::string_view(buffer.data(), *size));
    if (!status) return status;
    position += *size;
  }
}

Status ShortenTo(const std::string& path, uint64_t size) {
  const Result<FileHandle> file = OpenFile(path, O_WRONLY);
  if (!file) return file.error();
  if (::ftruncate(file->fd(), static_cast<off_t>(size)) != 0) {
    return FileError("shorten", path, errno);
  }
  return SyncFile(*file, path);
}

}  // namespace

Result<WalFile> InspectWal(const std::string& path, uint64_t number) {
  WalFile report;
  report.path = path;
  report.number = number;
  const Result<uint64_t> size = SizeOf(path);
  if (!size) return size.error();
  report.size = *size;
  const Result<FileHandle> file = OpenFile(path, O_RDONLY);
  if (!file) return file.error();
  if (Status status = WalReader(*file, report).Run(); !status) return status.error();
  return report;
}

Result<std::vector<WalFile>> InspectWals(const std::string& folder) {
  Result<std::vector<WalFile>> files = ListWals(folder);
  if (!files) return files;
  bool damaged = false;
  for (WalFile& file : *files) {
    if (damaged) {
      const Result<uint64_t> size = SizeOf(file.path);
      if (!size) return size.error();
      file.size = *size;
      file.fault = kFollows;
      continue;
    }
    Result<WalFile> report = InspectWal(file.path, file.number);
    if (!report) return report.error();
    file = *std::move(report);
    damaged = !file.fault.empty();
  }
  return files;
}

std::vector<Engine::Damage> DamageOf(const std::vector<WalFile>& files) {
  std::vector<Engine::Damage> damage;
  for (const WalFile& file : files) {
    if (file.fault.empty()) continue;
    // An empty file after a damaged one loses nothing.
    if (file.size == 0) continue;
    damage.push_back({file.path, file.valid_bytes, file.size - file.valid_bytes, file.fault});
  }
  return damage;
}

Status CutWals(const std::string& folder, const std::vector<WalFile>& files) {
  const auto damaged = std::find_if(files.begin(), files.end(),
                                    [](const WalFile& file) { return !file.fault.empty(); });
  if (damaged == files.end()) return {};
  const std::string cut = folder + "/" + kCutFolder;
  std::error_code error;
  fs::remove_all(cut, error);
  if (error) return FileError("empty", cut, error.value());
  if (Status status = MakeFolder(cut); !status) return status;
  for (auto file = damaged; file != files.end(); ++file) {
    const std::string name = fs::path(file->path).filename().string();
    Status status = KeepTail(*file, cut + "/" + name + "." + std::to_string(file->valid_bytes));
    if (!status) return status;
  }
  if (Status status = SyncFolder(cut); !status) return status;
  for (auto file = files.end() - 1; file != damaged; --file) {
    if (::unlink(file->path.c_str()) != 0) return FileError("remove", file->path, errno);
  }
  if (Status status = SyncFolder(folder); !status) return status;
  return ShortenTo(damaged->path, damaged->valid_bytes);
}

}  // namespace starling
