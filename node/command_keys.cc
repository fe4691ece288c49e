#include "node/command_keys.h"

#include <optional>

#include "storage/number.h"

namespace starling {

bool FindKeys(const CommandSpec& row, Arguments request, std::vector<std::string_view>& keys) {
  const int count = static_cast<int>(request.size());
  const int last = row.last_key < 0 ? count + row.last_key : row.last_key;
  for (int i = row.first_key; i > 0 && i <= last; i += row.key_step) {
    keys.push_back(request[static_cast<size_t>(i)]);
  }
  return row.find_keys == nullptr || row.find_keys(request, keys);
}

bool AppendCountedKeys(Arguments request, size_t at, std::vector<std::string_view>& keys) {
  if (at >= request.size()) return false;
  const std::optional<int64_t> count = Number::ParseInt(request[at]);
  const auto room = static_cast<int64_t>(request.size() - at - 1);
  if (!count || *count < 1 || *count > room) return false;
  Arguments found = request.subspan(at + 1, static_cast<size_t>(*count));
  keys.insert(keys.end(), found.begin(), found.end());
  return true;
}

}  // namespace starling
