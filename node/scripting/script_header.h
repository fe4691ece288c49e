/// The first line of a script, `#!lua name=... flags=no-writes,...`. Stateless.
#pragma once

#include <string_view>

#include "starling/result.h"

namespace starling {

struct ScriptHeader {
  bool given = false;      ///< Without one, a script may write and may be run read-only.
  bool no_writes = false;  ///< Flag no-writes.
  size_t size = 0;         ///< Bytes of the line without its end: Lua must not see them.
};

/// Errors (kInvalidArgument) are Redis's words without a code.
Result<ScriptHeader> ReadScriptHeader(std::string_view text);

}  // namespace starling
