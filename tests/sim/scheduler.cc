#include "tests/sim/scheduler.h"

#include <algorithm>
#include <utility>

namespace starling::sim {

void Scheduler::At(Instant when, Event event) {
  heap_.push_back({std::max(when, now_), sequence_++, std::move(event)});
  std::push_heap(heap_.begin(), heap_.end());
}

bool Scheduler::RunNext(Instant limit) {
  if (heap_.empty() || heap_.front().when > limit) {
    now_ = std::max(now_, limit);
    return false;
  }
  std::pop_heap(heap_.begin(), heap_.end());
  const Entry entry = std::move(heap_.back());
  heap_.pop_back();
  now_ = entry.when;
  ++events_;
  entry.event();
  return true;
}

void Scheduler::RunUntil(Instant limit) {
  while (RunNext(limit)) {
  }
}

}  // namespace starling::sim
