/// The text of INFO: Redis's sections and fields, as far as starling has a true value for them.
#pragma once

#include <string>
#include <vector>

#include "server/shared_state.h"

namespace starling {

/// `sections`: lower case; empty, `default`: Redis's default ones; `all`, `everything`: every one.
/// Names that are no section give nothing. Thread-safe; asks the replication thread where members
/// are shown.
std::string InfoText(const SharedState& shared, const std::vector<std::string>& sections);

}  // namespace starling
