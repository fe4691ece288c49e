/// Lets the `log` family's files go, oldest first, once nothing in them is held any more.
///
/// The log is a queue: written at one end, dropped at the other. Compaction would copy it again and
/// again to drop what it could drop by whole files, and RocksDB's FIFO style drops by size alone,
/// also what is still needed. So each file notes, when it is written, up to where it holds each
/// stream, and DropDeadLogFiles takes the oldest files away for which that is all dropped.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/table_properties.h>

#include <memory>

#include "starling/result.h"

namespace starling::rocks {

/// Notes in each file of the log family which streams it holds up to where.
std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> LogContentsCollector();

/// Deletes the oldest files of the log family as long as they hold nothing that can still be read.
/// Not to be called from two threads at once. A failure leaves the files for the next call.
Status DropDeadLogFiles(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& log);

}  // namespace starling::rocks
