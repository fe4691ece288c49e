/// Backups on disk: what Engine::Backup leaves, how it is checked and made a data folder again.
///
/// A backup is a folder with the files of a RocksDB checkpoint and SHA256SUMS, one line for each of
/// them as sha256sum writes and checks it. Stateless; all block on I/O.
#pragma once

#include <string>

#include "starling/result.h"

namespace starling {

/// The meta record that RestoreBackup leaves, with value "yes": whoever opens the folder must begin
/// a new incarnation, since what it holds has lived on elsewhere.
inline constexpr const char* kRestoredMeta = "restored";

/// Writes SHA256SUMS for the files in `folder` and makes all of them durable. Errors: kIo.
Status WriteChecksums(const std::string& folder);

/// Reads every file of the backup and compares. Errors: kNotFound (no backup there), kCorruption
/// (names the file that differs, is missing or does not belong there), kIo.
Status VerifyBackup(const std::string& folder);

/// Makes `to` a data folder with the content of the backup `from`, checksums verified on the way,
/// with the record kRestoredMeta. `to` must not exist or be empty: kAlreadyExists otherwise. Errors
/// beside it: those of VerifyBackup. A failure leaves `to` as it was; it comes into being in one
/// step.
Status RestoreBackup(const std::string& from, const std::string& to);

}  // namespace starling
