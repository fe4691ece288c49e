/// What the leaseholder answered, read for callers of the library: RESP2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "starling/result.h"

namespace starling {

/// What an error reply (`-...`) means for the caller.
Error ErrorOfReply(std::string_view reply);

/// The reply's value; an error reply as its error. kUnknownOutcome for what is no such reply: the
/// command may have been run.
Result<int64_t> IntegerOfReply(std::string_view reply);
Result<std::optional<std::string>> BulkOfReply(std::string_view reply);
/// The elements of a flat array, each as a reply of its own. Views of `reply`.
Result<std::vector<std::string_view>> ElementsOfReply(std::string_view reply);
/// The error of a reply that is not what its command answers.
Error NotUnderstood();
/// `+OK`.
Status OkOfReply(std::string_view reply);

}  // namespace starling
