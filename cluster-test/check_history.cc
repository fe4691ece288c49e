/// starling_check_history FILE: whether a recorded history is linearizable, key by key.
///
/// A line an operation: key, kind (get, set, set-if-absent, delete, delete-if-equal, increment),
/// argument, result, when it was called and when it returned (whole numbers of one clock), client;
/// separated by tabs. `-`: no argument, a result of none. A result `?`: the outcome is unknown.
/// Ends with 0 where it is, with 1 where it is not (and says why), with 2 where the file cannot be
/// read or the search gave up.
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/linearizability.h"

namespace starling {
namespace {

std::optional<KeyOperation::Kind> KindNamed(const std::string& name) {
  using Kind = KeyOperation::Kind;
  static const std::map<std::string, Kind> kKinds = {{"get", Kind::kGet},
                                                     {"set", Kind::kSet},
                                                     {"delete", Kind::kDelete},
                                                     {"set-if-absent", Kind::kSetIfAbsent},
                                                     {"increment", Kind::kIncrement},
                                                     {"delete-if-equal", Kind::kDeleteIfEqual}};
  const auto found = kKinds.find(name);
  return found == kKinds.end() ? std::nullopt : std::optional(found->second);
}

/// False where the line is no operation.
bool ReadLine(const std::string& line, std::map<std::string, std::vector<KeyOperation>>& keys) {
  std::istringstream words(line);
  std::string key, kind, argument, result;
  KeyOperation operation;
  if (!std::getline(words, key, '\t') || !std::getline(words, kind, '\t') ||
      !std::getline(words, argument, '\t') || !std::getline(words, result, '\t')) {
    return false;
  }
  if (!(words >> operation.called >> operation.returned >> operation.client)) return false;
  const auto known = KindNamed(kind);
  if (!known || operation.returned < operation.called) return false;
  operation.kind = *known;
  if (argument != "-") operation.argument = argument;
  operation.unknown = result == "?";
  if (result != "-" && result != "?") operation.result = result;
  keys[key].push_back(std::move(operation));
  return true;
}

int Check(const std::map<std::string, std::vector<KeyOperation>>& keys) {
  size_t operations = 0;
  for (const auto& [key, history] : keys) {
    operations += history.size();
    const Linearization found = CheckLinearizable(history);
    if (found.possible) continue;
    std::printf("key %s: %s\n", key.c_str(),
                found.gave_up ? "the search gave up" : "not linearizable");
    if (found.gave_up) return 2;
    const size_t shown = std::min<size_t>(found.longest.size(), 10);
    std::printf("  the last of %zu in the longest order:\n", found.longest.size());
    for (size_t i = found.longest.size() - shown; i < found.longest.size(); ++i) {
      std::printf("    %s\n", ToString(found.longest[i]).c_str());
    }
    std::printf("  none of these can come next:\n");
    for (const KeyOperation& operation : found.stuck) {
      std::printf("    %s\n", ToString(operation).c_str());
    }
    return 1;
  }
  std::printf("%zu operations on %zu keys: linearizable\n", operations, keys.size());
  return 0;
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: starling_check_history FILE\n");
    return 2;
  }
  std::ifstream file(argv[1]);
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", argv[1]);
    return 2;
  }
  std::map<std::string, std::vector<starling::KeyOperation>> keys;
  size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (starling::ReadLine(line, keys)) continue;
    std::fprintf(stderr,
                 "%s:%zu: not an operation: key, kind, argument, result, called, returned, "
                 "client, by tabs\n",
                 argv[1], number);
    return 2;
  }
  return starling::Check(keys);
}
