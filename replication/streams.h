/// Streams between members: pushing what was written, asking for what is missing, acknowledging.
///
/// A flushed batch goes to every connected peer (in large clusters to a few, who pass it on) while
/// that peer's window is open; what piles up behind a closed window travels gathered when
/// acknowledgements come. Once a second, and when a link comes up, both sides report what they
/// hold, and each sends what the other lacks from its log; where the log no longer reaches back it
/// hints at a walk. Applies a batch only after everything before it in its stream (I6). Loss,
/// doubles and disorder of frames cost time only. Source of the idea: Petersen et al., "Flexible
/// Update Propagation for Weakly Consistent Replication", 1997.
///
/// A state machine without I/O of its own but for the store; not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <span>
#include <vector>

#include <spdlog/logger.h>

#include "replication/clock_judge.h"
#include "replication/member_list.h"
#include "replication/own_batch.h"
#include "replication/peer_sender.h"
#include "storage/store.h"

namespace starling {

class Streams {
 public:
  /// What a frame of batches did, for the host.
  struct Applied {
    bool any = false;            ///< Something new was applied.
    bool cluster_items = false;  ///< The cluster's own database may have changed.
  };

  Streams(Store& store, const MemberList& list, const ClockJudge& clocks, PeerSender& sender,
          std::mt19937_64& random, std::shared_ptr<spdlog::logger> log);

  /// A member's link stands: reports at once.
  void AddPeer(NodeId peer, Instant now);
  void RemovePeer(NodeId peer);
  bool HasPeer(NodeId peer) const { return peers_.contains(peer); }

  /// Batches of the own stream, after their append, in stream order: they travel together, and are
  /// acknowledged together.
  void OnLocalBatches(std::span<const OwnBatch> batches, Instant now);
  /// Before that, or not at all: whoever reads the stream (ReadOwn) need not read the log for it.
  /// Idempotent.
  void RememberLocalBatch(const BatchHeader& header, SharedBytes bytes);
  /// Errors: kCorruption or kRefused (a clock ahead): close the link. Batches before the bad one
  /// stay applied. A store that cannot append is logged and nothing acknowledged.
  Result<Applied> OnBatches(NodeId from, const Batches& batches, Instant now);
  void OnWant(NodeId from, const Want& want, Instant now);
  void OnReport(NodeId from, const Report& report, Instant now);
  /// Rounds, and what was lost.
  void OnTick(Instant now);
  Instant NextTimer() const;
  /// Reports to every peer now, whole: after a walk, or when the member list changed.
  void ReportToAll(Instant now);
  /// Reports to one peer, whole, so that it sends what this node lacks.
  void ReportTo(NodeId peer);
  /// Asks all peers to say now what they hold of others' streams, which they do by themselves once
  /// a second; at most every limits::kAskHoldings.
  void AskHoldings(Instant now);
  /// What reports say of the lease: the epoch that this voter has promised, and the one it holds.
  struct LeaseWords {
    uint64_t promised = 0;
    uint64_t leads = 0;
  };
  void SayLease(std::function<LeaseWords()> words) { lease_words_ = std::move(words); }

  /// Own batches after `after`, about a frame's bytes, at least one, oldest first. kNotFound: the
  /// log does not reach back.
  Result<std::vector<SharedBytes>> ReadOwn(Stamp after) { return Gather(store_.origin(), after); }

  /// What this node holds and may tell.
  VersionVector Visible() const { return list_.Visible(store_.vector()); }
  /// What `peer` last reported to hold; null without a link.
  const VersionVector* HeldBy(NodeId peer) const;
  /// The largest stamp of a stream that carried items: tombstones wait until own streams pass it.
  Stamp last_content() const { return last_content_; }
  void NoteContent(Stamp upto) { last_content_ = std::max(last_content_, upto); }

 private:
  static constexpr Instant kLongAgo = -std::chrono::hours(1);

  struct InFlight {
    Origin origin;
    Stamp upto;
    size_t bytes;
  };
  struct Peer {
    VersionVector held;  // as reported
    VersionVector sent;  // pushed and believed to arrive
    std::deque<InFlight> in_flight;
    size_t in_flight_bytes = 0;
    Instant progress{};  // when the window last moved
    Instant hinted = kLongAgo;
    std::map<Origin, Instant> wanted;
  };

  static bool WindowOpen(const Peer& peer);
  static Stamp From(const Peer& peer, const Origin& origin);
  void Track(Peer& peer, const Origin& origin, Stamp upto, size_t bytes, Instant now);
  void ForgetSent(Peer& peer);
  void Pump(NodeId id, Peer& peer, const Origin& origin, Stamp upto, Instant now);
  void PumpForeign(NodeId id, Peer& peer, bool same_list, Instant now);
  /// Batches of `origin` after `after`, from memory or log; kNotFound when neither reaches back.
  Result<std::vector<SharedBytes>> Gather(const Origin& origin, Stamp after);
  /// Those that follow each other, and fill no more than a frame.
  void Push(std::span<const OwnBatch> run, Instant now);
  void Hint(NodeId id, Peer& peer, Instant now);
  void Relay(NodeId from, const BatchHeader& header, std::string_view bytes, Instant now);
  std::vector<NodeId> Targets(NodeId except);
  void Ask(NodeId from, Peer& peer, const Origin& origin, Stamp after, Instant now);
  Report BeginReport() const;
  Report MakeReport(bool round) const;
  /// Whether a batch of that header is taken from there. Errors: kRefused (a clock ahead).
  Result<bool> Takes(NodeId from, const BatchHeader& header) const;
  /// Batches that follow each other in one stream, at least one. Errors: kCorruption; those before
  /// the bad one stay applied.
  Status ApplyRun(NodeId from, std::span<const Store::Received> run, Applied& applied,
                  VersionVector& changed, Instant now);
  /// Of own batches, lets go of what the log alone has to keep.
  void TrimRecent();

  Store& store_;
  const MemberList& list_;
  const ClockJudge& clocks_;
  PeerSender& sender_;
  std::mt19937_64& random_;
  std::shared_ptr<spdlog::logger> log_;
  std::map<NodeId, Peer> peers_;
  std::deque<OwnBatch> recent_;
  size_t recent_bytes_ = 0;
  VersionVector last_round_;  // what was visible a round ago: older than what is on its way
  Instant next_round_{};
  Instant asked_ = kLongAgo;
  mutable uint64_t sequence_ = 0;
  Stamp last_content_;
  std::function<LeaseWords()> lease_words_ = [] { return LeaseWords{}; };
};

}  // namespace starling
