#include "node/background.h"

#include <pthread.h>

#include <algorithm>
#include <vector>

#include "storage/records.h"

namespace starling {
namespace {

/// However short a wait the store asks for, others get the processor in between.
constexpr auto kShortestWait = std::chrono::milliseconds(1);

}  // namespace

Background::Background(Store& store, std::function<Keyspace::Stability()> stability,
                       std::function<bool()> leads, std::shared_ptr<spdlog::logger> log)
    : store_(store),
      stability_(std::move(stability)),
      leads_(std::move(leads)),
      log_(std::move(log)),
      thread_([this] {
        pthread_setname_np(pthread_self(), "starling-upkeep");
        Run();
      }) {}

Background::~Background() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Status Background::StartCheckpoint() {
  {
    const std::lock_guard lock(mutex_);
    if (checkpoint_asked_) return Error{Code::kUnavailable, "a checkpoint is running already"};
    checkpoint_asked_ = true;
  }
  wake_.notify_one();
  return {};
}

bool Background::checkpoint_running() const {
  const std::lock_guard lock(mutex_);
  return checkpoint_asked_;
}

Status Background::last_checkpoint() const {
  const std::lock_guard lock(mutex_);
  return last_checkpoint_;
}

void Background::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const bool checkpoint = checkpoint_asked_;
    lock.unlock();
    Status outcome;
    if (checkpoint) {
      outcome = store_.Checkpoint();
      if (!outcome) log_->error("checkpoint failed: reason={}", outcome.error().message);
    }
    const Keyspace::Stability stability = stability_();
    RemoveRecords(stability);
    const auto wait = std::max(kShortestWait, store_.Maintain(stability));
    lock.lock();
    if (checkpoint) {
      checkpoint_asked_ = false;
      last_checkpoint_ = outcome;
    }
    wake_.wait_for(lock, wait, [this] { return stop_ || checkpoint_asked_; });
  }
}

void Background::RemoveRecords(const Keyspace::Stability& stability) {
  if (!leads_()) return;
  Records& records = store_.keyspace().records();
  const std::vector<RecordId> removable = records.Removable(stability);
  if (removable.empty()) return;
  records.Remove(removable);
  if (const Status committed = store_.journal().Commit(); !committed) {
    log_->warn("decided records stay for now: reason={}", committed.error().message);
  }
}

}  // namespace starling
