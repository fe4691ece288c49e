/// Which words of a request are keys.
///
/// Stateless. Most commands say it by first, last and step; where a count stands before the keys
/// (ZUNION) or an option names one (SORT ... STORE), the row has a function of its own.
#pragma once

#include <string_view>
#include <vector>

#include "node/command.h"

namespace starling {

/// Appends the keys of `request`, whose arity fits `row`. False where its words cannot be read;
/// `keys` then holds some of them. The keys borrow from the request.
bool FindKeys(const CommandSpec& row, Arguments request, std::vector<std::string_view>& keys);

/// Appends the keys behind the word at `at`, which says how many they are.
bool AppendCountedKeys(Arguments request, size_t at, std::vector<std::string_view>& keys);

/// As a row's `find_keys`.
template <size_t at>
bool CountedKeys(Arguments request, std::vector<std::string_view>& keys) {
  return AppendCountedKeys(request, at, keys);
}

}  // namespace starling
