/// What clients read while the log does not take what they write: as Redis words it, MISCONF.
#pragma once

#include <string>

#include "starling/result.h"

namespace starling {

/// In the place of a reply whose commit has failed (I7, I13).
inline std::string NotLogged(const Error& error) {
  if (error.code != Code::kUnknownOutcome) return "MISCONF " + error.message;
  return "MISCONF The append to the log failed, so the outcome of this command is unknown: " +
         error.message;
}

}  // namespace starling
