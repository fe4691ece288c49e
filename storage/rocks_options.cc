#include "storage/rocks_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <memory>

#include "storage/rocks_log_files.h"

namespace starling::rocks {
namespace {

/// Shared by all families: index blocks and what a read happens to touch. Reads are rare (start-up,
/// peers that lag), so a bigger cache would only hold memory.
constexpr size_t kBlockCacheBytes = 1 << 20;
constexpr size_t kLogBlockBytes = 32 << 10;
constexpr size_t kStateBlockBytes = 16 << 10;
/// A full memtable becomes one file of the log: small ones are dropped sooner, big ones cost
/// memory.
constexpr size_t kLogMemtableBytes = 4 << 20;
/// One fills, one is being written out, one is ready in case the disk is slow for a moment. A
/// fourth would make RocksDB slow writers down before it stops them.
constexpr int kLogMemtables = 3;
/// Twice what the engine lets gather before it flushes: RocksDB never finds it full on its own.
constexpr size_t kStateMemtableBytes = 8 << 20;
constexpr size_t kSmallMemtableBytes = 64 << 10;
/// Log files before RocksDB merges some. Dropping whole files keeps them fewer; this bounds them
/// when one record that nobody drops pins the oldest.
constexpr int kLogFilesToMerge = 40;
/// RocksDB throttles all families when one has many files. What paces ours is the checkpoint and,
/// for the state, the engine; these limits are out of the way.
constexpr int kFilesNeverReached = 1 << 20;
constexpr int kStateFilesToMerge = 8;
constexpr uint64_t kStateFileBytes = 16 << 20;
constexpr uint64_t kStateBaseBytes = 64 << 20;
/// A record of `meta` or an unflushed piece of state pins every log file written since; beyond this
/// RocksDB writes them out. Must be above all memtables of the log together.
constexpr uint64_t kMaxWalBytes = 24 << 20;
constexpr int kMaxOpenFiles = 128;
constexpr size_t kWriteBufferBytes = 256 << 10;

/// Table options common to all; `cache` is shared.
rocksdb::BlockBasedTableOptions TableOptions(const std::shared_ptr<rocksdb::Cache>& cache,
                                             size_t block_bytes) {
  rocksdb::BlockBasedTableOptions options;
  options.block_cache = cache;
  options.block_size = block_bytes;
  // In the cache they are bounded; outside it every open file would keep its own.
  options.cache_index_and_filter_blocks = true;
  return options;
}

rocksdb::CompressionType StateCompression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  for (const auto type : {rocksdb::kLZ4Compression, rocksdb::kSnappyCompression}) {
    if (std::find(supported.begin(), supported.end(), type) != supported.end()) return type;
  }
  return rocksdb::kNoCompression;
}

rocksdb::ColumnFamilyOptions BaseOptions(size_t memtable_bytes, int memtables) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = memtable_bytes;
  options.max_write_buffer_number = memtables;
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kDisableCompressionOption;
  options.level0_slowdown_writes_trigger = kFilesNeverReached;
  options.level0_stop_writes_trigger = kFilesNeverReached;
  options.soft_pending_compaction_bytes_limit = 0;
  options.hard_pending_compaction_bytes_limit = 0;
  return options;
}

/// Universal compaction over level 0 alone: a queue of files in order of time, merged only past
/// kLogFilesToMerge, dropped whole by DropDeadLogFiles. Levelled compaction would rewrite the log
/// of all streams for every few files written, since each file spans all of them. No compression: a
/// log record lives for a minute, and the processor is needed elsewhere.
rocksdb::ColumnFamilyOptions LogOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = BaseOptions(kLogMemtableBytes, kLogMemtables);
  options.num_levels = 1;
  options.compaction_style = rocksdb::kCompactionStyleUniversal;
  options.level0_file_num_compaction_trigger = kLogFilesToMerge;
  options.table_properties_collector_factories = {LogContentsCollector()};
  rocksdb::BlockBasedTableOptions table = TableOptions(cache, kLogBlockBytes);
  // A record may be a block of megabytes, and a search looks at every file: it is to read those
  // blocks only that it comes to.
  table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearchWithFirstKey;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::ColumnFamilyOptions StateOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = BaseOptions(kStateMemtableBytes, 2);
  options.compression = StateCompression();
  // A checkpoint leaves a file for each kStateMemtableBytes; reads are rare, merging is not free.
  options.level0_file_num_compaction_trigger = kStateFilesToMerge;
  options.level_compaction_dynamic_level_bytes = true;
  options.target_file_size_base = kStateFileBytes;
  options.max_bytes_for_level_base = kStateBaseBytes;
  options.table_factory.reset(
      rocksdb::NewBlockBasedTableFactory(TableOptions(cache, kStateBlockBytes)));
  return options;
}

rocksdb::ColumnFamilyOptions SmallOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = BaseOptions(kSmallMemtableBytes, 2);
  options.table_factory.reset(
      rocksdb::NewBlockBasedTableFactory(TableOptions(cache, kStateBlockBytes)));
  return options;
}

/// RocksDB's information log is not written: what goes wrong comes back as a status, and Debian's
/// RocksDB ends the process by an assertion when that file meets a full disk.
class NoLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

rocksdb::DBOptions DatabaseOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = kMaxWalBytes;
  // Recycled log files cannot be told from torn ones by their length (wal_inspection.h).
  options.recycle_log_file_num = 0;
  // What was not flushed by then is in the log; a quick end matters more than a quick start.
  options.avoid_flush_during_shutdown = true;
  options.max_background_jobs = 2;
  options.max_open_files = kMaxOpenFiles;
  options.max_file_opening_threads = 1;
  options.table_cache_numshardbits = 2;
  options.writable_file_max_buffer_size = kWriteBufferBytes;
  options.skip_stats_update_on_db_open = true;
  options.avoid_unnecessary_blocking_io = true;
  // The journal is the one writer of the log: nothing to run concurrently, and waiting by spinning
  // would take the processor from it.
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  // After an error the node is read-only until it is restarted; RocksDB shall not start again by
  // itself.
  options.max_bgerror_resume_count = 0;
  options.info_log = std::make_shared<NoLogger>();
  options.max_manifest_file_size = 4 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> FamilyDescriptors() {
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(kBlockCacheBytes, 0);
  return {{rocksdb::kDefaultColumnFamilyName, SmallOptions(cache)},
          {kLogFamily, LogOptions(cache)},
          {kStateFamily, StateOptions(cache)},
          {kMetaFamily, SmallOptions(cache)}};
}

}  // namespace starling::rocks
