#include "node/background.h"

#include <pthread.h>

#include <algorithm>

namespace starling {
namespace {

/// However short a wait the store asks for, others get the processor in between.
constexpr auto kShortestWait = std::chrono::milliseconds(1);

}  // namespace

Background::Background(Store& store, std::function<Keyspace::Stability()> stability,
                       std::shared_ptr<spdlog::logger> log)
    : store_(store), stability_(std::move(stability)), log_(std::move(log)), thread_([this] {
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
    const auto wait = std::max(kShortestWait, store_.Maintain(stability_()));
    lock.lock();
    if (checkpoint) {
      checkpoint_asked_ = false;
      last_checkpoint_ = outcome;
    }
    wake_.wait_for(lock, wait, [this] { return stop_ || checkpoint_asked_; });
  }
}

}  // namespace starling
