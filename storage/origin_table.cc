#include "storage/origin_table.h"

#include "storage/check.h"

namespace starling {

OriginTable::~OriginTable() {
  for (auto& block : blocks_) delete block.load();
}

OriginIndex OriginTable::IndexOf(const Origin& origin) {
  std::lock_guard lock(mutex_);
  const auto found = numbers_.find(origin);
  if (found != numbers_.end()) return found->second;
  const size_t index = numbers_.size();
  STARLING_CHECK(index < kMaxOrigins);
  auto& slot = blocks_[index >> 8];
  if (slot.load() == nullptr) slot.store(new Block);
  slot.load()->origins[index & 255] = origin;
  slot.load()->over[index & 255] = over_.Get(origin) == VersionVector::kOver;
  numbers_.emplace(origin, static_cast<OriginIndex>(index));
  size_.store(numbers_.size(), std::memory_order_relaxed);
  return static_cast<OriginIndex>(index);
}

void OriginTable::AllowFolding(const VersionVector& over) {
  std::lock_guard lock(mutex_);
  if (over == over_) return;
  foldings_.fetch_add(1, std::memory_order_release);
  over_ = over;
  for (size_t index = 0; index < numbers_.size(); ++index) {
    Block& block = *blocks_[index >> 8].load();
    block.over[index & 255] = over_.Get(block.origins[index & 255]) == VersionVector::kOver;
  }
}

}  // namespace starling
