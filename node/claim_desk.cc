#include "node/claim_desk.h"

#include "storage/speculation.h"

namespace starling {
namespace {

constexpr std::string_view kClaimed =
    "CLAIMED The key is held by a claim, which changes at the leaseholder only: use level leased "
    "or majority for it.";

}  // namespace

std::string_view ClaimDesk::Leave() {
  if (kind_ == Kind::kLocal) return kClaimed;
  if (kind_ == Kind::kWithout) return kNoLeaseholderForMajority;
  undone_ = true;
  return {};
}

bool ClaimDesk::Conclude(Speculation& speculation, std::string_view& refusal) {
  if (abandoned_.empty()) return Decide(speculation, refusal);
  speculation.Rollback();
  refusal = abandoned_;
  return false;
}

bool ClaimDesk::Decide(Speculation& speculation, std::string_view& refusal) {
  const bool claim =
      kind_ == Kind::kElsewhere ? speculation.touched_claim() : speculation.changed_claim();
  if (!claim && !speculation.blocked()) {
    speculation.Keep();
    return true;
  }
  speculation.Rollback();
  refusal = Leave();
  return false;
}

}  // namespace starling
