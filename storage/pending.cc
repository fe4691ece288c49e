#include "storage/pending.h"

#include <utility>

#include "storage/reused_buffer.h"

namespace starling {
namespace {

uint64_t Mix(const Item& item, uint64_t hash) {
  uint64_t mixed = hash ^ (static_cast<uint64_t>(item.part) << 59);
  if (!item.element.empty()) {
    mixed ^= std::hash<std::string_view>{}(item.element) * 0x9E3779B97F4A7C15ull;
    mixed += static_cast<uint64_t>(item.element_type);
  }
  return mixed;
}

}  // namespace

PendingBuffer::Text PendingBuffer::Add(std::string_view bytes) {
  const Text text{texts_.size(), bytes.size()};
  texts_.append(bytes);
  return text;
}

bool PendingBuffer::Same(const Entry& entry, const Item& item, uint64_t hash) const {
  return entry.hash == hash && entry.item.part == item.part &&
         entry.item.database == item.database && entry.item.element_type == item.element_type &&
         View(entry.key) == item.key && View(entry.element) == item.element;
}

size_t PendingBuffer::Find(const Item& item, uint64_t hash) const {
  if (items_.size() <= kScanned) {
    // The latest of two that a mark stands between.
    for (size_t i = items_.size(); i > 0; --i) {
      if (Same(items_[i - 1], item, hash)) return i - 1;
    }
    return items_.size();
  }
  const auto found = index_.find(hash);
  if (found == index_.end()) return items_.size();
  return Same(items_[found->second], item, hash) ? found->second : items_.size();
}

bool PendingBuffer::Has(const Item& item, uint64_t hash) const {
  return Find(item, Mix(item, hash)) < items_.size();
}

void PendingBuffer::Record(const Item& item, uint64_t hash) {
  const uint64_t mixed = Mix(item, hash);
  const size_t found = Find(item, mixed);
  if (found < items_.size() && found >= marked_) {
    Entry& entry = items_[found];
    const Text payload = entry.payload;
    entry.item = item;
    if (item.value.kind != Value::Kind::kBytes) return;
    if (item.value.bytes.size() > payload.size) {
      entry.payload = Add(item.value.bytes);
    } else {
      texts_.replace(payload.offset, item.value.bytes.size(), item.value.bytes);
      entry.payload.size = item.value.bytes.size();
    }
    return;
  }
  const auto instead_of = static_cast<uint32_t>(found < items_.size() ? found + 1 : 0);
  Entry& entry = items_.emplace_back();
  entry.instead_of = instead_of;
  entry.item = item;
  entry.hash = mixed;
  entry.key = Add(item.key);
  entry.element = Add(item.element);
  if (item.value.kind == Value::Kind::kBytes) entry.payload = Add(item.value.bytes);
  if (items_.size() <= kScanned) return;
  if (items_.size() == kScanned + 1) {
    for (uint32_t i = 0; i < kScanned; ++i) index_[items_[i].hash] = i;
  }
  index_[mixed] = static_cast<uint32_t>(items_.size() - 1);
}

void PendingBuffer::Mark() {
  marked_ = items_.size();
  marked_text_ = texts_.size();
}

void PendingBuffer::KeepMarked() {
  const bool indexed = items_.size() > kScanned;
  size_t kept = std::exchange(marked_, 0);
  for (size_t i = kept; i < items_.size(); ++i) {
    const uint32_t instead_of = std::exchange(items_[i].instead_of, 0);
    const size_t to = instead_of != 0 ? instead_of - 1 : kept++;
    if (to == i) continue;
    items_[to] = items_[i];
    if (indexed) index_[items_[to].hash] = static_cast<uint32_t>(to);
  }
  items_.resize(kept);
}

void PendingBuffer::DropMarked() {
  items_.resize(std::exchange(marked_, 0));
  texts_.resize(marked_text_);
  index_.clear();
  if (items_.size() <= kScanned) return;
  for (uint32_t i = 0; i < items_.size(); ++i) index_[items_[i].hash] = i;
}

void PendingBuffer::AppendTo(std::vector<Item>& out, const Origin& origin) const {
  AppendFrom(0, out, origin);
}

void PendingBuffer::AppendMarked(std::vector<Item>& out, const Origin& origin) const {
  AppendFrom(marked_, out, origin);
}

void PendingBuffer::AppendFrom(size_t first, std::vector<Item>& out, const Origin& origin) const {
  for (size_t i = first; i < items_.size(); ++i) {
    const Entry& entry = items_[i];
    Item& item = out.emplace_back(entry.item);
    item.origin = origin;
    item.key = View(entry.key);
    item.element = View(entry.element);
    if (item.value.kind == Value::Kind::kBytes) item.value.bytes = View(entry.payload);
  }
}

void PendingBuffer::Clear() {
  EmptyKeeping(texts_, kKeptBytes);
  EmptyKeeping(items_, kKeptBytes);
  index_.clear();  // keeps little by itself
}

}  // namespace starling
