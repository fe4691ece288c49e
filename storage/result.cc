#include "starling/result.h"

namespace starling {

const char* CodeName(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "invalid argument";
    case Code::kNotFound:
      return "not found";
    case Code::kAlreadyExists:
      return "already exists";
    case Code::kWrongType:
      return "wrong type";
    case Code::kRefused:
      return "refused";
    case Code::kOutOfRange:
      return "out of range";
    case Code::kReadOnly:
      return "read-only";
    case Code::kCorruption:
      return "corruption";
    case Code::kIo:
      return "I/O error";
    case Code::kLimitExceeded:
      return "limit exceeded";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kUnknownOutcome:
      return "unknown outcome";
    case Code::kClosed:
      return "closed";
  }
  return "unknown code";
}

}  // namespace starling
