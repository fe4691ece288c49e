/// One node's keyspace on a clock that the test moves, with one-line reads and writes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/batch_codec.h"
#include "storage/keyspace.h"
#include "storage/pending.h"
#include "storage/walk_position.h"
#include "tests/support/manual_time.h"

namespace starling {

/// Whose stream a node named by a small number writes.
inline Origin OriginOf(uint64_t node, uint64_t incarnation = 1) {
  return {NodeId{node}, incarnation};
}

/// Not thread-safe but for `keyspace`.
struct OneNode {
  explicit OneNode(uint64_t number = 1, int shards = 4)
      : clock(time), keyspace({shards, 17 + number}, clock) {
    keyspace.SetOrigin(OriginOf(number));
  }

  KeyRef Ref(std::string_view key) const { return keyspace.Ref(database, key); }
  Access Lock(std::string_view key) { return keyspace.Lock(Ref(key)); }

  // --- strings ---
  void Set(std::string_view key, std::string_view text, bool keep_ttl = false) {
    Lock(key).SetString(Ref(key), text, keep_ttl);
  }
  /// The text a client reads; none where there is no string.
  std::optional<std::string> Get(std::string_view key) {
    Access access = Lock(key);
    const std::optional<KeyView> view = access.Find(Ref(key));
    if (!view || view->type != KeyType::kString) return std::nullopt;
    std::string buffer;
    return std::string(view->Text(buffer));
  }
  Result<int64_t> Increment(std::string_view key, int64_t by = 1) {
    return Lock(key).Increment(Ref(key), by);
  }
  bool Delete(std::string_view key) { return Lock(key).Delete(Ref(key)); }
  KeyType Type(std::string_view key) {
    Access access = Lock(key);
    const std::optional<KeyView> view = access.Find(Ref(key));
    return view ? view->type : KeyType::kNone;
  }

  // --- deadlines ---
  /// Sets a time to live from the hybrid clock's now.
  bool Expire(std::string_view key, std::chrono::milliseconds ttl) {
    return Lock(key).SetDeadline(Ref(key), keyspace.NowMillis() + ttl.count());
  }
  std::optional<int64_t> Deadline(std::string_view key) {
    Access access = Lock(key);
    const std::optional<KeyView> view = access.Find(Ref(key));
    return view ? view->deadline_millis : std::nullopt;
  }

  // --- sets ---
  bool Add(std::string_view key, std::string_view member) {
    return Lock(key).AddElement(Ref(key), ElementType::kSet, member);
  }
  bool Remove(std::string_view key, std::string_view member) {
    return Lock(key).RemoveElement(Ref(key), ElementType::kSet, member);
  }
  std::set<std::string> Members(std::string_view key) {
    std::set<std::string> members;
    Lock(key).ForEachElement(Ref(key), ElementType::kSet,
                             [&](std::string_view id, const Value&) { members.emplace(id); });
    return members;
  }

  // --- whole databases ---
  /// The keys that one whole scan visits, each once.
  std::set<std::string> Keys() {
    std::set<std::string> keys;
    uint64_t cursor = 0;
    do {
      cursor = keyspace.Scan(database, cursor, 10,
                             [&](std::string_view key, const KeyView&) { keys.emplace(key); });
    } while (cursor != 0);
    return keys;
  }
  size_t Size() const { return keyspace.Size(database); }

  // --- streams ---
  /// What was written since the last call, as the batch that peers get; null when nothing was.
  SharedBytes Flush() {
    std::unique_ptr<Generation> generation = keyspace.CloseGeneration();
    std::vector<Item> items;
    for (const PendingBuffer& buffer : generation->buffers) {
      buffer.AppendTo(items, generation->origin);
    }
    SharedBytes bytes;
    if (!items.empty()) {
      const BatchHeader header{generation->origin, flushed, generation->upto};
      bytes = std::make_shared<const std::string>(EncodeBatch(header, items));
      flushed = generation->upto;
    }
    keyspace.Recycle(std::move(generation));
    return bytes;
  }
  /// Merges a batch as Store::ApplyBatch does, without its filter.
  void Take(const SharedBytes& bytes) {
    if (bytes == nullptr) return;
    const Result<DecodedBatch> batch = DecodedBatch::Decode(*bytes);
    if (!batch) std::abort();
    clock.Observe(batch->header().upto);
    keyspace.Merge(batch->items());
  }
  /// Frees all tombstones, as if every member held everything.
  size_t FreeAll() {
    Keyspace::Stability stability;
    stability.passed = Stamp{UINT64_MAX};
    for (uint64_t node = 1; node < 10; ++node) {
      stability.covered.Set(OriginOf(node), Stamp{UINT64_MAX});
    }
    return keyspace.FreeStable(stability, SIZE_MAX);
  }

