/// RocksDB's outcomes as starling's.
#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "starling/result.h"

namespace starling::rocks {

/// The error of a failed call: kCorruption, kIo or kUnavailable, with what was being done and
/// RocksDB's own words, which name the file. `status` must not be ok.
Error ErrorOf(const rocksdb::Status& status, std::string_view doing);

/// As ErrorOf, for a write to the log: once it was begun, its bytes may be on disk.
Error WriteErrorOf(const rocksdb::Status& status, std::string_view doing);

}  // namespace starling::rocks
