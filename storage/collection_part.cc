#include "storage/collection_part.h"

#include <algorithm>

namespace starling {

void CollectionPart::CountLive(Stamp before, Stamp after) {
  live_ += static_cast<size_t>(!after.none()) - static_cast<size_t>(!before.none());
  if (after >= newest_live_) {
    newest_live_ = after;
    newest_live_gone_ = false;
  } else if (before == newest_live_) {
    newest_live_gone_ = true;
  }
}

void CollectionPart::CountStamps(const Element& element) {
  newest_ = std::max(newest_, element.value.Newest());
  oldest_ = std::min(oldest_, element.Oldest());
}

Stamp CollectionPart::NewestLive() const {
  if (newest_live_gone_) {
    newest_live_gone_ = false;
    newest_live_ = {};
    ForEach([&](const Element& element) {
      newest_live_ = std::max(newest_live_, element.NewestLive());
    });
  }
  return newest_live_;
}

}  // namespace starling
