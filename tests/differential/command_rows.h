/// Whether COMMAND INFO says the same of every command that both servers know.
#pragma once

#include <string>
#include <vector>

#include "starling/result.h"
#include "tests/support/resp_client.h"

namespace starling {

struct RowComparison {
  size_t compared = 0;
  std::vector<std::string> differences;  ///< One line each: command, field, both values.
};

/// Name, arity, flags and key positions, subcommands included. An error: a server failed.
Result<RowComparison> CompareCommandRows(RespClient& redis, RespClient& starling);

}  // namespace starling
