/// What a command may do to claims where it runs, and who is told (DESIGN.md section 6).
///
/// Claims are granted, changed and ended at the leaseholder, by a majority. What may meet one runs
/// as a speculation (storage/speculation.h), or is looked at before; its desk says what becomes of
/// it. One desk serves one request, on one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "node/ordering/claim_patterns.h"

namespace starling {

class Speculation;

/// What clients read whose command needs a majority where there is none.
inline constexpr std::string_view kNoLeaseholderForMajority =
    "NOQUORUM No leaseholder is in reach, and this needs a majority; nothing was changed.";
inline constexpr std::string_view kNoMajority =
    "NOQUORUM No majority of the voters has acknowledged what this waits for; nothing was changed.";

class ClaimDesk {
 public:
  enum class Kind : uint8_t {
    kLocal,      ///< Level `local`, or no lease at all: SET NX decides here, and merges.
    kWithout,    ///< No leaseholder is in reach: what needs a majority is refused.
    kElsewhere,  ///< What needs a majority is left undone here, and then run where it is decided.
    kDecides,    ///< It waits for the majority.
  };

  /// `patterns` outlives the desk; null: every key that is asked for becomes a claim.
  explicit ClaimDesk(Kind kind, const ClaimPatterns* patterns = nullptr)
      : kind_(kind), patterns_(patterns) {}
  virtual ~ClaimDesk() = default;

  Kind kind() const { return kind_; }
  /// Whether locks are claims.
  bool grants() const { return kind_ != Kind::kLocal; }
  /// Whether SET NX and its kin make a claim of this key.
  bool Grants(std::string_view key) const {
    return grants() && (patterns_ == nullptr || patterns_->Claims(key));
  }

  /// The command needs a majority: it is left undone. Returns what its client reads; empty: nothing
  /// yet, it is run again.
  std::string_view Leave();
  /// It has been left undone and replies nothing: it is run again, here or elsewhere.
  bool undone() const { return undone_; }
  /// Nothing of the request may stay, for a reason that has to do with no claim: `refusal`, which
  /// outlives this, is what its client reads.
  void Abandon(std::string_view refusal) { abandoned_ = refusal; }
  /// The request asks for one winner, whether it finds a claim or not.
  void RequireMajority() { majority_required_ = true; }

  /// A speculation has run, whose shards are still held: keeps it, or rolls it back. False: rolled
  /// back, and `refusal` is what its client reads; empty: it is run again.
  bool Conclude(Speculation& speculation, std::string_view& refusal);

 protected:
  virtual bool Decide(Speculation& speculation, std::string_view& refusal);

  bool undone_ = false;
  bool majority_required_ = false;

 private:
  const Kind kind_;
  const ClaimPatterns* const patterns_;
  std::string_view abandoned_;  // empty: it is not
};

}  // namespace starling
