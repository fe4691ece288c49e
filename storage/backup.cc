#include "storage/backup.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>

#include "storage/check.h"
#include "storage/engine.h"
#include "storage/posix_file.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSumsFile = "SHA256SUMS";
constexpr size_t kChunkBytes = 1 << 20;
constexpr size_t kDigestHex = 64;

/// File names and their checksums, in order of names.
using Checksums = std::map<std::string, std::string>;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    STARLING_CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void Update(std::string_view bytes) {
    STARLING_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string Hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    STARLING_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
      hex += kDigits[digest[i] >> 4];
      hex += kDigits[digest[i] & 15];
    }
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

/// The checksum of the file at `from`; with `to`, its bytes are also written there, durably.
Result<std::string> Checksum(const std::string& from, const std::optional<std::string>& to = {}) {
  const Result<FileHandle> source = OpenFile(from, O_RDONLY);
  if (!source) return source.error();
  FileHandle target;
  if (to) {
    Result<FileHandle> opened = OpenFile(*to, O_WRONLY | O_CREAT | O_EXCL);
    if (!opened) return opened.error();
    target = *std::move(opened);
  }
  Sha256 sha;
  std::string chunk(kChunkBytes, '\0');
  for (uint64_t position = 0;;) {
    const Result<size_t> size = ReadAt(*source, from, position, chunk.data(), chunk.size());
    if (!size) return size.error();
    if (*size == 0) break;
    const std::string_view bytes(chunk.data(), *size);
    sha.Update(bytes);
    if (to) {
      if (Status status = WriteAll(target, *to, bytes); !status) return status.error();
    }
    position += *size;
  }
  if (to) {
    if (Status status = SyncFile(target, *to); !status) return status.error();
  }
  return sha.Hex();
}

/// The names of the files in a backup, its list of checksums left out.
Result<std::vector<std::string>> FilesOf(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name != kSumsFile) names.push_back(name);
  }
  if (error) return FileError("list", folder, error.value());
  return names;
}

Result<Checksums> ReadChecksums(const std::string& folder) {
  const std::string path = folder + "/" + kSumsFile;
  const Result<std::string> text = ReadSmallFile(path);
  if (!text && text.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, folder + " is no backup: it has no file " + kSumsFile};
  }
  if (!text) return text.error();
  Checksums sums;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    // As sha256sum writes it: checksum, two characters, name. A name leads nowhere else.
    const bool well_formed = line.size() > kDigestHex + 2 && line[kDigestHex] == ' ' &&
                             line.find('/') == std::string::npos && !lines.eof();
    if (!well_formed) return Error{Code::kCorruption, path + ": malformed line \"" + line + "\""};
    sums[line.substr(kDigestHex + 2)] = line.substr(0, kDigestHex);
  }
  if (sums.empty()) return Error{Code::kCorruption, path + " is empty"};
  return sums;
}

/// Compares all files with their checksums; with `to`, copies them there on the way.
Status CheckFiles(const std::string& folder, const std::optional<std::string>& to) {
  const Result<Checksums> sums = ReadChecksums(folder);
  if (!sums) return sums.error();
  const Result<std::vector<std::string>> present = FilesOf(folder);
  if (!present) return present.error();
  for (const std::string& name : *present) {
    if (!sums->contains(name)) {
      return Error{Code::kCorruption,
                   "backup " + folder + ": file " + name + " is not listed in " + kSumsFile};
    }
  }
  for (const auto& [name, expected] : *sums) {
    const std::string path = folder + "/" + name;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 && errno == ENOENT) {
      return Error{Code::kCorruption, "backup " + folder + ": file " + name + " is missing"};
    }
    const Result<std::string> sum =
        Checksum(path, to ? std::optional(*to + "/" + name) : std::nullopt);
    if (!sum) return sum.error();
    if (*sum != expected) {
      return Error{Code::kCorruption, "backup " + folder + ": file " + name +
                                          " differs from its checksum in " + kSumsFile};
    }
  }
  return {};
}

Status RefuseData(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) return {};
  const bool empty = fs::is_directory(folder, error) && fs::is_empty(folder, error);
  if (error) return FileError("look at", folder, error.value());
  if (empty) return {};
  return Error{Code::kAlreadyExists,
               "cannot restore into " + folder + ": it is not an empty folder; move it away first"};
}

/// Fills the new folder `to`; leaves it half filled on failure.
Status Fill(const std::string& from, const std::string& to) {
  if (Status status = MakeFolder(to); !status) return status;
  if (Status status = CheckFiles(from, to); !status) return status;
  {
    Result<std::unique_ptr<Engine>> engine = OpenRocksEngine({to});
    if (!engine) return engine.error();
    if (Status status = (*engine)->PutMeta(kRestoredMeta, "yes"); !status) return status;
  }
  return SyncFolder(to);
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string ParentOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

Status WriteChecksums(const std::string& folder) {
  const Result<std::vector<std::string>> names = FilesOf(folder);
  if (!names) return names.error();
  Checksums sums;
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    Result<std::string> sum = Checksum(path);
    if (!sum) return sum.error();
    const Result<FileHandle> file = OpenFile(path, O_RDONLY);
    if (!file) return file.error();
    if (Status status = SyncFile(*file, path); !status) return status;
    sums[name] = *std::move(sum);
  }
  std::string text;
  for (const auto& [name, sum] : sums) text += sum + "  " + name + "\n";
  return WriteFileDurably(folder, kSumsFile, text);
}

Status VerifyBackup(const std::string& folder) { return CheckFiles(folder, std::nullopt); }

Status RestoreBackup(const std::string& from, const std::string& to) {
  const std::string target = WithoutSlash(to);
  if (Status status = RefuseData(target); !status) return status;
  const std::string parent = ParentOf(target);
  if (Status status = MakeFolder(parent); !status) return status;
  const std::string fresh = target + ".restoring";
  std::error_code error;
  fs::remove_all(fresh, error);  // What an earlier attempt left.
  if (error) return FileError("empty", fresh, error.value());
  Status status = Fill(from, fresh);
  // rename(2) replaces an empty folder and refuses a full one.
  if (status && std::rename(fresh.c_str(), target.c_str()) != 0) {
    status = FileError("rename to " + target, fresh, errno);
  }
  if (!status) {
    fs::remove_all(fresh, error);
    return status;
  }
  return SyncFolder(parent);
}

}  // namespace starling
