#include "storage/rocks_status.h"

#include <string>

namespace starling::rocks {
namespace {

Code CodeOf(const rocksdb::Status& status) {
  if (status.IsCorruption()) return Code::kCorruption;
  if (status.IsBusy() || status.IsTryAgain() || status.IsTimedOut()) return Code::kUnavailable;
  if (status.IsShutdownInProgress()) return Code::kClosed;
  if (status.IsInvalidArgument() || status.IsNotSupported()) return Code::kInvalidArgument;
  if (status.IsMemoryLimit()) return Code::kLimitExceeded;
  return Code::kIo;
}

}  // namespace

Error ErrorOf(const rocksdb::Status& status, std::string_view doing) {
  return Error{CodeOf(status), "cannot " + std::string(doing) + ": " + status.ToString()};
}

Error WriteErrorOf(const rocksdb::Status& status, std::string_view doing) {
  Error error = ErrorOf(status, doing);
  if (error.code == Code::kIo || error.code == Code::kCorruption) {
    error.code = Code::kUnknownOutcome;
  }
  return error;
}

}  // namespace starling::rocks
