/// The configuration of the running server: an immutable snapshot that CONFIG SET replaces whole.
///
/// Thread-safe. Threads that need settings on a hot path keep the snapshot and look at version().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/settings.h"
#include "starling/result.h"

namespace starling {

using SettingValues = std::vector<std::pair<std::string, std::string>>;

class Config {
 public:
  /// Carries changed settings out where they live outside of the snapshot (log level, fsync). An
  /// error refuses the change.
  using Applier = std::function<Status(const Settings& next)>;

  /// `file`: where the settings came from and CONFIG REWRITE writes; empty: nowhere.
  Config(Settings settings, std::string file);

  std::shared_ptr<const Settings> settings() const;
  const std::string& file() const { return file_; }
  /// Changes with every replaced snapshot.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void SetApplier(Applier applier);

  /// Names and values of what matches the glob pattern (any case).
  SettingValues Get(std::string_view pattern) const;
  /// All or none. Errors: kInvalidArgument, in the words of Redis's CONFIG SET.
  Status Set(const SettingValues& values);
  /// Writes what Set has changed into the file, in place of what stood there. Errors: kNotFound
  /// (no file), kIo, kRefused (the file is written in a way that cannot be changed by line). The
  /// file is as it was then.
  Status Rewrite();

 private:
  Status Parse(const SettingValues& values, Settings& next) const;

  const std::string file_;
  mutable std::mutex mutex_;  // guards all below
  std::shared_ptr<const Settings> settings_;
  std::set<std::string> changed_;  // names, for Rewrite
  Applier applier_;
  std::atomic<uint64_t> version_{1};
};

}  // namespace starling
