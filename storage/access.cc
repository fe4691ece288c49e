// Reading and writing keys under their shards' locks.
#include <algorithm>
#include <bit>

#include "storage/access_parts.h"
#include "storage/keyspace_impl.h"
#include "storage/speculation.h"

namespace starling {
namespace {

uint32_t Seconds(int64_t millis) { return static_cast<uint32_t>(millis / 1000); }

bool Passed(const KeyState& state, int64_t now_millis) {
  return state.HasDeadline() && now_millis > state.deadline_millis && !state.HasLiveClaim();
}

}  // namespace

Access::Access(Keyspace& keyspace, uint64_t shard_mask)
    : keyspace_(keyspace), shard_mask_(shard_mask) {
  keyspace_.impl_->Lock(shard_mask_);
}

Access::Access(Access&& other) noexcept
    : keyspace_(other.keyspace_), shard_mask_(std::exchange(other.shard_mask_, 0)) {}

Access::~Access() { keyspace_.impl_->Unlock(shard_mask_); }

Shard& Access::ShardOf(const KeyRef& key) {
  const size_t index = keyspace_.impl_->ShardIndex(key.hash);
  STARLING_CHECK(shard_mask_ >> index & 1);
  return *keyspace_.impl_->shards[index];
}

int64_t Access::NowMillis() {
  if (now_millis_ == 0) {
    const auto first = static_cast<size_t>(std::countr_zero(shard_mask_));
    now_millis_ = keyspace_.impl_->shards[first]->held_at_millis;
    if (now_millis_ == 0) now_millis_ = keyspace_.NowMillis();
  }
  return now_millis_;
}

// --- reading ---

std::optional<KeyView> Access::Find(const KeyRef& key, bool touch) {
  LoadedEntry entry;
  return FindEntry(key, touch, entry);
}

std::optional<KeyView> Access::FindEntry(const KeyRef& key, bool touch, LoadedEntry& entry) {
  Shard& shard = ShardOf(key);
  entry = shard.Load(key);
  if (shard.speculation != nullptr) NoteMet(shard, entry);
  if (entry.handle == 0) return std::nullopt;
  const int64_t now = NowMillis();
  if (Passed(entry.state, now)) return std::nullopt;
  const KeyView view = shard.View(entry, now);
  if (view.type == KeyType::kNone) return std::nullopt;
  if (touch && view.accessed_seconds != Seconds(now)) shard.Touch(entry, Seconds(now));
  // Who has only looked (OBJECT ENCODING) does not touch it by reading its elements, either.
  last_seen_ = {key.name,
                key.hash,
                key.database,
                ElementTypeOf(view.type),
                std::bit_cast<uintptr_t>(entry.state.collection),
                entry.space};
  return view;
}

SeenCollection Access::Seen(const KeyRef& key, ElementType type) {
  if (last_seen_.type == type && last_seen_.hash == key.hash && last_seen_.key == key.name &&
      last_seen_.database == key.database) {
    return {std::bit_cast<Collection>(last_seen_.collection), *last_seen_.space};
  }
  LoadedEntry entry;
  const std::optional<KeyView> view = FindEntry(key, true, entry);
  const bool seen = view && ElementTypeOf(view->type) == type;
  return {seen ? entry.state.collection : Collection(), *entry.space};
}

std::optional<size_t> Access::MemoryUsage(const KeyRef& key) {
  if (!Exists(key)) return std::nullopt;
  Shard& shard = ShardOf(key);
  return shard.MemoryUsage(shard.Load(key));
}

bool Access::HasElement(const KeyRef& key, ElementType type, std::string_view id) {
  const auto [collection, space] = Seen(key, type);
  return collection.Has(space, type, id);
}

std::optional<Value> Access::GetElement(const KeyRef& key, ElementType type, std::string_view id) {
  const auto [collection, space] = Seen(key, type);
  const std::optional<Element> element = collection.Find(space, type, id);
  if (!element || !element->live()) return std::nullopt;
  return element->Payload(score_text_);
}

void Access::ForEachElement(const KeyRef& key, ElementType type, const ElementVisitor& visit) {
  const auto [collection, space] = Seen(key, type);
  collection.ForEachLive(space, type, score_text_, visit);
}

uint64_t Access::ScanElements(const KeyRef& key, ElementType type, uint64_t cursor, size_t count,
                              const ElementVisitor& visit) {
  const auto [collection, space] = Seen(key, type);
  return collection.Scan(space, type, cursor & UINT32_MAX, count, [&](const Element& element) {
    if (element.live()) visit(element.id, element.Payload(score_text_));
  });
}

std::string_view Access::RandomElement(const KeyRef& key, ElementType type,
                                       std::mt19937_64& random) {
  const auto [collection, space] = Seen(key, type);
  return collection.Random(space, type, random).id;
}

// --- writing ---

Stamp Access::Write(LoadedEntry& entry, Item& item) {
  item.stamp = keyspace_.clock_.Draw();
  WriteStamped(entry, item);
  return item.stamp;
}

void Access::WriteStamped(LoadedEntry& entry, Item& item) {
  if (item.part == Part::kExpiry && item.deadline_millis != 0 &&
      item.deadline_millis <= item.stamp.millis()) {
    // A deadline not after its own stamp is a deletion, also where it passed on the way here.
    item.part = Part::kCut;
    item.deadline_millis = 0;
  }
  const bool has_at = item.part == Part::kCut || item.part == Part::kSlot ||
                      item.part == Part::kElementSlot || item.part == Part::kClaim;
  if (has_at && item.at.none()) item.at = item.stamp;
  Shard& shard = ShardOf(entry.key);
  entry.state.accessed_seconds = Seconds(item.stamp.millis());
  if (shard.Merge(entry, item, keyspace_.impl_->own)) {
    entry.merged = true;
    Record(shard, item, entry.key.hash);
  }
}

void Access::Record(Shard& shard, const Item& item, uint64_t hash) {
  shard.pending.Record(item, hash);
  if (shard.speculation == nullptr) {
    keyspace_.writes_.fetch_add(1, std::memory_order_release);
  } else {
    ++shard.speculation->writes_;
  }
}

void Access::DeleteExpiredEntry(LoadedEntry& entry) {
  Item item = ItemOf(Part::kCut, entry.key);
  item.at = Stamp::LastOf(entry.state.deadline_millis);
  // It has passed by the clock as it was; the wall clock may have stepped back since.
  keyspace_.clock_.Observe(item.at);
  Write(entry, item);
}

void Access::OutliveTransaction(LoadedEntry& entry) {
  // Of what a transaction writes after the deadline, its deletion would leave a part: the own slot
  // of an INCR, without an expiry.
  constexpr int64_t kAhead = 2;  // milliseconds: the stamps drawn next are within them
  const int64_t now = keyspace_.NowMillis();
  if (now < entry.state.deadline_millis) return;
  if (ViewOf(entry).type == KeyType::kNone) return;
  WriteExpiry(entry, now + kAhead);
}

LoadedEntry Access::LoadForWrite(const KeyRef& key) {
  last_seen_ = {};
  Shard& shard = ShardOf(key);
  LoadedEntry entry = shard.Load(key);
  if (shard.speculation != nullptr) {
    shard.Remember(entry);
    NoteMet(shard, entry);
  }
  if (entry.handle == 0) return entry;
  const int64_t now = NowMillis();
  shard.Touch(entry, Seconds(now));
  entry.state.accessed_seconds = Seconds(now);
  if (Passed(entry.state, now)) {
    DeleteExpiredEntry(entry);
  } else if (shard.held_at_millis != 0 && entry.state.HasDeadline() &&
             !entry.state.HasLiveClaim()) {
    OutliveTransaction(entry);
  }
  return entry;
}

void Access::Keep(LoadedEntry& entry) {
  if (entry.merged) ShardOf(entry.key).Save(entry);
}

void Access::WriteExpiry(LoadedEntry& entry, int64_t deadline_millis) {
  Item item = ItemOf(Part::kExpiry, entry.key);
  item.deadline_millis = deadline_millis;
  Write(entry, item);
}

void Access::DropDeadlineOfNothing(LoadedEntry& entry) {
  if (entry.state.HasDeadline() && ViewOf(entry).type == KeyType::kNone) WriteExpiry(entry, 0);
}

void Access::WriteString(LoadedEntry& entry, std::string_view text) {
  Item item = ItemOf(Part::kBase, entry.key);
  item.value = Value::FromText(text);
  Write(entry, item);
}

void Access::SetString(const KeyRef& key, std::string_view text, bool keep_ttl) {
  LoadedEntry entry = LoadForWrite(key);
  if (keep_ttl && entry.state.HasLiveClaim()) {
    RewriteClaim(entry, text);
    return Keep(entry);
  }
  EndLiveClaim(entry);
  if (keep_ttl) DropDeadlineOfNothing(entry);
  const int64_t deadline = entry.state.deadline_millis;
  WriteString(entry, text);
  if (keep_ttl && deadline != 0) WriteExpiry(entry, deadline);
  Keep(entry);
}

bool Access::AddToString(LoadedEntry& entry, const Number& by, const Number& sum) {
  if (entry.state.HasLiveClaim()) {
    RewriteClaim(entry, sum.ToString());
    return true;
  }
  DropDeadlineOfNothing(entry);
  Item item = ItemOf(Part::kSlot, entry.key);
  if (!AddToOwnSlot(item, entry.state.string.Find(keyspace_.impl_->own), by)) return false;
  Write(entry, item);
  return true;
}

void Access::ResetCounter(const KeyRef& key, int64_t value) {
  LoadedEntry entry = LoadForWrite(key);
  EndLiveClaim(entry);
  const KeyView view = ViewOf(entry);
  const std::optional<Number> by =
      view.counter ? Number::Sum(Number::FromInt(value), view.value.number.Negated())
                   : std::nullopt;
  if (!by || !AddToString(entry, *by, Number::FromInt(value))) {
    WriteString(entry, std::to_string(value));
  } else if (entry.state.HasDeadline()) {
    WriteExpiry(entry, 0);
  }
  Keep(entry);
}

Result<int64_t> Access::Increment(const KeyRef& key, int64_t by) {
  LoadedEntry entry = LoadForWrite(key);
  const KeyView view = ViewOf(entry);
  Number current;
  std::optional<Error> error;
  if (view.type == KeyType::kString && view.value.kind == Value::Kind::kNumber) {
    current = view.value.number;
    if (!current.is_integer()) error = Error{Code::kInvalidArgument, "value is not an integer"};
  } else if (view.type == KeyType::kString) {
    error = Error{Code::kInvalidArgument, "value is not an integer or out of range"};
  } else if (view.type != KeyType::kNone) {
    error = Error{Code::kWrongType, "the key holds a collection"};
  }
  const std::optional<Number> sum = Number::Sum(current, Number::FromInt(by));
  if (!error && (!sum || !sum->fits_int64() || !AddToString(entry, Number::FromInt(by), *sum))) {
    error = Error{Code::kOutOfRange, "the sum is beyond 64 bits"};
  }
  Keep(entry);  // also keeps the deletion of what had expired
  if (error) return *std::move(error);
  return sum->ClampedInt64();
}

Result<Number> Access::IncrementDecimal(const KeyRef& key, const Number& by) {
  LoadedEntry entry = LoadForWrite(key);
  const KeyView view = ViewOf(entry);
  std::optional<Number> current = Number{};
  Result<Number> sum = Number{};
  if (view.type == KeyType::kString) {
    current = view.value.kind == Value::Kind::kNumber ? view.value.number
                                                      : Number::ParseDecimal(view.value.bytes);
    if (!current) sum = Error{Code::kInvalidArgument, "value is not an exact decimal"};
  } else if (view.type != KeyType::kNone) {
    sum = Error{Code::kWrongType, "the key holds a collection"};
  }
  if (sum) sum = DecimalSum(*current, by);
  if (sum && !AddToString(entry, by, *sum)) sum = OwnNetOverflows();
  Keep(entry);
  return sum;
}

bool Access::Delete(const KeyRef& key) {
  LoadedEntry entry = LoadForWrite(key);
  if (entry.handle == 0) return false;
  const bool seen = ViewOf(entry).type != KeyType::kNone;
  if (seen && !EndLiveClaim(entry)) {
    Item item = ItemOf(Part::kCut, key);
    Write(entry, item);
  }
  Keep(entry);
  return seen;
}

void Access::Clear(const KeyRef& key) {
  LoadedEntry entry = LoadForWrite(key);
  if (!EndLiveClaim(entry)) {
    Item item = ItemOf(Part::kCut, key);
    Write(entry, item);
  }
  Keep(entry);
}

bool Access::SetDeadline(const KeyRef& key, int64_t deadline_millis) {
  LoadedEntry entry = LoadForWrite(key);
  if (entry.handle == 0) return false;
  const bool seen = ViewOf(entry).type != KeyType::kNone;
  if (entry.state.HasLiveClaim()) {
    SetClaimDeadline(entry, deadline_millis);
  } else if (seen && deadline_millis <= NowMillis()) {
    Item item = ItemOf(Part::kCut, key);
    Write(entry, item);
  } else if (seen) {
    WriteExpiry(entry, std::min(deadline_millis, Stamp::kMaxMillis));
  }
  Keep(entry);
  return seen;
}

bool Access::ClearDeadline(const KeyRef& key) {
  LoadedEntry entry = LoadForWrite(key);
  if (entry.handle == 0) return false;
  const bool claimed = entry.state.HasLiveClaim();
  const bool had =
      claimed ? entry.state.claim->ttl_millis != 0 : ViewOf(entry).deadline_millis.has_value();
  if (had && claimed) {
    RewriteClaim(entry, std::string(entry.state.claim->text), 0);
  } else if (had) {
    WriteExpiry(entry, 0);
  }
  Keep(entry);
  return had;
}

bool Access::Copy(const KeyRef& from, const KeyRef& to) {
  const std::optional<KeyView> view = Find(from);
  if (!view) return false;
  std::string buffer;
  // The source's bytes move when its own shard changes: copy them out first.
  if (view->type == KeyType::kString) {
    const std::string text(view->Text(buffer));
    SetString(to, text);
  } else {
    const ElementType type = ElementTypeOf(view->type);
    std::vector<std::pair<std::string, std::pair<Value, std::string>>> elements;
    const auto copy_out = [&](std::string_view id, const Value& payload) {
      elements.push_back({std::string(id), {payload, std::string(payload.bytes)}});
      return true;
    };
    if (type == ElementType::kList) {
      ForEachInOrder(from, type, 0, SIZE_MAX, false, copy_out);
    } else {
      ForEachElement(from, type, copy_out);
    }
    Clear(to);
    for (const auto& [id, payload] : elements) {
      const Value value =
          payload.first.kind == Value::Kind::kBytes ? Value::Bytes(payload.second) : payload.first;
      if (type == ElementType::kList) {
        PushElement(to, false, value);
      } else {
        AddElement(to, type, id, value);
      }
    }
  }
  if (view->deadline_millis) SetDeadline(to, *view->deadline_millis);
  return true;
}

}  // namespace starling
