/// Who belongs to the cluster: the one list that decides what may be freed and whose streams count.
///
/// It stands in the cluster's own database as one hash, so that it replicates, persists and merges
/// as every key does: `begin/<name>`, `end/<name>`. The creation record names the first members.
/// A member is whoever began and has not ended since. An end says up to where that member's streams
/// count; what lies beyond is refused for ever (I8). `ending/<name>` is an end that a leaseholder
/// has proposed (forgetting.h): the member's streams are stopped, and nothing else follows from it.
/// `over/<name>` says where the streams of a living member's earlier incarnations ended (ending.h).
///
/// Not thread-safe; it locks the keyspace while it reads or writes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "replication/replicator.h"
#include "storage/keyspace.h"
#include "storage/version_vector.h"

namespace starling {

class MemberList {
 public:
  /// How a member ended.
  struct End {
    /// Streams up to this incarnation have ended, and up to that with which the member begins
    /// anew...
    uint64_t incarnation = 0;
    VersionVector streams;  ///< ...here; those not named at none.
  };

  /// Where the streams of a member's earlier incarnations ended: everyone held them so far.
  struct Over {
    uint64_t incarnation = 0;  ///< Streams up to this incarnation are over.
    uint64_t unnamed = 0;      ///< Those up to this one all members had marked as over before...
    VersionVector streams;     ///< ...the others ended here; those not named at none.
    Stamp at;                  ///< When it was written: after all stamps of these streams.
  };

  /// Streams of a member that are over, and of which a vector holds more than there is.
  struct Ended {
    Origin last;
    Over over;
    VersionVector beyond;  ///< The streams, and up to where they are held.
  };

  explicit MemberList(Keyspace& keyspace) : keyspace_(keyspace) {}

  /// Reads the list again; call when the cluster's database may have changed. Returns whether it
  /// did.
  bool Refresh(const std::optional<ClusterRecord>& record);

  /// Writes an entry; the caller commits the journal and refreshes.
  void WriteBegin(const std::string& name, uint64_t incarnation);
  void WriteEnd(const std::string& name, const End& end);  ///< In place of what was proposed.
  void WriteEnding(const std::string& name, const End& end);
  void RemoveEnding(const std::string& name);
  void WriteOver(const std::string& name, const Over& over);

  /// Unforgotten members, sorted by name.
  const std::vector<std::string>& members() const { return members_; }
  bool IsMember(std::string_view name) const;
  bool IsMember(NodeId id) const;
  /// All that ever began, by id.
  const std::map<NodeId, std::string>& names() const { return names_; }
  const std::map<std::string, End>& ends() const { return ends_; }
  /// Ends that were proposed for members.
  const std::map<std::string, End>& endings() const { return endings_; }
  const std::map<std::string, Over>& overs() const { return overs_; }
  /// Streams of other nodes than `self` that `held` has beyond their ends.
  std::vector<Ended> HeldBeyondEnds(const VersionVector& held, NodeId self) const;
  /// The end that holds for `name`: it was forgotten and has not begun again. Null otherwise.
  const End* EndOf(std::string_view name) const;
  /// The incarnation with which `name` last began; 0 for first members and those that never did.
  uint64_t BeginOf(const std::string& name) const;
  /// Equal lists have equal digests.
  uint64_t digest() const { return digest_; }

  /// Streams that count up to a point only, because what was written beyond it is here no more:
  /// own earlier ones, of which it was issued again, and others', of which this node took it out
  /// when it entered (none: the whole stream). Beyond it they are neither told nor sent nor taken.
  void Cap(const std::map<Origin, Stamp>& caps) { caps_ = caps; }
  const std::map<Origin, Stamp>& caps() const { return caps_; }
  /// Members whose streams this node was asked to accept no longer, with the incarnation that each
  /// had begun with then: until they have ended.
  using Asked = std::map<std::string, uint64_t>;
  void SetAsked(Asked asked);
  const Asked& asked() const { return asked_; }
  /// Who votes is never stopped.
  void SetVoters(const std::vector<std::string>& voters);
  bool IsVoter(const std::string& name) const { return voters_.contains(name); }
  /// Members whose streams are not accepted while their ends are being agreed on: those that were
  /// asked for, and those whose ends were proposed.
  const std::set<std::string>& stopped() const { return stopped_; }
  bool IsStopped(std::string_view name) const { return stopped_.contains(std::string(name)); }
  bool IsStopped(NodeId id) const;

  /// Up to where `origin`'s stream may be held: none where it is not accepted at all.
  Stamp AcceptedUpto(const Origin& origin) const;
  /// What of `vector` may be told: capped streams cut, ended ones at their end, those that are over
  /// where the list has them so.
  VersionVector Visible(const VersionVector& vector) const;
  /// What of `vector`, which another member tells, a node has to hold to lack nothing of what that
  /// one holds: as Visible, but streams of whom this list does not know, or not as having begun
  /// anew, count whole. The other knows them, and this list is to be read again with what it has.
  VersionVector Wanted(const VersionVector& vector) const;

 private:
  /// Up to where `origin`'s stream counts for ever; nullopt: no end of it is known.
  std::optional<Stamp> EndOfStream(const Origin& origin) const;
  /// `vector` with its streams cut at their ends; `strangers`: of whom is no member, whole.
  VersionVector Cut(const VersionVector& vector, bool strangers) const;
  void CountStopped();
  /// Whether an end is known of `name` of this incarnation or a later one.
  bool HasEndedSince(const std::string& name, uint64_t incarnation) const;

  Keyspace& keyspace_;
  std::map<std::string, uint64_t> begins_;
  std::map<std::string, End> ends_;
  std::map<std::string, End> endings_;
  std::map<std::string, Over> overs_;
  std::vector<std::string> members_;
  std::map<NodeId, std::string> names_;
  uint64_t digest_ = 0;
  std::map<Origin, Stamp> caps_;
  Asked asked_;
  std::set<std::string> voters_;
  std::set<std::string> stopped_;
};

}  // namespace starling
