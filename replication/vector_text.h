/// Version vectors inside the texts of the cluster's own database.
///
/// Pure functions. What cannot be read is nullopt or false, and the rest of the text is then
/// unspecified.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/version_vector.h"

namespace starling {

/// Takes a decimal number off the front of `text`.
std::optional<uint64_t> TakeNumber(std::string_view& text);
/// Takes `wanted` off the front of `text`.
bool TakeChar(std::string_view& text, char wanted);
/// Per stream `;<node>.<incarnation>=<upto>`.
std::string StreamsText(const VersionVector& streams);
/// The whole of `text` must be what StreamsText writes.
std::optional<VersionVector> ParseStreams(std::string_view text);

}  // namespace starling
