#include "storage/collection.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "storage/entry.h"
#include "storage/payload_block.h"

namespace starling {

Stamp Element::NewestLive() const {
  Stamp newest = value.base.kind == Value::Kind::kNone ? Stamp{} : value.version.stamp;
  for (const Slot& slot : value.slots) newest = std::max(newest, slot.stamp);
  return newest;
}

Value Element::Payload(ScoreText& text) const {
  if (value.slots.empty()) return value.base;
  if (type == ElementType::kSortedSet && value.base.kind == Value::Kind::kBytes) {
    return ScoreValue(ScoreOf(value), text);
  }
  return Value::OfNumber(value.Sum());
}

Collection::~Collection() {
  while (!FreeSome(SIZE_MAX)) {
  }
  outside_bytes_ -= accounted_;
}

void Collection::Account() {
  const size_t bytes = sizeof *this + block_bytes_ + few_.capacity() * sizeof(Handle) +
                       (table_ ? sizeof *table_ + table_->memory_bytes() : 0) + OrderBytes();
  outside_bytes_ += bytes - accounted_;
  accounted_ = bytes;
}

uint64_t Collection::HashOf(ElementType type, std::string_view id) const {
  return XXH3_64bits_withSeed(id.data(), id.size(), hash_seed_ + static_cast<uint64_t>(type));
}

Element Collection::At(Handle handle) const {
  const uint8_t* cell = slab_.At(handle);
  PackedReader in(cell, cell + kWholeCell);
  Element element;
  element.type = static_cast<ElementType>(in.Byte());
  element.id = in.Bytes(in.Varint());
  UnpackRegister(in, element.value, &element.block);
  STARLING_CHECK(in.ok());
  return element;
}

uint64_t Collection::HashOfHandle(Handle handle) const {
  const uint8_t* cell = slab_.At(handle);
  PackedReader in(cell, cell + kWholeCell);
  const auto type = static_cast<ElementType>(in.Byte());
  return HashOf(type, in.Bytes(in.Varint()));
}

Handle Collection::FindHandle(ElementType type, std::string_view id, uint64_t hash) const {
  const auto equal = [&](Handle handle) {
    const uint8_t* cell = slab_.At(handle);
    PackedReader in(cell, cell + kWholeCell);
    return static_cast<ElementType>(in.Byte()) == type && in.Bytes(in.Varint()) == id;
  };
  if (table_) return table_->Find(hash, equal);
  const auto found = std::find_if(few_.begin(), few_.end(), equal);
  return found == few_.end() ? 0 : *found;
}

std::optional<Element> Collection::Find(ElementType type, std::string_view id) const {
  const Handle handle = FindHandle(type, id, table_ ? HashOf(type, id) : 0);
  if (handle == 0) return std::nullopt;
  return At(handle);
}

void Collection::Insert(uint64_t hash, Handle handle) {
  const auto hash_of = [this](Handle other) { return HashOfHandle(other); };
  if (table_) {
    table_->Insert(hash, handle, hash_of);
    return;
  }
  few_.push_back(handle);
  if (few_.size() <= kFew) return;
  table_ = std::make_unique<HandleTable>();
  for (Handle each : few_) table_->Insert(HashOfHandle(each), each, hash_of);
  few_ = {};
}

void Collection::Remove(uint64_t hash, Handle handle) {
  LeaveOrder(handle);
  if (table_) {
    table_->Erase(hash, handle, [this](Handle other) { return HashOfHandle(other); });
  } else {
    std::erase(few_, handle);
  }
}

void Collection::Release(Handle handle) {
  const Element element = At(handle);
  if (element.block != nullptr) block_bytes_ -= element.value.base.bytes.size();
  delete[] element.block;
  cell_bytes_ -= slab_.SizeOf(handle);
  slab_.Free(handle);
}

Handle Collection::Pack(const Element& element, const char* block) {
  const size_t payload = block == nullptr ? element.value.base.bytes.size() : 0;
  const size_t bound = element.id.size() + payload + PackedRegisterBound(element.value) + 16;
  absl::InlinedVector<uint8_t, 512> scratch(bound);
  PackedWriter out(scratch.data());
  out.Byte(static_cast<uint8_t>(element.type));
  out.Varint(element.id.size());
  out.Bytes(element.id);
  PackRegister(out, element.value, block);
  const size_t size = static_cast<size_t>(out.at() - scratch.data());
  const Handle handle = slab_.Allocate(size);
  std::memcpy(slab_.At(handle), scratch.data(), size);
  return handle;
}

void Collection::CountLive(ElementType of, Stamp before, Stamp after) {
  const auto type = static_cast<size_t>(of);
  live_[type] += static_cast<size_t>(!after.none()) - static_cast<size_t>(!before.none());
  if (after >= newest_live_[type]) {
    newest_live_[type] = after;
    newest_live_gone_[type] = false;
  } else if (before == newest_live_[type]) {
    newest_live_gone_[type] = true;
  }
}

Stamp Collection::NewestLive(ElementType of) const {
  const auto type = static_cast<size_t>(of);
  if (newest_live_gone_[type]) {
    newest_live_gone_[type] = false;
    newest_live_[type] = {};
    ForEach([&](const Element& element) {
      if (element.type == of)
        newest_live_[type] = std::max(newest_live_[type], element.NewestLive());
    });
  }
  return newest_live_[type];
}

void Collection::Store(uint64_t hash, Handle old, Element& element, Stamp before) {
  const auto type = static_cast<size_t>(element.type);
  if (old != 0) LeaveOrder(old);
  newest_[type] = std::max(newest_[type], element.value.Newest());
  CountLive(element.type, before, element.NewestLive());
  if (element.block != nullptr) block_bytes_ -= At(old).value.base.bytes.size();
  const char* block = KeepPayload(element.value, element.block);
  const Handle handle = Pack(element, block);
  cell_bytes_ += slab_.SizeOf(handle);
  if (block != nullptr) block_bytes_ += element.value.base.bytes.size();
  EnterOrder(handle);
  if (old == 0) {
    Insert(hash, handle);
    Account();
    return;
  }
  cell_bytes_ -= slab_.SizeOf(old);
  if (table_) {
    table_->Replace(hash, old, handle);
  } else {
    std::replace(few_.begin(), few_.end(), old, handle);
  }
  slab_.Free(old);
  Account();
}

bool Collection::Merge(const Item& item, OriginIndex origin, Stamp reset,
                       const OriginTable& origins) {
  const uint64_t hash = HashOf(item.element_type, item.element);
  const Handle old = FindHandle(item.element_type, item.element, hash);
  Element element;
  if (old != 0) element = At(old);
  element.type = item.element_type;
  if (old == 0) element.id = item.element;
  const Stamp before = element.NewestLive();
  bool changed = false;
  if (item.part == Part::kElement) {
    // An element may come without a payload; in memory only what is removed has none.
    const Value value = item.removed                            ? Value{}
                        : item.value.kind == Value::Kind::kNone ? Value::Bytes("")
                                                                : item.value;
    changed = item.stamp > reset && element.value.MergeBase({item.stamp, origin}, value, origins);
  } else {
    changed = element.value.MergeSlot({origin, item.at, item.stamp, item.value.number},
                                      std::max(reset, element.value.version.stamp));
  }
  if (changed) Store(hash, old, element, before);
  return changed;
}

bool Collection::AllUpTo(Stamp reset) const {
  return std::all_of(newest_.begin(), newest_.end(), [&](Stamp stamp) { return stamp <= reset; });
}

bool Collection::Purge(Stamp reset, const PurgeVisitor& changed) {
  if (reset <= purged_) return false;
  purged_ = reset;
  bool any = false;
  for (Handle handle : Handles()) {
    Element element = At(handle);
    const uint64_t hash = HashOf(element.type, element.id);
    const Stamp before = element.NewestLive();
    if (!element.value.DropUpTo(reset)) continue;
    any = true;
    const bool whole = element.value.version.none() && element.value.slots.empty();
    changed(element, hash, whole);
    if (whole) {
      CountLive(element.type, before, {});
      Remove(hash, handle);
      Release(handle);
    } else {
      Store(hash, handle, element, before);
    }
  }
  Account();
  return any;
}

Handle Collection::FindTombstone(uint64_t hash, const Version& version) const {
  const auto matches = [&](Handle handle) {
    const Element element = At(handle);
    return !element.live() && element.value.version.stamp == version.stamp &&
           element.value.version.origin == version.origin && HashOfHandle(handle) == hash;
  };
  if (table_) return table_->Find(hash, matches);
  const auto found = std::find_if(few_.begin(), few_.end(), matches);
  return found == few_.end() ? 0 : *found;
}

bool Collection::Free(uint64_t hash, const Version& version,
                      const std::function<void(const Element&)>& dropped) {
  const Handle handle = FindTombstone(hash, version);
  if (handle == 0) return false;
  dropped(At(handle));
  Remove(hash, handle);
  Release(handle);
  Account();
  return true;
}

std::vector<Handle> Collection::Handles() const {
  if (!table_) return few_;
  std::vector<Handle> handles;
  handles.reserve(table_->size());
  table_->ForEach([&](Handle handle) { handles.push_back(handle); });
  return handles;
}

bool Collection::FreeSome(size_t limit) {
  orders_ = {};
  if (table_) {
    few_ = Handles();
    table_.reset();
  }
  for (; limit > 0 && !few_.empty(); --limit) {
    Release(few_.back());
    few_.pop_back();
  }
  Account();
  return few_.empty();
}

void Collection::ForEach(const std::function<void(const Element&)>& visit) const {
  const auto each = [&](Handle handle) { visit(At(handle)); };
  if (table_) {
    table_->ForEach(each);
  } else {
    std::for_each(few_.begin(), few_.end(), each);
  }
}

void Collection::ForEachWithHash(uint64_t hash,
                                 const std::function<void(const Element&)>& visit) const {
  const auto each = [&](Handle handle) {
    if (HashOfHandle(handle) == hash) visit(At(handle));
  };
  if (table_) {
    table_->ForEachCandidate(static_cast<uint32_t>(hash), each);
  } else {
    std::for_each(few_.begin(), few_.end(), each);
  }
}

void Collection::Restore(Element& element) {
  STARLING_CHECK(!Find(element.type, element.id));
  Store(HashOf(element.type, element.id), 0, element, {});
}

uint64_t Collection::Scan(uint64_t cursor, size_t count,
                          const std::function<void(const Element&)>& visit) const {
  if (!table_) {
    ForEach(visit);
    return 0;
  }
  size_t visited = 0;
  do {
    cursor = table_->Scan(cursor, [&](Handle handle) {
      ++visited;
      visit(At(handle));
    });
  } while (cursor != 0 && visited < count);
  return cursor;
}

Element Collection::Random(ElementType type, std::mt19937_64& random) const {
  STARLING_CHECK(live(type) > 0);
  // Rejection: a bucket is drawn, then one of 24 places in it, so that full buckets count more.
  // Mostly tombstones or another type: fall back to counting.
  constexpr size_t kPlaces = 24;
  if (table_ && live(type) * 4 > table_->size()) {
    std::vector<Handle> bucket;
    for (int tries = 0; tries < 1000; ++tries) {
      bucket.clear();
      table_->RandomBucket(random, bucket);
      const size_t place = random() % std::max(kPlaces, bucket.size());
      if (place >= bucket.size()) continue;
      const Element element = At(bucket[place]);
      if (element.type == type && element.live()) return element;
    }
  }
  size_t skip = random() % live(type);
  for (Handle handle : Handles()) {
    const Element element = At(handle);
    if (element.type == type && element.live() && skip-- == 0) return element;
  }
  STARLING_CHECK(false && "live count and elements disagree");
  return {};
}

}  // namespace starling
