#include "replication/limits.h"
#include "replication/peer_codec_parts.h"

namespace starling::wire {
namespace {

/// Fills what one kind of message has; its kind is its place in the variant.
struct Build {
  PeerLease::Builder lease;

  void operator()(const LeaseRequest& m) {
    lease.setTrial(m.trial);
    lease.setEpoch(m.epoch);
    lease.setNumber(m.attempt);
    lease.setVoters(m.voters);
  }
  void operator()(const LeaseGrant& m) {
    lease.setTrial(m.trial);
    lease.setEpoch(m.epoch);
    lease.setNumber(m.attempt);
    BuildVector(lease.initVector(m.vector.entries().size()), m.vector);
  }
  void operator()(const LeaseDenial& m) {
    lease.setReason(static_cast<uint8_t>(m.reason));
    lease.setEpoch(m.epoch);
    lease.setNumber(m.attempt);
    lease.setPromised(m.promised);
  }
  void operator()(const LeaseRenewal& m) {
    lease.setEpoch(m.epoch);
    lease.setNumber(m.sequence);
  }
  void operator()(const LeaseRenewed& m) {
    lease.setEpoch(m.epoch);
    lease.setNumber(m.sequence);
  }
  void operator()(const LeaseResignation& m) { lease.setEpoch(m.epoch); }
  void operator()(const RecoveryRequest& m) { lease.setIncarnation(m.incarnation); }
  void operator()(const RecoveryReport& m) {
    lease.setNumber(m.asked);
    lease.setPromised(m.promised);
    lease.setIncarnation(m.incarnation);
    lease.setRecovering(m.recovering);
    auto with = lease.initResumedWith(m.resumed_with.size());
    for (size_t i = 0; i < m.resumed_with.size(); ++i) {
      BuildOrigin(with[i], m.resumed_with[i]);
    }
    BuildVector(lease.initVector(m.vector.entries().size()), m.vector);
  }
};

LeaseDenial ReadDenial(PeerLease::Reader lease) {
  using Reason = LeaseDenial::Reason;
  const uint8_t reason = lease.getReason();
  Require(reason >= static_cast<uint8_t>(Reason::kPromised) &&
              reason <= static_cast<uint8_t>(Reason::kFailed),
          "unknown reason of a denial");
  return {static_cast<Reason>(reason), lease.getEpoch(), lease.getNumber(), lease.getPromised()};
}

RecoveryReport ReadReport(PeerLease::Reader lease) {
  RecoveryReport report;
  report.asked = lease.getNumber();
  report.promised = lease.getPromised();
  report.incarnation = lease.getIncarnation();
  report.recovering = lease.getRecovering();
  Require(lease.getResumedWith().size() <= limits::kMembers, "too many voters");
  for (auto origin : lease.getResumedWith()) {
    report.resumed_with.push_back(ReadOrigin(origin));
  }
  report.vector = ReadVector(lease.getVector());
  return report;
}

}  // namespace

void BuildLease(PeerLease::Builder builder, const LeaseMessage& message) {
  builder.setKind(static_cast<uint8_t>(message.index()));
  std::visit(Build{builder}, message);
}

LeaseMessage ReadLease(PeerLease::Reader lease) {
  switch (lease.getKind()) {
    case 0:
      return LeaseRequest{lease.getTrial(), lease.getEpoch(), lease.getNumber(), lease.getVoters()};
    case 1:
      return LeaseGrant{lease.getTrial(), lease.getEpoch(), lease.getNumber(),
                        ReadVector(lease.getVector())};
    case 2:
      return ReadDenial(lease);
    case 3:
      return LeaseRenewal{lease.getEpoch(), lease.getNumber()};
    case 4:
      return LeaseRenewed{lease.getEpoch(), lease.getNumber()};
    case 5:
      return LeaseResignation{lease.getEpoch()};
    case 6:
      return RecoveryRequest{lease.getIncarnation()};
    case 7:
      return ReadReport(lease);
    default:
      throw Malformed{"unknown kind of lease message"};
  }
}

}  // namespace starling::wire
