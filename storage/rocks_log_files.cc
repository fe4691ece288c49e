#include "storage/rocks_log_files.h"

#include <map>
#include <string>
#include <string_view>

#include "storage/rocks_keys.h"
#include "storage/rocks_status.h"

namespace starling::rocks {
namespace {

/// Value: the last log key of each stream in the file, one after another.
constexpr const char* kContentsProperty = "starling.log.contents";

class Collector final : public rocksdb::TablePropertiesCollector {
 public:
  const char* Name() const override { return kContentsProperty; }

  rocksdb::Status AddUserKey(const rocksdb::Slice& key, const rocksdb::Slice&,
                             rocksdb::EntryType type, rocksdb::SequenceNumber, uint64_t) override {
    if (type != rocksdb::kEntryPut || key.size() != kLogKeyBytes) return rocksdb::Status::OK();
    const std::string_view view = key.ToStringView();
    // Keys come in order, so the last of a stream replaces the one before.
    if (!last_.empty() && LogKeyOrigin(last_) != LogKeyOrigin(view)) contents_ += last_;
    last_ = view;
    return rocksdb::Status::OK();
  }

  rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
    contents_ += last_;
    last_.clear();
    (*properties)[kContentsProperty] = contents_;
    return rocksdb::Status::OK();
  }

  rocksdb::UserCollectedProperties GetReadableProperties() const override { return {}; }

 private:
  std::string last_;
  std::string contents_;
};

class CollectorFactory final : public rocksdb::TablePropertiesCollectorFactory {
 public:
  const char* Name() const override { return kContentsProperty; }
  rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(Context) override {
    return new Collector;  // RocksDB owns it.
  }
};

/// Whether the stream of `last` still has a record at or before it.
bool Held(rocksdb::Iterator& records, std::string_view last) {
  records.Seek(rocksdb::Slice(LogKey(LogKeyOrigin(last), Stamp{}).str()));
  // An iterator that fails holds everything: dropping is never urgent.
  if (!records.Valid()) return !records.status().ok();
  return records.key().ToStringView() <= last;
}

bool FileIsDead(rocksdb::Iterator& records, const rocksdb::TableProperties& properties) {
  const auto found = properties.user_collected_properties.find(kContentsProperty);
  if (found == properties.user_collected_properties.end()) return false;
  const std::string_view contents = found->second;
  if (contents.size() % kLogKeyBytes != 0) return false;
  for (size_t at = 0; at < contents.size(); at += kLogKeyBytes) {
    if (Held(records, contents.substr(at, kLogKeyBytes))) return false;
  }
  return true;
}

}  // namespace

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> LogContentsCollector() {
  return std::make_shared<CollectorFactory>();
}

Status DropDeadLogFiles(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& log) {
  rocksdb::ColumnFamilyMetaData family;
  db.GetColumnFamilyMetaData(&log, &family);
  // All files are in level 0 (rocks_options.cc), newest first.
  if (family.levels.empty() || family.levels[0].files.empty()) return {};
  rocksdb::TablePropertiesCollection properties;
  if (const auto status = db.GetPropertiesOfAllTables(&log, &properties); !status.ok()) {
    return ErrorOf(status, "read the properties of log files");
  }
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> records(db.NewIterator(options, &log));
  std::vector<std::string> dead;
  const auto& files = family.levels[0].files;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    const auto found = properties.find(file->db_path + file->name);
    if (found == properties.end() || !FileIsDead(*records, *found->second)) break;
    dead.push_back(file->name);
  }
  for (const std::string& name : dead) {
    if (const auto status = db.DeleteFile(name); !status.ok()) {
      return ErrorOf(status, "drop log file " + name);
    }
  }
  return {};
}

}  // namespace starling::rocks
