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
  slot.load()->at(index & 255) = origin;
  numbers_.emplace(origin, static_cast<OriginIndex>(index));
  size_.store(numbers_.size(), std::memory_order_relaxed);
  return static_cast<OriginIndex>(index);
}

}  // namespace starling
