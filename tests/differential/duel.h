/// Two servers that must answer alike: Redis, who is right, and starling.
///
/// Sends each command to both, compares the replies and, where chance made the two states differ
/// (SPOP), makes them equal again. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "starling/result.h"
#include "tests/differential/comparison.h"
#include "tests/support/resp_client.h"

namespace starling {

/// One command on one of the connections.
struct Step {
  size_t connection = 0;
  std::vector<std::string> words;

  std::string ToString() const;
};

/// Where the servers disagreed.
struct Divergence {
  std::string expected;  ///< What Redis answered.
  std::string actual;    ///< What starling answered.
};

class Duel {
 public:
  /// Connection 0 speaks RESP2, connection 1 RESP3.
  static constexpr size_t kConnections = 2;

  Duel(uint16_t redis_port, uint16_t starling_port)
      : redis_port_(redis_port), starling_port_(starling_port) {}

  /// Fresh connections and empty databases. The error is one of the servers' failing.
  Status Restart();
  /// One step; `expired_keys` are looked at before commands that count keys. An error: a connection
  /// failed, which is a divergence of its own kind.
  Result<std::optional<Divergence>> Run(const Step& step);
  /// Keys that may have been set with a deadline long past.
  void SetKeyUniverse(std::vector<std::string> keys) { keys_ = std::move(keys); }
  /// Whether Redis's last reply was an error.
  bool last_was_error() const { return last_was_error_; }
  /// Whether MULTI stands on this connection.
  bool queues(size_t connection) const { return pairs_[connection].queues; }

 private:
  using Words = std::vector<std::string>;
  struct Pair {
    RespClient redis;
    RespClient starling;
    bool queues = false;  ///< Between MULTI and EXEC.
    std::vector<Words> queued{};
  };
  struct Replies {
    RespReply redis;
    RespReply starling;
  };
  using Outcome = Result<std::optional<Divergence>>;

  Result<Replies> Both(const Words& words);
  Outcome RunScan(const Words& words, const Replies& first);
  Outcome RunDraw(const Words& words, bool pop);
  Outcome RunDump(const Words& words);
  Outcome RunRandomKey(const Words& words);
  Outcome RunQueued(const Words& words);
  void NoteTransaction(const Words& words, const RespReply& redis);
  Status Settle();
  Status AdoptNumber(const Words& words, const std::string& text);
  Status AdoptPop(const std::string& key, const RespReply& redis, const RespReply& starling);
  Result<std::vector<std::string>> FullScan(RespClient& client, Words words);

  uint16_t redis_port_;
  uint16_t starling_port_;
  std::vector<Pair> pairs_;
  Pair* pair_ = nullptr;  // of the step that runs
  std::vector<std::string> keys_;
  bool last_was_error_ = false;
};

}  // namespace starling
