#include <fcntl.h>
#include <rocksdb/env.h>
#include <rocksdb/wal_filter.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "storage/damage_record.h"
#include "storage/posix_file.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_options.h"
#include "storage/rocks_status.h"
#include "storage/wal_inspection.h"

namespace starling {
namespace rocks {
namespace {

namespace fs = std::filesystem;

/// Beside RocksDB's own LOCK, which is free while the log files are inspected.
constexpr const char* kLockFile = "owner";
constexpr const char* kMemoryPath = "/starling";

/// Counts the records that RocksDB replays, to compare with what the inspection found.
class ReplayCounter final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "starling.replay_counter"; }

  void ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& first_log_of_family,
                                const std::map<std::string, uint32_t>&) override {
    first_ = UINT64_MAX;
    for (const auto& [family, first] : first_log_of_family) first_ = std::min(first_, first);
  }

  WalProcessingOption LogRecordFound(unsigned long long number, const std::string&,
                                     const rocksdb::WriteBatch&, rocksdb::WriteBatch*,
                                     bool*) override {
    ++records_[number];
    return WalProcessingOption::kContinueProcessing;
  }

  /// The files that RocksDB needed but did not read to the end that the inspection found.
  std::vector<Engine::Damage> Missed(const std::vector<WalFile>& files) const {
    std::vector<Engine::Damage> missed;
    for (const WalFile& file : files) {
      const auto found = records_.find(file.number);
      const uint64_t read = found == records_.end() ? 0 : found->second;
      if (file.number < first_ || !file.fault.empty() || read >= file.records) continue;
      missed.push_back({file.path, 0, 0,
                        "RocksDB replayed " + std::to_string(read) + " of " +
                            std::to_string(file.records) + " records"});
    }
    return missed;
  }

 private:
  uint64_t first_ = 0;
  std::map<uint64_t, uint64_t> records_;
};

/// RocksDB would begin a new database beside files whose CURRENT is gone, and then delete them.
Status RefuseLostCurrent(const std::string& folder) {
  std::error_code error;
  if (fs::exists(folder + "/CURRENT", error)) return {};
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string extension = it->path().extension().string();
    const bool data = extension == ".sst" || (extension == ".log" && it->file_size(error) > 0);
    if (data) {
      return Error{Code::kCorruption, "the data folder " + folder + " holds " +
                                          it->path().filename().string() +
                                          " but its file CURRENT is missing; restore a backup"};
    }
  }
  if (error) return FileError("list", folder, error.value());
  return {};
}

/// The process that has `path` locked, in words; empty when that is not known.
std::string HolderOf(const std::string& path) {
  const Result<FileHandle> file = OpenFile(path, O_RDWR);
  if (!file) return "";
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(file->fd(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0) {
    return "";
  }
  return " (process " + std::to_string(lock.l_pid) + ")";
}

Error OpenErrorOf(const rocksdb::Status& status, const std::string& folder) {
  Error error = ErrorOf(status, "open the data in " + folder);
  // A file that the manifest names is not there.
  if (status.IsPathNotFound() || status.IsNotFound()) error.code = Code::kCorruption;
  // InvalidArgument is what RocksDB says to families and formats of another version.
  if (error.code == Code::kInvalidArgument) error.code = Code::kCorruption;
  if (status.ToString().find("lock") != std::string::npos && status.IsIOError()) {
    error.code = Code::kUnavailable;
  }
  return error;
}

}  // namespace

Result<std::unique_ptr<FolderLock>> FolderLock::Take(const std::string& folder) {
  const std::string path = folder + "/" + kLockFile;
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status status = rocksdb::Env::Default()->LockFile(path, &lock);
  if (status.ok()) return std::make_unique<FolderLock>(lock);
  const std::string text = status.ToString();
  // Closing any descriptor of a file drops the process's locks on it, so when this process holds
  // the lock itself the file must not be opened to ask.
  if (text.find("current process") != std::string::npos) {
    return Error{Code::kUnavailable, "the data folder " + folder +
                                         " is already open in this process (" +
                                         std::to_string(::getpid()) + ")"};
  }
  const std::string holder = HolderOf(path);
  if (holder.empty() && text.find("emporarily unavailable") == std::string::npos) {
    return ErrorOf(status, "lock the data folder " + folder);
  }
  return Error{Code::kUnavailable, "the data folder " + folder + " is in use by another process" +
                                       holder + "; end it or choose another folder"};
}

FolderLock::~FolderLock() { rocksdb::Env::Default()->UnlockFile(lock_); }

Result<std::unique_ptr<Engine>> RocksEngine::Open(const RocksEngineOptions& options) {
  std::unique_ptr<RocksEngine> engine(new RocksEngine(options.folder));
  Status status;
  if (engine->in_memory()) {
    rocksdb::DBOptions database = DatabaseOptions();
    engine->memory_.reset(rocksdb::NewMemEnv(rocksdb::Env::Default()));
    database.env = engine->memory_.get();
    status = engine->OpenDatabase(database, kMemoryPath);
  } else {
    status = engine->OpenOnDisk();
  }
  if (!status) return status.error();
  return std::unique_ptr<Engine>(std::move(engine));
}

Status RocksEngine::OpenOnDisk() {
  if (Status status = MakeFolder(folder_); !status) return status;
  Result<std::unique_ptr<FolderLock>> lock = FolderLock::Take(folder_);
  if (!lock) return lock.error();
  lock_ = *std::move(lock);
  if (Status status = RefuseLostCurrent(folder_); !status) return status;

  const Result<std::vector<WalFile>> files = InspectWals(folder_);
  if (!files) return files.error();
  if (const std::vector<Damage> damage = DamageOf(*files); !damage.empty()) {
    if (Status status = RememberDamage(folder_, damage); !status) return status;
    if (Status status = CutWals(folder_, *files); !status) return status;
  }
  ReplayCounter counter;
  rocksdb::DBOptions database = DatabaseOptions();
  database.wal_filter = &counter;
  if (Status status = OpenDatabase(database, folder_); !status) return status;

  if (const std::vector<Damage> missed = counter.Missed(*files); !missed.empty()) {
    if (Status status = RememberDamage(folder_, missed); !status) return status;
  }
  Result<std::vector<Damage>> damage = RememberedDamage(folder_);
  if (!damage) return damage.error();
  damage_ = *std::move(damage);
  damage_on_disk_ = !damage_.empty();
  return {};
}

Status RocksEngine::OpenDatabase(rocksdb::DBOptions options, const std::string& path) {
  options.listeners = {bell_};
  rocksdb::DB* database = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(options, path, FamilyDescriptors(), &families_, &database);
  if (!status.ok()) return OpenErrorOf(status, path);
  db_.reset(database);
  return LearnOrigins();
}

}  // namespace rocks

Result<std::unique_ptr<Engine>> OpenRocksEngine(const RocksEngineOptions& options) {
  return rocks::RocksEngine::Open(options);
}

}  // namespace starling
