#include "replication/epoch_record.h"

#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "replication/vector_text.h"

namespace starling {
namespace {

constexpr std::string_view kKey = "lease";
/// Elements are called by this and the epoch's number.
constexpr std::string_view kEpoch = "epoch/";
/// In a record, before the epoch that it follows; then the voters. Older ones have no such line.
constexpr std::string_view kAfter = "after ";
/// Forced voters are called by this and their version.
constexpr std::string_view kForced = "forced/";
/// Between a holder's name, which may hold anything but this, its streams, and the voters.
constexpr char kEnd = '\n';

std::string IdOf(uint64_t epoch) { return std::string(kEpoch) + std::to_string(epoch); }

std::optional<uint64_t> NumberIn(std::string_view id, std::string_view prefix) {
  if (!id.starts_with(prefix)) return std::nullopt;
  std::string_view rest = id.substr(prefix.size());
  const auto number = TakeNumber(rest);
  return rest.empty() ? number : std::nullopt;
}

std::string TextOf(const Value& payload) {
  return payload.kind == Value::Kind::kNumber ? payload.number.ToString()
                                              : std::string(payload.bytes);
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (;;) {
    const size_t end = text.find(kEnd);
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

/// A version and the names, a line each; records from before there were any end without.
std::string VotersText(const VoterSet& voters) {
  std::string text = std::to_string(voters.version);
  for (const std::string& name : voters.names) text += kEnd + name;
  return text;
}

std::optional<VoterSet> ParseVoters(std::span<const std::string_view> lines) {
  std::string_view version = lines[0];
  const auto number = TakeNumber(version);
  if (!number || !version.empty()) return std::nullopt;
  return VoterSet{*number, {lines.begin() + 1, lines.end()}};
}

std::optional<EpochRecord> Parse(const Value& payload) {
  const std::string text = TextOf(payload);
  const std::vector<std::string_view> lines = Lines(text);
  if (lines.size() < 2) return std::nullopt;
  auto vector = ParseStreams(lines[1]);
  if (!vector) return std::nullopt;
  EpochRecord record{std::string(lines[0]), *std::move(vector), {}, std::nullopt};
  std::span<const std::string_view> rest = std::span(lines).subspan(2);
  if (!rest.empty() && rest[0].starts_with(kAfter)) {
    record.follows = NumberIn(rest[0], kAfter);
    if (!record.follows) return std::nullopt;
    rest = rest.subspan(1);
  }
  if (rest.empty()) return record;
  auto voters = ParseVoters(rest);
  if (!voters) return std::nullopt;
  record.voters = *std::move(voters);
  return record;
}

}  // namespace

void WriteEpochRecord(Keyspace& keyspace, uint64_t epoch, const EpochRecord& record) {
  std::string text = record.holder + kEnd + StreamsText(record.vector);
  if (record.follows) text += kEnd + std::string(kAfter) + std::to_string(*record.follows);
  if (record.voters.version != 0) text += kEnd + VotersText(record.voters);
  const KeyRef key = keyspace.Ref(kClusterDatabase, kKey);
  Access access = keyspace.Lock(key);
  access.AddElement(key, ElementType::kHash, IdOf(epoch), Value::Bytes(text));
  std::vector<std::string> old;
  access.ForEachElement(key, ElementType::kHash, [&](std::string_view id, const Value&) {
    const auto earlier = NumberIn(id, kEpoch);
    if (earlier && *earlier + kEpochsKept <= epoch) old.emplace_back(id);
  });
  for (const std::string& id : old) access.RemoveElement(key, ElementType::kHash, id);
}

EpochRecords ReadEpochRecords(Keyspace& keyspace) {
  EpochRecords records;
  const KeyRef key = keyspace.Ref(kClusterDatabase, kKey);
  Access access = keyspace.Lock(key);
  access.ForEachElement(key, ElementType::kHash, [&](std::string_view id, const Value& payload) {
    const auto epoch = NumberIn(id, kEpoch);
    if (!epoch) return;
    if (auto record = Parse(payload)) records[*epoch] = *std::move(record);
  });
  return records;
}

EpochRecords LineageOf(const EpochRecords& records, uint64_t epoch) {
  EpochRecords lineage;
  for (auto found = records.find(epoch); found != records.end();) {
    lineage.insert(*found);
    const std::optional<uint64_t> follows = found->second.follows;
    if (follows) {
      found = *follows < found->first ? records.find(*follows) : records.end();
    } else {
      found = found == records.begin() ? records.end() : std::prev(found);
    }
  }
  return lineage;
}

void WriteForcedVoters(Keyspace& keyspace, const VoterSet& voters) {
  const KeyRef key = keyspace.Ref(kClusterDatabase, kKey);
  Access access = keyspace.Lock(key);
  std::vector<std::string> old;
  access.ForEachElement(key, ElementType::kHash, [&](std::string_view id, const Value&) {
    const auto earlier = NumberIn(id, kForced);
    if (earlier && *earlier < voters.version) old.emplace_back(id);
  });
  for (const std::string& id : old) access.RemoveElement(key, ElementType::kHash, id);
  access.AddElement(key, ElementType::kHash, std::string(kForced) + std::to_string(voters.version),
                    Value::Bytes(VotersText(voters)));
}

VoterSet ReadVoters(Keyspace& keyspace) {
  VoterSet newest;
  const auto see = [&](VoterSet voters) {
    if (voters.version > newest.version) newest = std::move(voters);
  };
  for (auto& [epoch, record] : ReadEpochRecords(keyspace)) see(record.voters);
  const KeyRef key = keyspace.Ref(kClusterDatabase, kKey);
  Access access = keyspace.Lock(key);
  access.ForEachElement(key, ElementType::kHash, [&](std::string_view id, const Value& payload) {
    if (!NumberIn(id, kForced)) return;
    const std::string text = TextOf(payload);
    if (auto voters = ParseVoters(Lines(text))) see(*std::move(voters));
  });
  return newest;
}

}  // namespace starling
