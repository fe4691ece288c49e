/// The thread that does what nobody waits for: expiry, freeing, syncing every second, checkpoints.
///
/// Thread-safe. Sleeps between calls of Store::Maintain for as long as that one asks for.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include <spdlog/logger.h>

#include "starling/result.h"
#include "storage/keyspace.h"
#include "storage/store.h"

namespace starling {

class Background {
 public:
  /// `stability` is asked before each round, `leads` when there is something that only a
  /// leaseholder may tidy up; both on the background thread.
  Background(Store& store, std::function<Keyspace::Stability()> stability,
             std::function<bool()> leads, std::shared_ptr<spdlog::logger> log);
  /// Ends the thread after the round under way, a checkpoint say.
  ~Background();

  /// Begins a checkpoint. kUnavailable when one that was asked for is running.
  Status StartCheckpoint();
  bool checkpoint_running() const;
  /// Outcome of the last one that was asked for.
  Status last_checkpoint() const;

 private:
  void Run();
  /// Removes records that everybody has decided.
  void RemoveRecords(const Keyspace::Stability& stability);

  Store& store_;
  const std::function<Keyspace::Stability()> stability_;
  const std::function<bool()> leads_;
  std::shared_ptr<spdlog::logger> log_;
  mutable std::mutex mutex_;  // guards the four below
  std::condition_variable wake_;
  bool stop_ = false;
  bool checkpoint_asked_ = false;
  Status last_checkpoint_;
  std::thread thread_;
};

}  // namespace starling
