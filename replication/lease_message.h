/// What voters, candidates and the leaseholder say to each other, and what a voter must not forget.
///
/// Value types. Machines rely on no order: each message may be lost, doubled or late; `attempt` and
/// `sequence` tell a late one from what was asked for last.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/origin.h"
#include "storage/version_vector.h"

namespace starling {

/// Who counts for majorities. A later version replaces an earlier one whole.
///
/// Each holder of the lease states the set anew as its epoch begins: whoever holds that beginning
/// refuses sets that earlier holders wrote and never brought to a majority. Within an epoch its
/// holder alone changes the set. A set that an operator has forced comes after all those of before.
struct VoterSet {
  /// 16 bits: how often it was forced; 32: the epoch of its holder; 16: how often that one changed
  /// it. The set of the cluster's creation has 1, none 0.
  uint64_t version = 0;
  std::vector<std::string> names;  ///< Sorted; empty: nobody votes here.

  static uint64_t VersionOf(uint64_t forced, uint64_t epoch, uint64_t change) {
    return forced << 48 | (epoch & 0xffffffff) << 16 | (change & 0xffff);
  }
  uint64_t forced() const { return version >> 48; }
  uint64_t epoch() const { return version >> 16 & 0xffffffff; }
  uint64_t change() const { return version & 0xffff; }
  /// The same voters, as the holder of `epoch` states them at its beginning.
  VoterSet StatedIn(uint64_t epoch) const { return {VersionOf(forced(), epoch, 0), names}; }

  size_t majority() const { return names.size() / 2 + 1; }
  bool Has(std::string_view name) const {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  friend bool operator==(const VoterSet&, const VoterSet&) = default;
};
/// `<forced>.<epoch>.<change>`.
std::string VersionText(uint64_t version);

/// "May I have epoch `epoch`?" A trial only asks whether the answer would be yes.
struct LeaseRequest {
  bool trial = false;
  uint64_t epoch = 0;
  uint64_t attempt = 0;  ///< Random, never used twice.
  uint64_t voters = 0;   ///< The version of the candidate's voter set.
};
struct LeaseGrant {
  bool trial = false;
  uint64_t epoch = 0;
  uint64_t attempt = 0;
  VersionVector vector;  ///< What the voter holds, taken after its promise. Empty for a trial.
};
/// No to a request (`attempt` is its) or to a renewal (`attempt` is 0).
struct LeaseDenial {
  enum class Reason : uint8_t {
    kPromised = 1,    ///< An epoch as high or higher was promised.
    kHeld = 2,        ///< The lease has not lapsed here.
    kVoters = 3,      ///< The candidate's voter set is older than the voter's.
    kRecovering = 4,  ///< The voter may have lost something.
    kFailed = 5,      ///< The promise could not be written.
  };
  Reason reason = Reason::kPromised;
  uint64_t epoch = 0;  ///< Which was asked for.
  uint64_t attempt = 0;
  uint64_t promised = 0;
};

/// "I hold epoch `epoch`: prolong my lease."
struct LeaseRenewal {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
};
struct LeaseRenewed {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
};
/// The holder, or a candidate without a majority, gives the epoch back.
struct LeaseResignation {
  uint64_t epoch = 0;
};

/// "I may have lost something: what have you promised, and what do you hold?"
struct RecoveryRequest {
  uint64_t incarnation = 0;  ///< The sender's; names this recovery, over restarts too.
};
struct RecoveryReport {
  uint64_t asked = 0;  ///< The incarnation that asked.
  uint64_t promised = 0;
  uint64_t incarnation = 0;          ///< The sender's.
  bool recovering = false;           ///< The sender may have lost something itself.
  std::vector<Origin> resumed_with;  ///< Voters that were recovering when the sender resumed.
  VersionVector vector;
};

using LeaseMessage = std::variant<LeaseRequest, LeaseGrant, LeaseDenial, LeaseRenewal, LeaseRenewed,
                                  LeaseResignation, RecoveryRequest, RecoveryReport>;

/// One readable line, for logs and golden transcripts.
std::string ToString(const LeaseMessage& message);

/// Persisted before anybody hears of what it says (DESIGN.md section 6).
struct LeaseRecord {
  /// That of this node's last loss when it wrote the record: it rises whenever the node may lack
  /// something that it told others to hold. A record of an earlier one is no proof.
  uint64_t incarnation = 0;
  uint64_t promised_epoch = 0;
  std::vector<Origin> resumed_with;  ///< As in RecoveryReport.

  friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

}  // namespace starling
