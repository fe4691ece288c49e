#include "storage/records.h"

#include <algorithm>

#include "storage/access_parts.h"
#include "storage/batch_codec.h"
#include "storage/keyspace_impl.h"

namespace starling {
namespace {

constexpr size_t kNumberBytes = 8;
constexpr char kRecordTag = 'r';
constexpr char kNotedRecordTag = 'n';
constexpr char kCommitTag = 'c';
constexpr char kVoidTag = 'v';

void AppendNumber(std::string& out, uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}

uint64_t NumberAt(std::string_view bytes, size_t index) {
  uint64_t number = 0;
  for (const char c : bytes.substr(index * kNumberBytes, kNumberBytes)) {
    number = number << 8 | static_cast<uint8_t>(c);
  }
  return number;
}

/// A record's value.
std::string ValueOf(std::string_view items, const RecordNote& note) {
  std::string value(1, note.empty() ? kRecordTag : kNotedRecordTag);
  if (!note.empty()) note.AppendTo(value);
  return value.append(items);
}

}  // namespace

// --- how an element says it ---

/// A record's items, or a verdict on the record that it names.
struct Records::Content {
  Verdict verdict = Verdict::kNone;
  std::optional<DecodedBatch> items;
  std::string_view bytes;  // of the items
  RecordNote note;         // perhaps none
  Origin origin;           // with a verdict: the record's
  Stamp stamp;
};

std::string Records::FieldOf(const RecordId& id) {
  std::string field;
  AppendNumber(field, id.epoch);
  AppendNumber(field, id.stamp.value);
  return field;
}

std::optional<RecordId> Records::IdOf(std::string_view field) {
  if (field.size() != 2 * kNumberBytes) return std::nullopt;
  return RecordId{NumberAt(field, 0), Stamp{NumberAt(field, 1)}};
}

std::string Records::EncodeVerdict(Verdict verdict, const Record& record) {
  std::string value(1, verdict == Verdict::kCommit ? kCommitTag : kVoidTag);
  AppendNumber(value, record.origin.node.value);
  AppendNumber(value, record.origin.incarnation);
  AppendNumber(value, record.stamp.value);
  // Who takes a whole state has the verdict alone, and may be asked again.
  if (verdict == Verdict::kCommit && !record.note.empty()) record.note.AppendTo(value);
  return value;
}

const char* Records::Parse(std::string_view bytes, const Origin& origin, Stamp stamp,
                           Content& out) {
  if (bytes.empty()) return "a record without a value";
  const char tag = bytes.front();
  bytes.remove_prefix(1);
  if (tag == kCommitTag || tag == kVoidTag) {
    constexpr size_t kNumbers = 3 * kNumberBytes;
    if (bytes.size() < kNumbers) return "a verdict of another length";
    out.verdict = tag == kCommitTag ? Verdict::kCommit : Verdict::kVoid;
    out.origin = {NodeId{NumberAt(bytes, 0)}, NumberAt(bytes, 1)};
    out.stamp = Stamp{NumberAt(bytes, 2)};
    bytes.remove_prefix(kNumbers);
    if (!bytes.empty()) {
      std::optional<RecordNote> note = RecordNote::TakeFrom(bytes);
      if (!note || !bytes.empty() || tag == kVoidTag) return "a verdict with what is no note";
      out.note = *std::move(note);
    }
    return out.stamp.none() || out.stamp >= stamp ? "a verdict not after its record" : nullptr;
  }
  if (tag != kRecordTag && tag != kNotedRecordTag) return "neither a record nor a verdict";
  if (tag == kNotedRecordTag) {
    std::optional<RecordNote> note = RecordNote::TakeFrom(bytes);
    if (!note) return "a record without its note";
    out.note = *std::move(note);
  }
  if (bytes.size() > kMaxRecordBytes) return "a record that is too long";
  Result<DecodedBatch> items = DecodedBatch::Decode(bytes);
  if (!items || !items->is_chunk() || !items->vector().empty() || items->items().empty()) {
    return "a record that does not hold items";
  }
  for (const Item& item : items->items()) {
    if (item.origin != origin) return "a record with another's item";
    if (item.stamp >= stamp) return "a record with an item not before itself";
    if (item.database == kClusterDatabase) return "a record with an item of the cluster's own";
  }
  out.items = *std::move(items);
  out.bytes = bytes;
  return nullptr;
}

Status Records::Check(std::span<const Item> items) {
  for (size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    if (!IsRecordItem(item) || item.element_type != ElementType::kHash || item.removed) continue;
    const auto fault = [&](const char* what) {
      return Error{Code::kCorruption, "item " + std::to_string(i) + ": " + what};
    };
    if (item.part != Part::kElement || !IdOf(item.element) ||
        item.value.kind != Value::Kind::kBytes) {
      return fault("among the records, yet none");
    }
    Content value;
    if (const char* what = Parse(item.value.bytes, item.origin, item.stamp, value)) {
      return fault(what);
    }
  }
  return {};
}

bool Records::AreCommits(std::span<const Item> items) {
  const auto commits = [](const Item& item) {
    return IsRecordItem(item) && item.part == Part::kElement && !item.removed &&
           item.value.kind == Value::Kind::kBytes && item.value.bytes.starts_with(kCommitTag);
  };
  return !items.empty() && std::all_of(items.begin(), items.end(), commits);
}

// --- what is known ---

Records::Records(Keyspace& keyspace) : keyspace_(keyspace) {}

Keyspace::Impl& Records::impl() const { return *keyspace_.impl_; }

KeyRef Records::key() const { return keyspace_.Ref(kClusterDatabase, kKeyName); }

Shard& Records::RecordShard() const { return *impl().shards[impl().ShardIndex(key().hash)]; }

std::optional<Element> Records::FindElement(const RecordId& id) const {
  const LoadedEntry entry = RecordShard().FindRaw(key());
  return entry.state.collection.Find(*entry.space, ElementType::kHash, FieldOf(id));
}

void Records::NoteRecord(const RecordId& id, Content& value, const Origin& origin, Stamp stamp) {
  Record& record = records_[id];
  record.known = true;
  record.origin = origin;
  record.stamp = stamp;
  record.first = stamp;
  for (const Item& item : value.items->items()) {
    record.first = std::min(record.first, item.stamp);
    const bool known = std::any_of(record.keys.begin(), record.keys.end(), [&](const auto& key) {
      return key.database == item.database && key.name == item.key;
    });
    if (!known) record.keys.push_back({item.database, std::string(item.key)});
  }
  if (record.verdict == Verdict::kCommit && !value.note.empty()) {
    answers_.Keep(std::move(value.note));
  }
  if (record.verdict != Verdict::kNone) return;
  record.items = value.bytes;
  record.note = std::move(value.note);
  Reserve(id, record, 1);
}

void Records::NoteVerdict(const RecordId& id, const Content& value, const Origin& origin,
                          Stamp stamp) {
  Record& record = records_[id];
  if (record.known && record.verdict == Verdict::kNone) Reserve(id, record, -1);
  RecordNote note = std::exchange(record.note, {});
  if (note.empty()) note = value.note;
  if (value.verdict == Verdict::kCommit && !note.empty()) answers_.Keep(std::move(note));
  record.verdict = value.verdict;
  record.origin = value.origin;
  record.stamp = value.stamp;
  record.verdict_origin = origin;
  record.verdict_stamp = stamp;
  record.keys = {};
  std::string().swap(record.items);
}

void Records::Reserve(const RecordId& id, const Record& record, int by) {
  for (const Undecided::Key& key : record.keys) {
    // An item without a key is a database's cut; a key with an empty name is reserved by that too.
    if (key.name.empty()) reserved_whole_[key.database] += by;
    const uint64_t hash = HashKey(key.database, key.name, impl().hash_seed);
    if ((reserved_[hash] += by) == 0) reserved_.erase(hash);
  }
  if (by > 0) {
    open_.insert(id);
    firsts_.insert(record.first);
    undecided_bytes_ += record.bytes();
  } else {
    open_.erase(id);
    firsts_.erase(firsts_.find(record.first));
    undecided_bytes_ -= record.bytes();
  }
  undecided_.store(firsts_.size(), std::memory_order_relaxed);
  free_below_.store(firsts_.empty() ? UINT64_MAX : firsts_.begin()->value,
                    std::memory_order_release);
}

void Records::Forget(const RecordId& id) {
  const auto found = records_.find(id);
  if (found == records_.end()) return;
  if (found->second.known && found->second.verdict == Verdict::kNone)
    Reserve(id, found->second, -1);
  records_.erase(found);
}

void Records::Settle(const RecordId& id) {
  const Record& record = records_.at(id);
  if (record.removed && record.known && record.verdict != Verdict::kNone) Forget(id);
}

void Records::Clear() {
  std::lock_guard lock(mutex_);
  while (!records_.empty()) Forget(records_.begin()->first);
}

bool Records::IsReserved(const KeyRef& key) const {
  if (!AnyUndecided()) return false;
  std::lock_guard lock(mutex_);
  return reserved_.contains(key.hash) || reserved_whole_[key.database] > 0;
}

bool Records::AnyUnsettled() const {
  if (!AnyUndecided()) return false;
  std::lock_guard lock(mutex_);
  return std::any_of(open_.begin(), open_.end(),
                     [&](const RecordId& id) { return records_.at(id).removed; });
}

std::vector<Records::Undecided> Records::undecided() const {
  std::vector<Undecided> undecided;
  std::lock_guard lock(mutex_);
  undecided.reserve(open_.size());
  for (const RecordId& id : open_) {
    const Record& record = records_.at(id);
    undecided.push_back({id, record.origin, record.stamp, record.keys});
  }
  return undecided;
}

std::optional<bool> Records::VerdictOf(const RecordId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(id);
  if (found == records_.end() || found->second.verdict == Verdict::kNone) return std::nullopt;
  return found->second.verdict == Verdict::kCommit;
}

std::optional<Records::Noted> Records::FindNoted(const std::string& by) const {
  if (!keyspace_.claim_rules().asked_again_by_name) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (const std::string* answer = answers_.Find(by)) return Noted{true, *answer};
  const bool open = std::any_of(open_.begin(), open_.end(),
                                [&](const RecordId& id) { return records_.at(id).note.by == by; });
  return open ? std::optional<Noted>(Noted{}) : std::nullopt;
}

bool Records::HasUndecidedOf(NodeId node) const {
  if (!AnyUndecided()) return false;
  std::lock_guard lock(mutex_);
  return std::any_of(open_.begin(), open_.end(),
                     [&](const RecordId& id) { return records_.at(id).origin.node == node; });
}

std::vector<RecordId> Records::Removable(const Keyspace::Stability& stability) const {
  std::vector<RecordId> removable;
  std::lock_guard lock(mutex_);
  for (const auto& [id, record] : records_) {
    if (record.verdict == Verdict::kNone) continue;
    if (stability.Covers(record.origin, record.stamp) &&
        stability.Covers(record.verdict_origin, record.verdict_stamp)) {
      removable.push_back(id);
    }
  }
  return removable;
}

// --- written ---

Result<Records::Written> Records::Write(uint64_t epoch, std::string_view items, RecordNote note) {
  Content value;
  const std::string bytes = ValueOf(items, note);
  const char* fault = Parse(bytes, keyspace_.origin(), Stamp{UINT64_MAX}, value);
  if (items.size() > kMaxRecordBytes) {
    return Error{Code::kLimitExceeded, "the transaction writes " + std::to_string(items.size()) +
                                           " bytes and changes a claim: at most " +
                                           std::to_string(kMaxRecordBytes)};
  }
  STARLING_CHECK(fault == nullptr);
  {
    std::lock_guard lock(mutex_);
    if (firsts_.size() >= kMaxUndecided || undecided_bytes_ + items.size() > kMaxUndecidedBytes) {
      return Error{Code::kLimitExceeded, std::to_string(firsts_.size()) + " changes of claims, " +
                                             std::to_string(undecided_bytes_) +
                                             " bytes, wait for a majority: that many may"};
    }
  }
  Written written{{epoch, value.items->items().front().stamp}, {}};
  for (const Item& item : value.items->items()) {
    written.id.stamp = std::min(written.id.stamp, item.stamp);
  }
  Access access = keyspace_.Lock(key());
  access.AddElement(key(), ElementType::kHash, FieldOf(written.id), Value::Bytes(bytes));
  written.stamp = FindElement(written.id)->value.version.stamp;
  value.bytes = items;
  std::lock_guard lock(mutex_);
  NoteRecord(written.id, value, keyspace_.origin(), written.stamp);
  return written;
}

void Records::Decide(std::span<const RecordId> ids, bool commit) {
  {
    Access access = keyspace_.LockAll();
    for (const RecordId& id : ids) {
      Content verdict;
      verdict.verdict = commit ? Verdict::kCommit : Verdict::kVoid;
      std::string value, items;
      {
        std::lock_guard lock(mutex_);
        const auto found = records_.find(id);
        if (found == records_.end() || !found->second.known ||
            found->second.verdict != Verdict::kNone) {
          continue;
        }
        verdict.origin = found->second.origin;
        verdict.stamp = found->second.stamp;
        value = EncodeVerdict(verdict.verdict, found->second);
        items = found->second.items;
      }
      Item item = ElementItemOf(Part::kElement, key(), ElementType::kHash, {});
      const std::string field = FieldOf(id);
      item.element = field;
      STARLING_CHECK(!RecordShard().pending.Has(item, key().hash));
      access.AddElement(key(), ElementType::kHash, FieldOf(id), Value::Bytes(value));
      const Stamp stamp = FindElement(id)->value.version.stamp;
      if (commit) Apply(items);
      std::lock_guard lock(mutex_);
      NoteVerdict(id, verdict, keyspace_.origin(), stamp);
    }
  }
  keyspace_.FreeKilledByRecords();
  decisions_.fetch_add(1, std::memory_order_acq_rel);
}

void Records::Remove(std::span<const RecordId> ids) {
  Access access = keyspace_.Lock(key());
  for (const RecordId& id : ids) {
    access.RemoveElement(key(), ElementType::kHash, FieldOf(id));
    std::lock_guard lock(mutex_);
    Forget(id);
  }
}

// --- brought ---

void Records::Apply(std::string_view items) {
  const Result<DecodedBatch> batch = DecodedBatch::Decode(items);
  STARLING_CHECK(batch.ok());
  for (const Item& item : batch->items()) {
    impl().MergeItem(item);
    if (item.part == Part::kDatabaseCut) {
      flushed_.fetch_or(uint32_t{1} << item.database, std::memory_order_acq_rel);
    }
  }
}

void Records::Arrived(const Item& item) {
  if (item.part != Part::kElement || item.element_type != ElementType::kHash) return;
  const std::optional<RecordId> id = IdOf(item.element);
  if (!id) return;
  if (item.removed) {
    std::lock_guard lock(mutex_);
    const auto found = records_.find(*id);
    if (found == records_.end()) return;
    found->second.removed = true;
    return Settle(*id);
  }
  Content value;
  if (item.value.kind != Value::Kind::kBytes ||
      Parse(item.value.bytes, item.origin, item.stamp, value) != nullptr) {
    return;  // what comes from outside has been checked
  }
  std::string commit;
  const std::optional<Element> known = FindElement(*id);
  {
    std::lock_guard lock(mutex_);
    Record& record = records_[*id];
    if (known && !known->live() && known->value.version.stamp > item.stamp) record.removed = true;
    if (value.verdict == Verdict::kNone) {
      if (record.known) return;
      // The verdict may have come first, by another stream.
      if (record.verdict == Verdict::kCommit) commit = value.bytes;
      NoteRecord(*id, value, item.origin, item.stamp);
    } else {
      if (record.verdict != Verdict::kNone) return;
      if (record.known && value.verdict == Verdict::kCommit) {
        commit = record.items;
      }
      NoteVerdict(*id, value, item.origin, item.stamp);
    }
    Settle(*id);
  }
  if (!commit.empty()) Apply(commit);
  decisions_.fetch_add(1, std::memory_order_acq_rel);
}

Status Records::Restored(const Element& element, const Origin& origin) {
  if (!element.live()) return {};
  const std::optional<RecordId> id = IdOf(element.id);
  Content value;
  const char* fault =
      id && element.value.base.kind == Value::Kind::kBytes
          ? Parse(element.value.base.bytes, origin, element.value.version.stamp, value)
          : "among the records, yet none";
  if (fault != nullptr) return Error{Code::kCorruption, std::string("state record: ") + fault};
  std::lock_guard lock(mutex_);
  if (value.verdict == Verdict::kNone) {
    NoteRecord(*id, value, origin, element.value.version.stamp);
  } else {
    NoteVerdict(*id, value, origin, element.value.version.stamp);
  }
  return {};
}

void Records::NoteHeld(const VersionVector& held) {
  std::lock_guard lock(mutex_);
  for (auto it = records_.begin(); it != records_.end();) {
    const RecordId id = it->first;
    Record& record = it++->second;
    if (record.known || !held.Covers(record.origin, record.stamp)) continue;
    record.known = true;
    Settle(id);
  }
}

std::string Records::StatePrefix() const {
  return StateName{StateName::Kind::kElement, kClusterDatabase, kKeyName, {}, {}}.ElementPrefix();
}

std::vector<Engine::StateWrite> Records::EncodeUndecided() const {
  std::vector<Engine::StateWrite> writes;
  for (const Undecided& record : undecided()) {
    const std::string field = FieldOf(record.id);
    Register value;
    std::string bytes;
    {
      std::lock_guard lock(mutex_);
      const Record& known = records_.at(record.id);
      bytes = ValueOf(known.items, known.note);
    }
    value.version = {record.stamp, impl().origins.IndexOf(record.origin)};
    value.base = Value::Bytes(bytes);
    writes.push_back(
        {StateName{StateName::Kind::kElement, kClusterDatabase, kKeyName, ElementType::kHash, field}
             .Encode(),
         EncodeElement(value, impl().origins), false});
  }
  return writes;
}

}  // namespace starling
