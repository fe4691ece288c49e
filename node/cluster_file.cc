#include "node/cluster_file.h"

#include <charconv>
#include <cstdio>
#include <string_view>

#include "node/random_number.h"

namespace starling {
namespace {

constexpr std::string_view kTitle = "starling-cluster 1";
constexpr size_t kMaxBytes = size_t{1} << 20;

std::string Format(const ClusterRecord& record) {
  char id[17];
  std::snprintf(id, sizeof(id), "%016llx", static_cast<unsigned long long>(record.id));
  std::string text = std::string(kTitle) + "\nid " + id + "\n";
  for (const std::string& name : record.first_members) text += "first-member " + name + "\n";
  for (const std::string& name : record.voters) text += "voter " + name + "\n";
  return text + "end\n";
}

/// Fills `record` from one line; false when it makes no sense.
bool ParseLine(std::string_view line, ClusterRecord& record) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view word = line.substr(0, space);
  const std::string_view rest = line.substr(space + 1);
  if (word == "id") {
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), record.id, 16);
    return error == std::errc() && end == rest.data() + rest.size() && record.id != 0;
  }
  if (word == "first-member") record.first_members.emplace_back(rest);
  if (word == "voter") record.voters.emplace_back(rest);
  return word == "first-member" || word == "voter";
}

Result<ClusterRecord> Parse(const std::string& file, std::string_view text) {
  ClusterRecord record;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line == "end" && record.id != 0) return record;
    if (number == 1 ? line != kTitle : !ParseLine(line, record)) {
      return Error{Code::kCorruption, file + ": line " + std::to_string(number) +
                                          " is not that of a cluster record; remove the file if "
                                          "no cluster of this name lives on this host"};
    }
  }
  return Error{Code::kCorruption, file +
                                      ": its end is missing; remove the file if no cluster of "
                                      "this name lives on this host"};
}

}  // namespace

Result<std::optional<ClusterRecord>> ReadClusterFile(const Folder& folder,
                                                     const std::string& name) {
  Result<std::string> text = ReadWhole(folder, name, kMaxBytes);
  if (!text) {
    if (text.error().code == Code::kNotFound) return std::optional<ClusterRecord>();
    return text.error();
  }
  Result<ClusterRecord> record = Parse(folder.path + "/" + name, *text);
  if (!record) return record.error();
  return std::optional<ClusterRecord>(*std::move(record));
}

Result<ClusterRecord> EnsureClusterFile(const Folder& folder, const std::string& name,
                                        const ClusterRecord& candidate, mode_t mode) {
  // The second round is for a file that was removed between creating and reading.
  for (int round = 0; round < 2; ++round) {
    Result<std::optional<ClusterRecord>> present = ReadClusterFile(folder, name);
    if (!present) return present.error();
    if (present->has_value()) return **std::move(present);
    const Status created = CreateWhole(folder, name, Format(candidate), mode, true);
    if (created) return candidate;
    if (created.error().code != Code::kAlreadyExists) return created.error();
  }
  Result<std::optional<ClusterRecord>> present = ReadClusterFile(folder, name);
  if (!present) return present.error();
  if (present->has_value()) return **std::move(present);
  return Error{Code::kIo, folder.path + "/" + name + " comes and goes while it is being created"};
}

ClusterRecord NewClusterRecord(const std::string& first_member, std::vector<std::string> voters) {
  ClusterRecord record;
  while (record.id == 0) record.id = RandomNumber();
  record.first_members.push_back(first_member);
  record.voters = std::move(voters);
  return record;
}

}  // namespace starling
