/// Up to where a majority of named voters holds the leaseholder's own stream.
///
/// A voter counts for what it reported while it had promised this very epoch: whatever a majority
/// acknowledged so is held by a voter of every later majority, which tells the next candidate of it
/// with its grant (DESIGN.md section 6; Lamport, "Paxos Made Simple", 2001). What it reported in
/// parts adds up, since within a promise what a voter holds only grows. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "replication/lease_message.h"
#include "storage/origin.h"
#include "storage/stamp.h"
#include "storage/version_vector.h"

namespace starling {

class Majority {
 public:
  /// An epoch as its holder began it.
  struct Beginning {
    uint64_t epoch = 0;
    Origin own;            ///< The holder's stream...
    Stamp written;         ///< ...and where in it the epoch's record stands.
    VersionVector vector;  ///< What the holder held then: whoever counts must hold it too.
  };

  void Begin(const Beginning& beginning);
  void End();
  const Beginning& beginning() const { return beginning_; }
  /// 0: nothing is counted.
  uint64_t epoch() const { return beginning_.epoch; }

  /// `voter`, another node, holds what `vector` names, and had promised `promised` then.
  void OnReport(const std::string& voter, uint64_t promised, const VersionVector& vector);
  /// Whether `voter` has acknowledged the epoch's beginning, having promised the epoch.
  bool HasAcknowledged(const std::string& voter) const;
  /// Waits for `upto` of the own stream.
  void Await(Stamp upto);
  /// What the host has not been told of and waits for: up to where a majority holds the own stream,
  /// of which this node, a voter itself, holds `own_upto`.
  /// `required`: the beginning's vector as far as it still counts.
  std::optional<Stamp> Advance(const VoterSet& voters, const std::string& self, Stamp own_upto,
                               const VersionVector& required);
  /// Whether Advance may have something to say.
  bool waits() const { return beginning_.epoch != 0 && (!begun_ || told_ < awaited_); }
  /// Up to where the host was told that a majority holds the own stream.
  Stamp told() const { return told_; }
  /// Whether a majority holds the epoch's beginning.
  bool begun() const { return begun_; }

 private:
  /// The newest stamp of the own stream that a majority holds, with the epoch's beginning.
  Stamp Held(const VoterSet& voters, const std::string& self, Stamp own_upto,
             const VersionVector& required) const;

  Beginning beginning_;
  std::map<std::string, VersionVector> acknowledged_;  // by voter
  bool begun_ = false;
  Stamp awaited_;
  Stamp told_;
};

}  // namespace starling
