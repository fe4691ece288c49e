/// A counter whose additions are ordered: each answers with the sum after it, as INCRBY does on one
/// Redis.
///
///     auto tickets = node->GetCounter("tickets", {.level = starling::Level::kLeased});
///     const auto number = tickets.Add();  // no other call in the cluster gets the same
///
/// The same key as Counter of that name, which costs nanoseconds and merges. Each call waits for
/// the leaseholder, at most LevelOptions::timeout. Thread-safe, cheap to copy; a handle may outlive
/// its node.
///
/// Errors of every call: those that kv.h names for handles above level `local`; kWrongType,
/// kInvalidArgument (the key holds no integer, or its name is too long).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "starling/level.h"
#include "starling/result.h"

namespace starling {

class NodeCore;

class OrderedCounter {
 public:
  /// Adds `n`, which may be negative; the sum with it. kOutOfRange: it would leave int64, and
  /// nothing was added.
  Result<std::int64_t> Add(std::int64_t n = 1);
  Result<std::int64_t> Value() const;
  /// Sets it to 0 and returns what it was. Increments at level `local` that had not arrived at the
  /// leaseholder still count afterwards. Drops a time to live.
  Result<std::int64_t> Reset();

 private:
  friend class Node;
  OrderedCounter(std::shared_ptr<NodeCore> core, std::string name, const LevelOptions& options)
      : core_(std::move(core)), name_(std::move(name)), options_(options) {}

  std::shared_ptr<NodeCore> core_;
  std::string name_;
  LevelOptions options_;
};

}  // namespace starling
