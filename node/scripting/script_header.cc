#include "node/scripting/script_header.h"

#include <algorithm>
#include <string>

namespace starling {
namespace {

/// Redis's flags. All but no-writes allow what this node never forbids.
constexpr std::string_view kFlags[] = {"no-writes", "allow-oom", "allow-stale", "no-cluster",
                                       "allow-cross-slot-keys"};

/// Takes the text up to `mark`, and the mark.
std::string_view Take(std::string_view& rest, char mark) {
  const size_t end = std::min(rest.find(mark), rest.size());
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return taken;
}

Error Refused(std::string_view what, std::string_view word) {
  return {Code::kInvalidArgument, std::string(what) + std::string(word)};
}

}  // namespace

Result<ScriptHeader> ReadScriptHeader(std::string_view text) {
  ScriptHeader header;
  if (!text.starts_with("#!")) return header;
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return Refused("Invalid script shebang", "");
  header.given = true;
  header.size = end;
  std::string_view rest = text.substr(0, end);
  const std::string_view engine = Take(rest, ' ');
  if (engine != "#!lua") return Refused("Unexpected engine in script shebang: ", engine);
  while (!rest.empty()) {
    std::string_view option = Take(rest, ' ');
    if (option.empty()) continue;
    if (!option.starts_with("flags=")) return Refused("Unknown lua shebang option: ", option);
    option.remove_prefix(6);
    while (!option.empty()) {
      const std::string_view flag = Take(option, ',');
      if (std::find(std::begin(kFlags), std::end(kFlags), flag) == std::end(kFlags)) {
        return Refused("Unexpected flag in script shebang: ", flag);
      }
      header.no_writes |= flag == kFlags[0];
    }
  }
  return header;
}

}  // namespace starling
