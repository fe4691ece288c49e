/// Sends what the log no longer has: a walk of the keyspace, for peers that lag or join.
///
/// A walk's chunks are fuzzy: read while writes go on, one alone would show half a transaction, or
/// miss what was overwritten meanwhile. So a walk is the chunks, then every stream's batches
/// written between its beginning and its end, then the vector at its end; the receiver takes all of
/// it in one step (COUNTEREXAMPLES 16, 42). Where the log loses those batches before they are read,
/// the walk starts again. Parts are bounded and wait for the receiver's credit; lost ones are sent
/// again.
///
/// A state machine without I/O of its own but for the store; not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "replication/member_list.h"
#include "replication/peer_sender.h"
#include "storage/store.h"

namespace starling {

class WalkSender {
 public:
  WalkSender(Store& store, const MemberList& list, PeerSender& sender,
             std::shared_ptr<spdlog::logger> log);

  /// Begins a walk, in place of one that this peer took before. It carries the whole state where
  /// the peer asks so or its vector does not cover this node's floor. Ignored beyond
  /// limits::kWalksOut: the peer asks again.
  void OnRequest(NodeId peer, const WalkRequest& request, Instant now);
  void OnCredit(NodeId peer, const WalkCredit& credit, Instant now);
  void OnAbort(NodeId peer, const WalkAbort& abort);
  /// Says that this node does not give the walk of that number; who asked looks for another.
  void Abort(NodeId peer, uint64_t number, const std::string& reason);
  /// Ends all that are under way.
  void AbortAll(const std::string& reason);
  void RemovePeer(NodeId peer) { walks_.erase(peer); }
  void OnTick(Instant now);
  Instant NextTimer() const;

  bool Walking(NodeId peer) const { return walks_.contains(peer); }

 private:
  enum class Phase : uint8_t { kKeys, kStreams, kDone };
  struct Part {
    std::vector<SharedBytes> pieces;
    size_t bytes = 0;
    bool last = false;

    void Add(SharedBytes piece);
  };
  struct Walk {
    uint64_t number = 0;
    bool whole = false;
    VersionVector covered;
    VersionVector begin;
    VersionVector end;
    uint64_t foldings = 0;  // Keyspace::foldings at its beginning
    Phase phase = Phase::kKeys;
    WalkPosition position;
    uint32_t first = 0;       // index of window.front()
    std::deque<Part> window;  // sent, not known to have arrived
    size_t window_bytes = 0;
    Instant progress{};
    Instant sent_at{};
  };

  /// Reads and sends parts while the window has room; false when the walk cannot go on.
  bool Pump(NodeId peer, Walk& walk, Instant now);
  Status ReadKeys(Walk& walk, Part& part);
  Status ReadStreams(Walk& walk, Part& part);
  /// When what is in the window counts as lost.
  static Instant LostAt(const Walk& walk);
  void SendPart(NodeId peer, const Walk& walk, uint32_t index);

  Store& store_;
  const MemberList& list_;
  PeerSender& sender_;
  std::shared_ptr<spdlog::logger> log_;
  std::map<NodeId, Walk> walks_;
};

}  // namespace starling
