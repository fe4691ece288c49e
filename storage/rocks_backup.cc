#include <rocksdb/env.h>
#include <rocksdb/utilities/checkpoint.h>

#include <filesystem>
#include <system_error>

#include "storage/backup.h"
#include "storage/posix_file.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_options.h"
#include "storage/rocks_status.h"

namespace starling::rocks {
namespace {

namespace fs = std::filesystem;

/// Opens the copy and lets RocksDB verify the checksum of every block.
Status VerifyBlocks(const std::string& folder) {
  rocksdb::DBOptions options = DatabaseOptions();
  // RocksDB purges in the background only what it has opened for writing, and asserts that.
  options.avoid_unnecessary_blocking_io = false;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::DB* opened = nullptr;
  auto status =
      rocksdb::DB::OpenForReadOnly(options, folder, FamilyDescriptors(), &families, &opened);
  if (!status.ok()) return ErrorOf(status, "open the backup " + folder);
  const std::unique_ptr<rocksdb::DB> copy(opened);
  status = copy->VerifyChecksum();
  for (rocksdb::ColumnFamilyHandle* family : families) copy->DestroyColumnFamilyHandle(family);
  if (!status.ok()) return ErrorOf(status, "verify the backup " + folder);
  return {};
}

}  // namespace

Status RocksEngine::Backup(const std::string& where) {
  std::string folder = where;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  if (in_memory()) {
    return Error{Code::kRefused, "an ephemeral node has nothing on disk to back up"};
  }
  std::error_code error;
  if (folder.empty() || fs::exists(folder, error)) {
    return Error{Code::kAlreadyExists,
                 "cannot back up into \"" + folder + "\": name a folder that does not exist yet"};
  }
  const std::string parent = fs::path(folder).parent_path().string();
  if (!parent.empty()) {
    if (Status status = MakeFolder(parent); !status) return status;
  }
  rocksdb::Checkpoint* created = nullptr;
  auto made = rocksdb::Checkpoint::Create(db_.get(), &created);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(created);
  if (made.ok()) made = checkpoint->CreateCheckpoint(folder);
  if (!made.ok()) return ErrorOf(made, "back up into " + folder);
  Status status = VerifyBlocks(folder);
  if (status) status = WriteChecksums(folder);
  if (status) status = VerifyBackup(folder);
  // A backup that failed its check must not be taken for one.
  if (!status) fs::remove_all(folder, error);
  return status;
}

}  // namespace starling::rocks
