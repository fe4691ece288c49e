/// Creates a cluster once, from a seed list (DESIGN.md section 5).
///
/// Members that are in none tell each other how many they expect. When so many have met, the one
/// with the smallest name draws an id and proposes it with first members and voters; each persists
/// the proposal, and the cluster exists once all have. Who has accepted a proposal takes part in no
/// other but a new one of the same proposer, so two clusters cannot come out of one list, whichever
/// of them crashes (COUNTEREXAMPLES 1, 43). Nobody creates anything without `expect`.
///
/// A state machine without I/O; not thread-safe. `Persist` effects are carried out by the caller
/// before anything is sent on.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "replication/peer_sender.h"
#include "starling/result.h"

namespace starling {

class ClusterCreation {
 public:
  struct Options {
    std::string name;  ///< This node's.
    uint32_t expect = 0;
    /// Who shall vote, sorted; they are among those that meet. Empty: the 1, 3 or 5 smallest names.
    std::vector<std::string> voters;
    /// Makes a proposal, or with `created` the cluster, durable.
    std::function<Status(const ClusterRecord&, bool created)> persist;
  };

  /// `proposal`: one that was accepted before a restart.
  ClusterCreation(Options options, PeerSender& sender, std::mt19937_64& random,
                  std::optional<ClusterRecord> proposal);

  /// A peer that is in no cluster either stands or has gone.
  void AddPeer(const std::string& name, Instant now);
  void RemovePeer(const std::string& name);

  /// Each returns the cluster once it exists, this node being in it; persisted already.
  std::optional<ClusterRecord> Start(Instant now);
  void OnOffer(const std::string& from, const CreationOffer& offer, Instant now);
  void OnProposal(const std::string& from, const CreationProposal& proposal);
  std::optional<ClusterRecord> OnAccept(const std::string& from, const CreationAccept& accept);
  void OnTick(Instant now);
  Instant NextTimer() const;

  /// What it waits for, for the log: how many have been met, who expects another number.
  std::string Waiting() const;

  /// The 1, 3 or 5 smallest of sorted `names`.
  static std::vector<std::string> VotersOf(const std::vector<std::string>& names);

 private:
  struct Peer {
    uint32_t expect = 0;  ///< 0: has not said yet.
    bool accepted = false;
  };

  void Propose();
  std::optional<ClusterRecord> FinishIfAccepted();

  Options options_;
  PeerSender& sender_;
  std::mt19937_64& random_;
  std::optional<ClusterRecord> proposal_;
  bool proposing_ = false;
  std::map<std::string, Peer> peers_;
  Instant resend_at_{};
};

}  // namespace starling
