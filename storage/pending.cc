#include "storage/pending.h"

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

PendingBuffer::Entry* PendingBuffer::Find(const Item& item, uint64_t hash) {
  if (items_.size() <= kScanned) {
    for (Entry& entry : items_) {
      if (Same(entry, item, hash)) return &entry;
    }
    return nullptr;
  }
  const auto found = index_.find(hash);
  if (found == index_.end()) return nullptr;
  Entry& entry = items_[found->second];
  return Same(entry, item, hash) ? &entry : nullptr;
}

void PendingBuffer::Record(const Item& item, uint64_t hash) {
  const uint64_t mixed = Mix(item, hash);
  if (Entry* entry = Find(item, mixed)) {
    const Text payload = entry->payload;
    entry->item = item;
    if (item.value.kind != Value::Kind::kBytes) return;
    if (item.value.bytes.size() > payload.size) {
      entry->payload = Add(item.value.bytes);
    } else {
      texts_.replace(payload.offset, item.value.bytes.size(), item.value.bytes);
      entry->payload.size = item.value.bytes.size();
    }
    return;
  }
  Entry& entry = items_.emplace_back();
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

void PendingBuffer::AppendTo(std::vector<Item>& out, const Origin& origin) const {
  for (const Entry& entry : items_) {
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
