#include "tests/differential/command_rows.h"

#include <algorithm>
#include <map>

namespace starling {
namespace {

/// The fields of a row that are compared; flags come as a set.
constexpr const char* kFields[] = {"name", "arity", "flags", "first key", "last key", "key step"};
constexpr size_t kFlags = 2;
constexpr size_t kSubcommands = 9;

/// Flags that say how Redis runs inside, which starling need not.
bool IsInternalFlag(const std::string& flag) {
  return flag == "no_async_loading" || flag == "no_multi" || flag == "no_mandatory_keys";
}

std::string FieldText(const RespReply& row, size_t field) {
  if (field >= row.elements.size()) return "(missing)";
  if (field != kFlags) return row.elements[field].text;
  std::vector<std::string> flags;
  for (const RespReply& flag : row.elements[field].elements) {
    if (!IsInternalFlag(flag.text)) flags.push_back(flag.text);
  }
  std::sort(flags.begin(), flags.end());
  std::string text;
  for (const std::string& flag : flags) text += (text.empty() ? "" : " ") + flag;
  return text;
}

using Rows = std::map<std::string, const RespReply*>;

void Collect(const RespReply& list, Rows& rows) {
  for (const RespReply& row : list.elements) {
    if (row.elements.size() < std::size(kFields)) continue;
    rows[row.elements[0].text] = &row;
    if (row.elements.size() > kSubcommands) Collect(row.elements[kSubcommands], rows);
  }
}

}  // namespace

Result<RowComparison> CompareCommandRows(RespClient& redis, RespClient& starling) {
  Result<RespReply> by_redis = redis.Call({"COMMAND"});
  if (!by_redis) return by_redis.error();
  Result<RespReply> by_starling = starling.Call({"COMMAND"});
  if (!by_starling) return by_starling.error();
  Rows expected;
  Rows actual;
  Collect(*by_redis, expected);
  Collect(*by_starling, actual);
  RowComparison result;
  for (const auto& [name, row] : actual) {
    auto same = expected.find(name);
    if (same == expected.end()) continue;  // starling's own
    ++result.compared;
    for (size_t field = 0; field < std::size(kFields); ++field) {
      std::string redis_text = FieldText(*same->second, field);
      std::string starling_text = FieldText(*row, field);
      if (redis_text == starling_text) continue;
      result.differences.push_back(name + ": " + kFields[field] + " is \"" + starling_text +
                                   "\", in Redis \"" + redis_text + "\"");
    }
  }
  return result;
}

}  // namespace starling
