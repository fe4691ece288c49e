/// How RocksDB is set up: small resident memory, no surprises in latency.
///
/// Every figure of the engine stands in rocks_options.cc with its reason.
#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <string>
#include <vector>

namespace starling::rocks {

/// Bytes of state writes after which the writer itself flushes them (rocks_engine.cc).
inline constexpr uint64_t kStateFlushBytes = 4 << 20;
/// Unmerged state files at which the writer of the state waits for compaction.
inline constexpr int kStateFilesToWait = 16;

inline constexpr const char* kLogFamily = "log";
inline constexpr const char* kStateFamily = "state";
inline constexpr const char* kMetaFamily = "meta";

rocksdb::DBOptions DatabaseOptions();

/// default, log, state, meta: in this order.
std::vector<rocksdb::ColumnFamilyDescriptor> FamilyDescriptors();

}  // namespace starling::rocks
