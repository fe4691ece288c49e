/// Redis's packed sequences, which stand as one string in an RDB value: listpack (Redis 7), ziplist
/// (before), intset.
///
/// Reading only, safe on any bytes (I11). Sources: the format descriptions at the head of Redis's
/// listpack, ziplist and intset. Stateless.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace starling {

/// A value of more elements is refused: a few bytes of an element become many in memory.
inline constexpr size_t kMaxRdbElements = size_t{1} << 25;

/// Appends the elements' texts; false where the bytes are malformed, `elements` then holds some.
bool ReadListpack(std::string_view bytes, std::vector<std::string>& elements);
bool ReadZiplist(std::string_view bytes, std::vector<std::string>& elements);
bool ReadIntset(std::string_view bytes, std::vector<std::string>& elements);

}  // namespace starling
