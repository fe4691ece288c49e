/// Takes a walk: stages its parts and gives them out whole, so that they are applied in one step.
///
/// One walk at a time. Parts may come in any order within the window; each is credited; a walk that
/// stands still, or whose sender vanishes, is dropped with nothing applied. A state machine without
/// I/O; not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replication/limits.h"
#include "replication/peer_sender.h"

namespace starling {

class WalkReceiver {
 public:
  struct Taken {
    NodeId from;
    bool whole = false;
    std::vector<std::string> pieces;  ///< For Store::ApplyWalk, in order.
  };

  /// `first_number` above those of the process before: late parts of an old walk match none.
  WalkReceiver(PeerSender& sender, uint64_t first_number)
      : sender_(sender), number_(first_number) {}

  bool busy() const { return from_.has_value(); }
  std::optional<NodeId> from() const { return from_; }

  /// Asks `peer` for a walk; must not be busy. `whole`: of the whole state.
  void Begin(NodeId peer, const VersionVector& covered, bool whole, Instant now);
  /// Everything, when the last part that was missing has come.
  std::optional<Taken> OnPart(NodeId peer, const WalkPart& part, Instant now);
  /// Another peer offers a walk: leaves one that is under way where nothing has come of it for
  /// long, since who gives it may be stopped. Whether none is under way then.
  bool MakeRoomFor(NodeId peer, Instant now);
  void OnAbort(NodeId peer, const WalkAbort& abort);
  void RemovePeer(NodeId peer);
  void OnTick(Instant now);
  Instant NextTimer() const;

 private:
  struct Early {
    std::vector<std::string> pieces;
    bool last = false;
  };

  void Take(std::vector<std::string> pieces);
  void Drop();

  PeerSender& sender_;
  uint64_t number_;
  std::optional<NodeId> from_;
  WalkRequest request_;
  bool whole_ = false;
  uint32_t received_ = 0;            // parts taken, in order
  std::map<uint32_t, Early> early_;  // beyond a hole, within the window
  std::vector<std::string> pieces_;
  size_t staged_bytes_ = 0;
  Instant progress_{};
  Instant asked_at_{};
  Instant patience_ = limits::kWalkStalled;  // with the peer
};

}  // namespace starling
