/// Watches every log and every frame: I6 and I7.
///
/// I7: a batch is in its origin's own log before any other log has it or any frame carries it, and
/// a frame carries only what its sender's log holds. One (origin, upto) never stands for two
/// contents, which is what a copied or restored folder would do (schedule 28). I6: a log takes a
/// batch only where the stream before it ended. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "replication/replicator.h"
#include "storage/engine.h"

namespace starling::sim {

class SimNode;

class StreamChecker {
 public:
  using Report = std::function<void(const std::string& invariant, const std::string& text)>;
  explicit StreamChecker(Report report) : report_(std::move(report)) {}

  /// `node` (with this id) is about to hold `record`.
  void OnAppend(const std::string& node, NodeId id, const Engine::LogRecord& record);
  void OnSend(SimNode& node, const SendEffect& send);

  /// The disk of `origin`'s node goes back unnoticed: what the node now logs under this name is a
  /// second history, which nobody else may log.
  void LetBranch(const Origin& origin) { branched_.insert(origin); }

  uint64_t batches() const { return batches_; }
  /// Batches it knows by name; grows for ever.
  size_t remembered() const {
    size_t count = 0;
    for (const auto& [origin, stream] : written_) count += stream.size();
    return count;
  }

 private:
  struct Written {
    Stamp after;
    uint64_t content = 0;  ///< Hash of the bytes.
  };

  Report report_;
  std::map<Origin, std::map<Stamp, Written>> written_;  // by origins themselves
  std::set<Origin> branched_;
  uint64_t batches_ = 0;
};

}  // namespace starling::sim
