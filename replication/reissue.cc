#include "replication/reissue.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "storage/journal.h"
#include "storage/key_description.h"
#include "storage/pending.h"
#include "storage/walk_position.h"

namespace starling {

namespace {

constexpr size_t kBatchBytes = 1 << 20;  // of what is written again, about
constexpr size_t kItemBytes = 64;

/// Visits the items of `node` that `accepted` does not cover.
void VisitOwn(Keyspace& keyspace, NodeId node, const VersionVector& accepted,
              const std::function<void(const Item&)>& visit) {
  constexpr size_t kStep = 1 << 20;
  const auto own = [&](const Item& item) {
    const bool other = item.origin.node != node || item.part == Part::kDatabaseCut ||
                       item.database == kClusterDatabase;
    if (!other) visit(item);
  };
  WalkPosition position;
  while (!keyspace.Walk(position, accepted, kStep, own)) {
  }
}

/// No time passes while things are written again: the stamps drawn are those left free.
class StandingTime final : public TimeSource {
 public:
  int64_t WallMillis() override { return 0; }
  std::chrono::nanoseconds Monotonic() override { return {}; }
};

/// Closes generations one after another into a stream.
class StreamWriter {
 public:
  explicit StreamWriter(Keyspace& keyspace) : keyspace_(keyspace) {}

  /// Items that were not written to the keyspace, the last one's stamp the newest.
  void Append(const std::vector<Item>& items) {
    if (items.empty()) return;
    const BatchHeader header{items.back().origin, after_, items.back().stamp};
    stream_.push_back(EncodeBatch(header, items));
    after_ = header.upto;
  }
  void Close() {
    std::unique_ptr<Generation> generation = keyspace_.CloseGeneration();
    std::string batch = EncodeGeneration(*generation, after_);
    if (!batch.empty()) {
      after_ = generation->upto;
      stream_.push_back(std::move(batch));
    }
    keyspace_.Recycle(std::move(generation));
  }
  std::vector<std::string> Take() { return std::move(stream_); }

