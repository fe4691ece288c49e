#include "replication/lease_voter.h"

namespace starling {

void LeaseVoter::Restore(uint64_t promised, Instant now) {
  promised_ = promised;
  session_.reset();
  forgotten_ = promised != 0;
  ended_by_ = forgotten_ ? "lapse" : "nobody";
  until_ = forgotten_ ? now + length_ : now;
}

std::optional<LeaseDenial::Reason> LeaseVoter::Against(const LeaseRequest& request,
                                                       uint64_t session, uint64_t voters,
                                                       Instant now) const {
  using Reason = LeaseDenial::Reason;
  if (request.voters < voters) return Reason::kVoters;
  // The answer to the first was lost.
  if (request.epoch == promised_ && session == session_) return std::nullopt;
  if (request.epoch <= promised_) return Reason::kPromised;
  // A holder that asks for a higher epoch has stopped serving the one it had.
  if (!Lapsed(now) && session != session_) return Reason::kHeld;
  return std::nullopt;
}

void LeaseVoter::Grant(uint64_t epoch, uint64_t session, Instant now) {
  promised_ = epoch;
  session_ = session;
  forgotten_ = false;
  until_ = now + length_;
  ended_by_ = "lapse";
}

bool LeaseVoter::Renew(uint64_t epoch, uint64_t session, Instant now) {
  if (epoch != promised_ || (session != session_ && !forgotten_)) return false;
  session_ = session;
  forgotten_ = false;
  until_ = now + length_;
  ended_by_ = "lapse";
  return true;
}

void LeaseVoter::Release(uint64_t epoch, uint64_t session) {
  if (epoch == promised_) End(session, "resignation");
}

void LeaseVoter::OnProcessEnded(uint64_t session) { End(session, "death"); }

void LeaseVoter::End(uint64_t session, std::string_view by) {
  if (session != session_) return;
  session_.reset();
  until_ = Instant{};
  ended_by_ = by;
}

}  // namespace starling
