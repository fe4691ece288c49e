// What a key is made of (STARLING DEBUG KEY).
#include <algorithm>
#include <map>

#include "storage/access_parts.h"
#include "storage/key_description.h"
#include "storage/keyspace_impl.h"

namespace starling {
namespace {

constexpr size_t kVersionBytes = sizeof(uint64_t) + 1;  // a stamp, and a small origin
constexpr size_t kNumberBytes = 8;

/// Collects a key's parts.
class Describer {
 public:
  Describer(const OriginTable& origins, KeyDescription& out) : origins_(origins), out_(out) {}

  void Parts(const KeyState& state) {
    if (!state.cut.none()) {
      out_.cut = {state.cut, WrittenBy(state.cut_version)};
      Wait(state.cut_version);
    }
    if (!state.string.version.none()) {
      const Value& base = state.string.base;
      out_.base = {base.kind, base.bytes.size(), WrittenBy(state.string.version)};
      out_.merge_bytes += kVersionBytes;
      out_.payload_bytes += PayloadBytes(base);
    }
    for (const Slot& slot : state.string.slots) {
      out_.slots.push_back({slot.born, WrittenBy({slot.stamp, slot.origin}), slot.net});
      out_.merge_bytes += kVersionBytes + sizeof(uint64_t) + kNumberBytes;
    }
    if (!state.expiry_version.none()) {
      out_.expiry = {state.deadline_millis, WrittenBy(state.expiry_version)};
      out_.merge_bytes += kVersionBytes;
      if (!state.HasDeadline()) Wait(state.expiry_version);
    }
    if (const Claim* claim = state.claim) {
      out_.claim = {claim->token, claim->ttl_millis, claim->ended, claim->text.size(),
                    WrittenBy(claim->version)};
      out_.merge_bytes += 2 * kVersionBytes;
      out_.payload_bytes += claim->text.size();
      if (claim->ended) Wait(claim->version);
    }
  }

  void Visit(const Element& element, bool packed) {
    auto& of = elements_[element.type];
    of.type = element.type;
    of.packed = packed;
    const Version newest = Newest(element.value);
    if (newest.stamp >= of.newest.stamp) of.newest = WrittenBy(newest);
    out_.merge_bytes += packed ? 2 : kVersionBytes;
    if (!element.live()) {
      ++of.removed;
      out_.merge_bytes += element.id.size();
      Wait(element.value.version);
      return;
    }
    ++of.live;
    of.numeric += element.value.slots.empty() ? 0 : 1;
    of.slots += element.value.slots.size();
    out_.merge_bytes +=
        element.value.slots.size() * (kVersionBytes + sizeof(uint64_t) + kNumberBytes);
    // Where only slots are there, a client reads their sum.
    if (element.value.base.kind == Value::Kind::kNone) out_.payload_bytes += kNumberBytes;
    // A list's id is a place among the others, not something that a client reads.
    const bool list = element.type == ElementType::kList;
    out_.payload_bytes += PayloadBytes(element.value.base) + (list ? 0 : element.id.size());
  }

  void Finish() {
    for (const auto& [type, elements] : elements_) out_.elements.push_back(elements);
    for (const auto& [origin, waiting] : waiting_) out_.waiting.push_back(waiting);
    out_.merge_bytes = std::min(out_.merge_bytes, out_.memory_bytes);
  }

 private:
  static size_t PayloadBytes(const Value& value) {
    return value.kind == Value::Kind::kNumber ? kNumberBytes : value.bytes.size();
  }
  static Version Newest(const Register& value) {
    Version newest = value.version;
    for (const Slot& slot : value.slots) {
      if (slot.stamp > newest.stamp) newest = {slot.stamp, slot.origin};
    }
    return newest;
  }
  KeyDescription::Written WrittenBy(const Version& version) const {
    return {version.stamp, origins_.At(version.origin)};
  }
  void Wait(const Version& version) {
    KeyDescription::Waiting& waiting = waiting_[origins_.At(version.origin)];
    ++waiting.tombstones;
    if (version.stamp >= waiting.newest.stamp) waiting.newest = WrittenBy(version);
  }

  const OriginTable& origins_;
  KeyDescription& out_;
  std::map<ElementType, KeyDescription::Elements> elements_;
  std::map<Origin, KeyDescription::Waiting> waiting_;
};

}  // namespace

std::optional<KeyDescription> Access::Describe(const KeyRef& key) {
  Shard& shard = ShardOf(key);
  const LoadedEntry entry = shard.Load(key);
  if (entry.handle == 0) return std::nullopt;
  KeyDescription description;
  description.database_cut = shard.database_cut(key.database);
  description.memory_bytes = shard.MemoryUsage(entry);
  description.payload_bytes = key.name.size();
  Describer describer(keyspace_.impl_->origins, description);
  describer.Parts(entry.state);
  const Collection& collection = entry.state.collection;
  collection.ForEach(
      *entry.space, [&](const Element& element) { describer.Visit(element, collection.packed()); });
  describer.Finish();
  return description;
}

}  // namespace starling