 private:
  Keyspace& keyspace_;
  Stamp after_;
  std::vector<std::string> stream_;
};

/// Adds to the value of the key, or of the item's element. False: nothing was written.
bool Add(Access& access, const KeyRef& key, const Item& item, bool element, const Number& net) {
  if (net.units == 0) return false;
  if (element) {
    const auto seen = access.Find(key, false);
    if (seen && seen->type == KeyType::kString) return false;  // another type holds the key now
    return item.element_type == ElementType::kSortedSet
               ? access.IncrementScore(key, item.element, NearestDouble(net)).ok()
               : access.IncrementElementDecimal(key, item.element_type, item.element, net).ok();
  }
  if (net.is_integer() && net.fits_int64()) {
    return access.Increment(key, net.ClampedInt64()).ok();
  }
  return access.IncrementDecimal(key, net).ok();
}

}  // namespace

uint64_t Reissue::StampsFor(Keyspace& keyspace, NodeId node, const VersionVector& accepted) {
  // Most items take one, some two or three; what is written until the raise needs some, too.
  constexpr uint64_t kSpare = 1 << 16;
  uint64_t items = 0;
  VisitOwn(keyspace, node, accepted, [&](const Item&) { ++items; });
  return 3 * items + kSpare;
}

void Reissue::Capture(Keyspace& keyspace, NodeId node, const Origin& current,
                      const VersionVector& accepted) {
  node_ = node;
  accepted_ = accepted;
  VisitOwn(keyspace, node, accepted, [&](const Item& item) {
    if (item.origin != current) items_.Add(item);
  });
  for (const Item& item : items_.items()) {
    const KeyName name(item.database, std::string(item.key));
    if (!theirs_.try_emplace(name).second) continue;
    const KeyRef key = keyspace.Ref(item.database, item.key);
    const auto seen = keyspace.Lock(key).Describe(key);
    if (!seen || !seen->expiry) continue;
    const auto& [deadline, written] = *seen->expiry;
    Stamp reset = seen->database_cut;
    if (seen->cut) reset = std::max(reset, seen->cut->at);
    if (seen->base) reset = std::max(reset, seen->base->written.stamp);
    if (written.stamp > reset) expiries_[name] = {written.stamp, written.origin, deadline};
  }
}

void Reissue::Compare(const DecodedBatch& piece) {
  for (const Item& item : piece.items()) {
    if (item.part == Part::kDatabaseCut) {
      Stamp& cut = database_cuts_[item.database];
      cut = std::max(cut, item.at);
      if (!items_.items().empty()) seen_.Add(item);
      continue;
    }
    const auto found = theirs_.find(KeyName(item.database, std::string(item.key)));
    if (found == theirs_.end()) continue;
    seen_.Add(item);
    Theirs& theirs = found->second;
    if (item.part == Part::kSlot || item.part == Part::kElementSlot) {
      auto& slot = theirs.slots[PartName(item.part, item.element_type, std::string(item.element),
                                         item.origin)];
      slot = {item.at, item.value.number};
      continue;
    }
    if (item.part == Part::kElement) {
      Stamp& element = theirs.elements[std::string(item.element)];
      element = std::max(element, item.stamp);
    }
    theirs.latest = std::max(theirs.latest, item.stamp);
    if (item.part == Part::kExpiry) {
      theirs.expiry = {item.stamp, item.origin, item.deadline_millis};
    }
    if (item.part == Part::kCut) theirs.reset = std::max(theirs.reset, item.at);
    if (item.part == Part::kBase) theirs.reset = std::max(theirs.reset, item.stamp);
  }
}

bool Reissue::WriteSlot(Access& access, const KeyRef& key, const Item& item,
                        const Theirs& theirs) const {
  Number net = item.value.number;
  const auto held = theirs.slots.find(
      PartName(item.part, item.element_type, std::string(item.element), item.origin));
  if (held != theirs.slots.end() && held->second.first == item.at) {
    const auto rest = Number::Sum(net, held->second.second.Negated());
    if (!rest) return false;
    net = *rest;
  } else if (accepted_.Covers(item.origin, item.at)) {
    return false;  // the cluster had it, and has reset it since; the reset itself may be freed
  }
  return Add(access, key, item, item.part == Part::kElementSlot, net);
}

void Reissue::AddSince(Access& access, const KeyRef& key, const Item& item, const Theirs& theirs) {
  const bool element = item.part == Part::kElement;
  for (const auto& [name, slot] : theirs.slots) {
    const auto& [part, type, id, origin] = name;
    const bool of_item =
        element ? part == Part::kElementSlot && type == item.element_type && id == item.element
                : part == Part::kSlot;
    const auto& [born, net] = slot;
    if (of_item && born > item.stamp) Add(access, key, item, element, net);
  }
}

bool Reissue::WriteItem(Access& access, const KeyRef& key, const Item& item, const Theirs& theirs,
                        Stamp reset) const {
  switch (item.part) {
    case Part::kBase: {
      if (item.stamp <= std::max(theirs.latest, reset)) return false;
      std::string buffer;
      std::string_view text = item.value.bytes;
      if (item.value.kind == Value::Kind::kNumber) text = buffer = item.value.number.ToString();
      access.SetString(key, text, /*keep_ttl=*/true);
      AddSince(access, key, item, theirs);
      return true;
    }
    case Part::kSlot:
      return item.at > reset && WriteSlot(access, key, item, theirs);
    case Part::kElement: {
      const auto element = theirs.elements.find(std::string(item.element));
      const Stamp later = element == theirs.elements.end() ? Stamp{} : element->second;
      if (item.stamp <= std::max(later, reset)) return false;
      if (item.removed) return access.RemoveElement(key, item.element_type, item.element);
      const auto seen = access.Find(key, false);
      if (seen && seen->type == KeyType::kString) return false;  // another type holds the key now
      access.AddElement(key, item.element_type, item.element, item.value);
      AddSince(access, key, item, theirs);
      return true;
    }
    case Part::kElementSlot: {
      const auto element = theirs.elements.find(std::string(item.element));
      const Stamp later = element == theirs.elements.end() ? Stamp{} : element->second;
      return item.at > std::max(later, reset) && WriteSlot(access, key, item, theirs);
    }
    default:
      return false;
  }
}

Stamp Reissue::ResetOf(const KeyName& key) const {
  const auto cut = database_cuts_.find(key.first);
  return std::max(theirs_.at(key).reset, cut == database_cuts_.end() ? Stamp{} : cut->second);
}

Reissue::Merged Reissue::Merge(const KeyName& key, const std::vector<const Item*>& items,
                               int64_t now_millis) const {
  const Theirs& theirs = theirs_.at(key);
  Merged merged{ResetOf(key)};
  Stamp reset = merged.reset;
  for (const Item* item : items) {
    if (item->part == Part::kCut) reset = std::max(reset, item->at);
    const bool replaces = item->part == Part::kBase && item->stamp > theirs.latest;
    if (replaces) reset = std::max(reset, item->stamp);
  }
  Expiry expiry = theirs.expiry.stamp > reset ? theirs.expiry : Expiry{};
  const auto found = expiries_.find(key);
  if (found != expiries_.end() && found->second.LaterThan(theirs.expiry)) {
    const Expiry& ours = found->second;
    const bool unknown = !accepted_.Covers(ours.origin, ours.stamp);
    // The cluster had it and has it no more: what ended it was freed since. What stands there now
    // came after it.
    const bool alone = theirs.latest.none() && theirs.slots.empty();
    if (ours.stamp > reset && (unknown || alone)) {
      expiry = ours;
      merged.deadline_is_own = unknown && ours.origin.node == node_;
    } else if (!unknown && ours.deadline_millis != 0 && now_millis > ours.deadline_millis) {
      merged.reset = std::max(merged.reset, Stamp::LastOf(ours.deadline_millis));
    }
  }
  if (expiry.deadline_millis != 0 && now_millis > expiry.deadline_millis) {
    merged.reset = std::max(merged.reset, Stamp::LastOf(expiry.deadline_millis));
    merged.expired = merged.deadline_is_own;
  } else {
    merged.deadline_millis = expiry.deadline_millis;
  }
  return merged;
}

bool Reissue::DeletesUnseen(const Item& item) const {
  const KeyName key(item.database, std::string(item.key));
  if (item.part == Part::kCut) return item.at > ResetOf(key);
  const bool removal = item.part == Part::kElement && item.removed;
  return removal && item.stamp > ResetOf(key) &&
         !theirs_.at(key).elements.contains(std::string(item.element));
}

/// Cuts keep the stamp that they cut at: what was written before them stays deleted also where the
/// cluster holds something later, and that stays. And what was removed may be on its way to who
/// gave the state.
std::vector<Item> Reissue::Deletions(const std::map<KeyName, Merged>& keys, const Origin& origin,
                                     HybridClock& clock) const {
  std::vector<Item> deletions;
  for (const Item& item : items_.items()) {
    if (DeletesUnseen(item)) deletions.push_back(item);
  }
  for (const auto& [name, merged] : keys) {
    if (!merged.expired) continue;
    Item& cut = deletions.emplace_back();
    cut.part = Part::kCut;
    cut.database = name.first;
    cut.key = name.second;
    cut.at = merged.reset;
  }
  for (Item& deletion : deletions) {
    deletion.origin = origin;
    deletion.stamp = clock.Draw();
  }
  return deletions;
}

bool Reissue::WriteDeadline(Access& access, const KeyRef& key, const Merged& merged) {
  const auto seen = access.Find(key, false);
  if (!seen || seen->claimed) return false;
  if (seen->deadline_millis.value_or(0) == merged.deadline_millis) return false;
  return merged.deadline_millis == 0 ? access.ClearDeadline(key)
                                     : access.SetDeadline(key, merged.deadline_millis);
}

std::optional<Reissue::Written> Reissue::Write(const Store::Between& between) const {
  // Within a key: what resets it, then what stands on that, then the deadline.
  static constexpr Part kOrder[] = {Part::kBase, Part::kSlot, Part::kElement, Part::kElementSlot};
  StandingTime time;
  HybridClock clock(time);
  clock.Observe(between.after);
  Keyspace aside({.shards = 1, .hash_seed = between.after.value}, clock);
  aside.SetOrigin(between.origin);
  aside.Merge(seen_.items());
  std::map<KeyName, std::vector<const Item*>> keys;
  for (const Item& item : items_.items()) {
    keys[KeyName(item.database, std::string(item.key))].push_back(&item);
  }
  std::map<KeyName, Merged> merged;
  for (const auto& [name, items] : keys) {
    merged[name] = Merge(name, items, between.after.millis());
  }
  Written written;
  StreamWriter stream(aside);
  const std::vector<Item> deletions = Deletions(merged, between.origin, clock);
  written.items = deletions.size();
  for (size_t first = 0; first < deletions.size();) {
    std::vector<Item> batch;
    for (size_t bytes = 0; first < deletions.size() && bytes < kBatchBytes; ++first) {
      bytes += kItemBytes + deletions[first].key.size() + deletions[first].element.size();
      batch.push_back(deletions[first]);
    }
    stream.Append(batch);
  }
  aside.Merge(deletions);
  size_t bytes = 0;
  for (const auto& [name, items] : keys) {
    {
      const KeyRef key = aside.Ref(name.first, name.second);
      const Merged& as = merged.at(name);
      Access access = aside.Lock(key);
      // What was written beside a claim is cut with its end (COUNTEREXAMPLES 38).
      const auto seen = access.Find(key, false);
      if (seen && seen->claimed) continue;
      bool any = as.deadline_is_own;
      for (const Part part : kOrder) {
        for (const Item* item : items) {
          if (item->part != part) continue;
          if (!WriteItem(access, key, *item, theirs_.at(name), as.reset)) continue;
          any = true;
          ++written.items;
          bytes +=
              kItemBytes + name.second.size() + item->element.size() + item->value.bytes.size();
        }
      }
      // The access has dropped one that outlived a key which was deleted here.
      if (any && WriteDeadline(access, key, as) && as.deadline_is_own) ++written.items;
    }
    if (bytes >= kBatchBytes) {
      stream.Close();
      bytes = 0;
    }
  }
  stream.Close();
  if (clock.last() > between.before) return std::nullopt;
  written.stream = stream.Take();
  return written;
}

}  // namespace starling
