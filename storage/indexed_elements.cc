#include "storage/indexed_elements.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "storage/entry.h"
#include "storage/payload_block.h"

namespace starling {

uint64_t HashElement(ElementType type, std::string_view id, uint64_t seed) {
  return XXH3_64bits_withSeed(id.data(), id.size(), seed + static_cast<uint64_t>(type));
}

IndexedElements::IndexedElements(ElementType type, CollectionSpace& space)
    : CollectionPart(type, space) {
  if (type == ElementType::kSortedSet) order_ = std::make_unique<Order>();
  Account();
}

IndexedElements::~IndexedElements() {
  while (!FreeSome(SIZE_MAX)) {
  }
  space_.outside_bytes -= accounted_;
}

void IndexedElements::Account() {
  const size_t bytes =
      sizeof *this + table_.memory_bytes() + (order_ ? sizeof *order_ + order_->memory_bytes() : 0);
  space_.outside_bytes += bytes - accounted_;
  accounted_ = bytes;
}

// --- cells: [id length][id][register] ---

Element IndexedElements::At(Handle handle) const {
  const uint8_t* cell = space_.slab.At(handle);
  PackedReader in(cell, cell + kWholeCell);
  Element element;
  element.type = type_;
  element.id = in.Bytes(in.Varint());
  UnpackRegister(in, element.value, &element.block);
  STARLING_CHECK(in.ok());
  return element;
}

std::string_view IndexedElements::IdAt(Handle handle) const {
  const uint8_t* cell = space_.slab.At(handle);
  PackedReader in(cell, cell + kWholeCell);
  return in.Bytes(in.Varint());
}

bool IndexedElements::PayloadAt(Handle handle, std::string_view& id, Value& payload,
                                ScoreText& text) const {
  const uint8_t* cell = space_.slab.At(handle);
  PackedReader in(cell, cell + kWholeCell);
  id = in.Bytes(in.Varint());
  if (UnpackPlainPayload(in, payload)) return payload.kind != Value::Kind::kNone;
  const Element element = At(handle);
  if (!element.live()) return false;
  payload = element.Payload(text);
  return true;
}

Handle IndexedElements::Pack(const Element& element) {
  const size_t payload = element.block == nullptr ? element.value.base.bytes.size() : 0;
  absl::InlinedVector<uint8_t, 512> scratch(element.id.size() + payload +
                                            PackedRegisterBound(element.value) + 16);
  PackedWriter out(scratch.data());
  out.Varint(element.id.size());
  out.Bytes(element.id);
  PackRegister(out, element.value, element.block);
  const size_t size = static_cast<size_t>(out.at() - scratch.data());
  const Handle handle = space_.slab.Allocate(size);
  std::memcpy(space_.slab.At(handle), scratch.data(), size);
  cell_bytes_ += space_.slab.SizeOf(handle);
  return handle;
}

void IndexedElements::Release(Handle handle) {
  const Element element = At(handle);
  if (element.block != nullptr) {
    payload_bytes_ -= element.value.base.bytes.size();
    space_.outside_bytes -= element.value.base.bytes.size();
    delete[] element.block;
  }
  cell_bytes_ -= space_.slab.SizeOf(handle);
  space_.slab.Free(handle);
}

// --- finding ---

Handle IndexedElements::FindHandle(std::string_view id, uint64_t hash) const {
  return table_.Find(hash, [&](Handle handle) { return IdAt(handle) == id; });
}

std::optional<Element> IndexedElements::Find(std::string_view id) const {
  const Handle handle = FindHandle(id, HashOf(id));
  if (handle == 0) return std::nullopt;
  return At(handle);
}

bool IndexedElements::Has(std::string_view id) const {
  const Handle handle = FindHandle(id, HashOf(id));
  std::string_view found;
  Value payload;
  ScoreText text;
  return handle != 0 && PayloadAt(handle, found, payload, text);
}

Handle IndexedElements::FindTombstone(uint64_t hash, const Version& version) const {
  return table_.Find(hash, [&](Handle handle) {
    const Element element = At(handle);
    return !element.live() && element.value.version.stamp == version.stamp &&
           element.value.version.origin == version.origin && HashOf(element.id) == hash;
  });
}

// --- changing ---

void IndexedElements::Remove(uint64_t hash, Handle handle) {
  LeaveOrder(handle);
  table_.Erase(hash, handle, [this](Handle other) { return HashOfHandle(other); });
}

void IndexedElements::Store(uint64_t hash, Handle old, Element& element, Stamp before) {
  if (old != 0) LeaveOrder(old);
  CountStamps(element);
  CountLive(before, element.NewestLive());
  if (element.block != nullptr) {
    const size_t bytes = At(old).value.base.bytes.size();
    payload_bytes_ -= bytes;
    space_.outside_bytes -= bytes;
  }
  element.block = KeepPayload(element.value, element.block);
  if (element.block != nullptr) {
    payload_bytes_ += element.value.base.bytes.size();
    space_.outside_bytes += element.value.base.bytes.size();
  }
  const Handle handle = Pack(element);
  EnterOrder(handle);
  if (old == 0) {
    table_.Insert(hash, handle, [this](Handle other) { return HashOfHandle(other); });
  } else {
    table_.Replace(hash, old, handle);
    cell_bytes_ -= space_.slab.SizeOf(old);
    space_.slab.Free(old);
  }
  Account();
}

bool IndexedElements::Update(std::string_view id, Change change) {
  const uint64_t hash = HashOf(id);
  const Handle old = FindHandle(id, hash);
  Element element;
  if (old != 0) element = At(old);
  element.type = type_;
  element.id = id;
  const Stamp before = element.NewestLive();
  if (!change(element)) return false;
  Store(hash, old, element, before);
  return true;
}

bool IndexedElements::UpdateAt(size_t position, Change change) {
  const Handle old = order_->At(position).handle;
  Element element = At(old);
  const Stamp before = element.NewestLive();
  const uint64_t hash = HashOf(element.id);
  if (!change(element)) return false;
  Store(hash, old, element, before);
  return true;
}

size_t IndexedElements::Free(std::span<ElementTombstone> tombstones, Visitor dropped) {
  size_t freed = 0;
  for (const auto& [name, version] : tombstones) {
    const Handle handle = FindTombstone(name.hash, version);
    if (handle == 0) continue;
    dropped(At(handle));
    Remove(name.hash, handle);
    Release(handle);
    ++freed;
  }
  Account();
  return freed;
}

void IndexedElements::Purge(Stamp reset, PurgeVisitor changed) {
  std::vector<Handle> handles;
  handles.reserve(table_.size());
  table_.ForEach([&](Handle handle) { handles.push_back(handle); });
  for (const Handle handle : handles) {
    Element element = At(handle);
    const uint64_t hash = HashOf(element.id);
    const Stamp before = element.NewestLive();
    if (!element.value.DropUpTo(reset)) continue;
    changed(element, element.none());
    if (element.none()) {
      CountLive(before, {});
      Remove(hash, handle);
      Release(handle);
    } else {
      Store(hash, handle, element, before);
    }
  }
  oldest_ = std::max(oldest_, reset.next());
  Account();
}

bool IndexedElements::FreeSome(size_t limit) {
  if (order_ && !order_->FreeSome(limit)) {
    Account();
    return false;
  }
  if (freeing_ && freed_ == 0) return true;
  freeing_ = true;
  size_t freed = 0;
  do {
    freed_ = table_.Scan(freed_, [&](Handle handle) {
      Release(handle);
      ++freed;
    });
  } while (freed_ != 0 && freed < limit);
  Account();
  return freed_ == 0;
}

// --- going over all ---

void IndexedElements::ForEach(Visitor visit) const {
  table_.ForEach([&](Handle handle) { visit(At(handle)); });
}

void IndexedElements::ForEachLive(ScoreText& text, PayloadVisitor visit) const {
  table_.ForEach([&](Handle handle) {
    std::string_view id;
    Value payload;
    if (PayloadAt(handle, id, payload, text)) visit(id, payload);
  });
}

void IndexedElements::VisitLiveFrom(size_t first, ScoreText& text, PayloadVisitor visit) const {
  if (!order_) return;
  order_->VisitFrom(first, false, [&](const OrderedHandle& each) {
    std::string_view id;
    Value payload;
    return !PayloadAt(each.handle, id, payload, text) || visit(id, payload);
  });
}

void IndexedElements::ForEachNamed(const ElementName& name, Visitor visit) const {
  table_.ForEachCandidate(static_cast<uint32_t>(name.hash), [&](Handle handle) {
    if (HashOfHandle(handle) == name.hash) visit(At(handle));
  });
}

uint64_t IndexedElements::Scan(uint64_t cursor, size_t count, Visitor visit) const {
  size_t visited = 0;
  do {
    cursor = table_.Scan(cursor, [&](Handle handle) {
      ++visited;
      visit(At(handle));
    });
  } while (cursor != 0 && visited < count);
  return cursor;
}

bool IndexedElements::Walk(ElementsWalked& walked, Stamp, size_t count, Visitor visit) const {
  walked.scanned = Scan(walked.scanned, count, visit);
  return walked.scanned == 0;
}

Element IndexedElements::Random(std::mt19937_64& random) const {
  STARLING_CHECK(live_ > 0);
  if (order_) return At(order_->At(random() % order_->size()).handle);
  // Rejection: a bucket is drawn, then one of 24 places in it, so that full buckets count more. It
  // takes some draws for each tombstone that stands beside a live element; going over all is for
  // when there are so few of those that it costs about as much, so that taking out one after the
  // other costs O(n log n) in all even where no tombstone may be freed. That many draws do not fail
  // in practice.
  constexpr size_t kPlaces = 24;
  constexpr size_t kFewLive = 32;
  const size_t most_draws = live_ < kFewLive ? 0 : 100 * (table_.size() / live_ + 1);
  std::vector<Handle> bucket;
  for (size_t draws = 0; draws < most_draws; ++draws) {
    bucket.clear();
    table_.RandomBucket(random, bucket);
    const size_t place = random() % std::max(kPlaces, bucket.size());
    if (place >= bucket.size()) continue;
    const Element element = At(bucket[place]);
    if (element.live()) return element;
  }
  size_t skip = random() % live_;
  Handle found = 0;
  table_.ForEach([&](Handle handle) {
    if (found == 0 && At(handle).live() && skip-- == 0) found = handle;
  });
  STARLING_CHECK(found != 0);
  return At(found);
}

// --- order ---

size_t IndexedElements::PlaceOf(double score, std::string_view id) const {
  return order_->PartitionPoint([&](const OrderedHandle& other) {
    const double other_score = other.score();
    return other_score != score ? other_score < score : IdAt(other.handle) < id;
  });
}

void IndexedElements::EnterOrder(Handle handle) {
  if (!order_) return;
  const Element element = At(handle);
  if (!element.live()) return;
  const double score = ScoreOf(element.value);
  order_->Insert(PlaceOf(score, element.id), {handle, score});
}

void IndexedElements::LeaveOrder(Handle handle) {
  if (!order_) return;
  const Element element = At(handle);
  if (!element.live()) return;
  const size_t place = PlaceOf(ScoreOf(element.value), element.id);
  STARLING_CHECK(order_->At(place).handle == handle);
  order_->Erase(place);
}

std::optional<size_t> IndexedElements::RankOf(std::string_view id) const {
  const std::optional<Element> element = Find(id);
  if (!order_ || !element || !element->live()) return std::nullopt;
  return PlaceOf(ScoreOf(element->value), id);
}

size_t IndexedElements::CountBelowScore(double score, bool inclusive) const {
  if (!order_) return 0;
  return order_->PartitionPoint([&](const OrderedHandle& other) {
    return inclusive ? other.score() <= score : other.score() < score;
  });
}

size_t IndexedElements::CountBelowId(std::string_view id, bool inclusive) const {
  if (!order_) return 0;
  return order_->PartitionPoint([&](const OrderedHandle& handle) {
    const std::string_view other = IdAt(handle.handle);
    return inclusive ? other <= id : other < id;
  });
}

void IndexedElements::VisitInOrder(size_t first, bool reverse, OrderVisitor visit) const {
  if (!order_) return;
  order_->VisitFrom(first, reverse,
                    [&](const OrderedHandle& each) { return visit(At(each.handle)); });
}

}  // namespace starling