  ManualTime time;
  HybridClock clock;
  Keyspace keyspace;
  uint8_t database = 0;
  Stamp flushed;
};

/// A line for an item, the same on every node.
inline std::string ItemText(const Item& item) {
  std::string text = std::to_string(static_cast<int>(item.part)) + " " +
                     std::to_string(item.database) + " " + std::string(item.key) + " " +
                     std::to_string(static_cast<int>(item.element_type)) + ":" +
                     std::string(item.element) + " " + item.origin.ToString() + "@" +
                     std::to_string(item.stamp.value) + " at " + std::to_string(item.at.value);
  if (item.deadline_millis != 0) text += " until " + std::to_string(item.deadline_millis);
  if (item.removed) text += " removed";
  if (item.value.kind == Value::Kind::kBytes) {
    text += " '" + std::string(item.value.bytes.substr(0, 20)) + "' of " +
            std::to_string(item.value.bytes.size());
  }
  if (item.value.kind == Value::Kind::kNumber) text += " #" + item.value.number.ToString();
  return text;
}

/// Everything a keyspace holds, a line an item, sorted.
inline std::multiset<std::string> WalkText(Keyspace& keyspace, const VersionVector& covered = {}) {
  std::multiset<std::string> lines;
  WalkPosition position;
  while (!keyspace.Walk(position, covered, 1,
                        [&](const Item& item) { lines.insert(ItemText(item)); })) {
  }
  return lines;
}

/// The elements of a collection as a client sees them: sorted sets and lists in their order, the
/// others sorted by id.
inline std::string ElementsText(OneNode& node, std::string_view key, KeyType type) {
  const KeyRef ref = node.Ref(key);
  const auto text_of = [](std::string_view id, const Value& payload) {
    std::string buffer;
    return " " + std::string(id) + "=" + std::string(TextOf(payload, buffer));
  };
  std::string line;
  Access access = node.Lock(key);
  if (type == KeyType::kSortedSet || type == KeyType::kList) {
    const bool list = type == KeyType::kList;
    access.ForEachInOrder(ref, list ? ElementType::kList : ElementType::kSortedSet, 0, SIZE_MAX,
                          false, [&](std::string_view id, const Value& payload) {
                            line += text_of(list ? "" : id, payload);
                            return true;
                          });
    return line;
  }
  std::set<std::string> texts;
  access.ForEachElement(
      ref, type == KeyType::kHash ? ElementType::kHash : ElementType::kSet,
      [&](std::string_view id, const Value& payload) { texts.insert(text_of(id, payload)); });
  for (const std::string& text : texts) line += text;
  return line;
}

/// What clients see: key, type, deadline, value or elements, a line a key; sorted.
inline std::map<std::string, std::string> VisibleText(OneNode& node) {
  std::map<std::string, std::string> lines;
  for (const std::string& key : node.Keys()) {
    std::string& line = lines[key];
    const KeyType type = node.Type(key);
    line = std::to_string(static_cast<int>(type));
    // What is left of a claim's time differs from node to node.
    if (node.Lock(key).HasLiveClaim(node.Ref(key))) {
      line += " claimed";
    } else if (const auto deadline = node.Deadline(key)) {
      line += " until " + std::to_string(*deadline);
    }
    if (const auto text = node.Get(key)) line += " '" + *text + "'";
    line += ElementsText(node, key, type);
  }
  return lines;
}

}  // namespace starling
