/// Reads RocksDB's write-ahead log files before RocksDB does, to say exactly where one is damaged.
///
/// RocksDB ends its own reading at the first fault without telling where or how much it left out; a
/// cut that nobody is told of is not allowed here (I10). Source of the format: RocksDB's wiki,
/// "Write Ahead Log File Format": blocks of 32 KiB; each holds fragments of records with a header
/// of 7 bytes (masked CRC-32C, length, type), 11 in recycled files (plus the file's number).
/// Stateless; blocks on reading.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "starling/result.h"
#include "storage/engine.h"

namespace starling {

/// What one log file holds, up to the first fault.
struct WalFile {
  std::string path;
  uint64_t number = 0;
  uint64_t size = 0;
  uint64_t records = 0;      ///< Whole records.
  uint64_t valid_bytes = 0;  ///< Where the last whole record ends; `size` when nothing is wrong.
  std::string fault;         ///< What is wrong at `valid_bytes`; empty: nothing.
};

/// Reads one file. Errors: kIo.
Result<WalFile> InspectWal(const std::string& path, uint64_t number);

/// Reads the log files of `folder` in order, up to the first that is damaged; the files after that
/// are listed unread, with fault "follows a damaged file". Errors: kIo.
Result<std::vector<WalFile>> InspectWals(const std::string& folder);

/// What CutWals would cut.
std::vector<Engine::Damage> DamageOf(const std::vector<WalFile>& files);

/// Makes the files end where their first fault is: keeps what is cut off in `<folder>/cut` (in
/// place of what an earlier cut left there), then takes away the files after the damaged one, last
/// first, and shortens that one. A crash at any moment leaves files that are again found damaged at
/// the same position, or are already cut. Errors: kIo.
Status CutWals(const std::string& folder, const std::vector<WalFile>& files);

}  // namespace starling
