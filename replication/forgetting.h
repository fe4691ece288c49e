/// Ending members by decision of the leaseholder: stop their streams, ask how far each is held,
/// agree, write it (DESIGN.md section 3: "`m ends at v` is a claim-class decision").
///
/// One round. The leaseholder, whose epoch's beginning a majority holds, accepts nothing more from
/// those who are to go, durably, and has every other member do so and report; where their streams
/// end is the furthest that anyone not forgotten holds. (What one of those holds the others may
/// still take from it: its report has it too, and a candidate may need it.) Several at once, since
/// two dead members cannot report of each other (COUNTEREXAMPLES 17, 41). With all reports it
/// writes the end down as proposed (`ending/<name>` in the member list), from which nothing follows
/// yet; when a majority holds that, acknowledged in its epoch, it writes the end itself
/// (`end/<name>`).
///
/// Why two sides can never forget each other, nor end one member at two places:
/// - An end is written only after a majority held its proposal in the writer's epoch. Every later
///   leaseholder holds what a majority acknowledged before it serves (lease.h, folder_leasing.h):
///   it finds the proposal, and goes on with that very end. What it does not find was acknowledged
///   by no majority, so no end has been written of it, and none will be: its epoch is over.
/// - Named voters: who votes cannot be forgotten, neither when it is asked for, nor when it is
///   proposed; so a proposal has the reports of all voters behind it. Two sides would need each
///   other's. Who was removed from the voters first was so by a majority, which every later
///   leaseholder knows of.
/// - The folder votes: no member does, and any can be forgotten. The folder's holder has taken over
///   all that the folder keeps, all that a majority acknowledged. It proposes into
///   the folder; where somebody else has the next epoch already, that is not confirmed, and where
///   it is confirmed, who takes over reads it: who finds itself proposed does not lead (leasing.h).
///
/// A round whose leaseholder has lost its lease is given up by it: what was reported to it counts
/// no more. No member stays stopped: whoever has members stopped and does not lead tells the
/// leaseholder so, once a second, and that one goes on with them; it stops them too, and asks all
/// others. A member that has begun anew since somebody stopped it is not meant by that: messages
/// say with which incarnation it had begun, and whoever stopped it has missed its end and is told
/// so. Who has become a voter meanwhile is stopped no longer (member_list.h): a later leaseholder,
/// which would know of a decision, has let it vote. A leaseholder by the folder that hears that it
/// is stopped itself leaves the lease to who told it so, who could not follow it.
///
/// A member that is alive after all is told that it has ended, and comes back by itself
/// (joining.h). Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "replication/member_list.h"
#include "replication/peer_sender.h"
#include "storage/store.h"

namespace starling {

class Forgetting {
 public:
  /// What the lease says at this moment.
  struct Standing {
    uint64_t epoch = 0;  ///< Led by this node, its beginning held by a majority; 0: none is.
    Stamp held;          ///< Up to where a majority holds the own stream, acknowledged in it.
    std::string holder;  ///< Another that leads; empty: nobody is known to.
  };

  Forgetting(Store& store, MemberList& list, PeerSender& sender,
             std::shared_ptr<spdlog::logger> log)
      : store_(store), list_(list), sender_(sender), log_(std::move(log)) {}

  /// Reads back whose streams are stopped; call after the list was refreshed.
  Status Load();
  /// Begins, or adds to what is under way; the caller leads, and has checked that none of them is
  /// alive, and that none votes. Errors: the store's (nothing changed).
  Status Start(const std::set<std::string>& names, Instant now);
  /// The leaseholder asks to stop and report, or tells that whom this node has stopped has begun
  /// anew since. Returns whether it does the latter: this node has missed their ends, hears nothing
  /// from them, perhaps not even from the leaseholder, and needs the whole state.
  bool OnRequest(NodeId from, const ForgetRequest& request);
  /// What another has stopped, and holds of it. Returns whether this node is among that.
  bool OnReport(const std::string& from, const ForgetReport& report, const Standing& standing,
                Instant now);
  /// This node has entered anew, as a member that was asked for nothing: what it reported before
  /// its end counts for nobody, and of ends that were proposed the list tells.
  void OnEntered();
  /// Goes on. Returns whether ends were written: refresh the list.
  bool OnTick(const Standing& standing, Instant now);
  Instant NextTimer() const;

  /// What a majority has to hold before ends are written: up to here, in `epoch()`; none: nothing.
  Stamp awaited() const { return proposed_; }
  uint64_t epoch() const { return epoch_; }
  /// Who has not reported yet, for the operator.
  std::vector<std::string> Missing() const;
  bool busy() const { return !list_.stopped().empty(); }

 private:
  Status Stop(const MemberList::Asked& asked);
  /// Of those that a message names, the ones that have not begun anew since.
  MemberList::Asked Meant(const std::vector<std::string>& names,
                          const std::vector<uint64_t>& begun) const;
  /// Tells `to` of those in its report that have begun anew since it stopped them, and are not
  /// `meant`.
  void TellOfBegun(const std::string& to, const std::vector<std::string>& names,
                   const MemberList::Asked& meant);
  /// What all that are stopped began with, in their order.
  std::vector<uint64_t> Begun() const;
  void Release(const MemberList::Asked& kept);
  void ReleaseVoters();
  void BeginRound(uint64_t epoch);
  bool Propose(Instant now);
  bool WriteEnds();
  MemberList::End EndNow(const std::string& name, const VersionVector& held) const;
  VersionVector HeldOf(const std::set<std::string>& names) const;

  Store& store_;
  MemberList& list_;
  PeerSender& sender_;
  std::shared_ptr<spdlog::logger> log_;
  uint64_t epoch_ = 0;                            // led here; of all that follows
  std::map<std::string, VersionVector> reports_;  // of all that are stopped
  std::map<std::string, MemberList::End> ends_;   // as proposed...
  Stamp proposed_;                                // ...up to here in the own stream
  Instant ask_at_{};
};

}  // namespace starling
