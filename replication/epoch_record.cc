#include "replication/epoch_record.h"

#include <optional>
#include <string_view>
#include <vector>

#include "replication/vector_text.h"

namespace starling {
namespace {

constexpr std::string_view kKey = "lease";
/// Elements are called by this and the epoch's number.
constexpr std::string_view kEpoch = "epoch/";
/// Between a holder's name, which may hold anything but this, and its streams.
constexpr char kEnd = '\n';

std::string IdOf(uint64_t epoch) { return std::string(kEpoch) + std::to_string(epoch); }

std::optional<uint64_t> EpochOf(std::string_view id) {
  if (!id.starts_with(kEpoch)) return std::nullopt;
  std::string_view rest = id.substr(kEpoch.size());
  const auto epoch = TakeNumber(rest);
  return rest.empty() ? epoch : std::nullopt;
}

std::optional<EpochRecord> Parse(const Value& payload) {
  const std::string text =
      payload.kind == Value::Kind::kNumber ? payload.number.ToString() : std::string(payload.bytes);
  const size_t end = text.find(kEnd);
  if (end == std::string::npos) return std::nullopt;
  auto vector = ParseStreams(std::string_view(text).substr(end + 1));
  if (!vector) return std::nullopt;
  return EpochRecord{text.substr(0, end), *std::move(vector)};
}

}  // namespace

void WriteEpochRecord(Keyspace& keyspace, uint64_t epoch, const EpochRecord& record) {
  const std::string text = record.holder + kEnd + StreamsText(record.vector);
  const KeyRef key = keyspace.Ref(kClusterDatabase, kKey);
  Access access = keyspace.Lock(key);
  access.AddElement(key, ElementType::kHash, IdOf(epoch), Value::Bytes(text));
  std::vector<std::string> old;
  access.ForEachElement(key, ElementType::kHash, [&](std::string_view id, const Value&) {
    const auto earlier = EpochOf(id);
    if (earlier && *earlier + kEpochsKept <= epoch) old.emplace_back(id);
  });
  for (const std::string& id : old) access.RemoveElement(key, ElementType::kHash, id);
}

EpochRecords ReadEpochRecords(Keyspace& keyspace) {
  EpochRecords records;
  const KeyRef key = keyspace.Ref(kClusterDatabase, kKey);
  Access access = keyspace.Lock(key);
  access.ForEachElement(key, ElementType::kHash, [&](std::string_view id, const Value& payload) {
    const auto epoch = EpochOf(id);
    if (!epoch) return;
    if (auto record = Parse(payload)) records[*epoch] = *std::move(record);
  });
  return records;
}

}  // namespace starling
