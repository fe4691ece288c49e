#include "replication/lease_message.h"

namespace starling {
namespace {

std::string Number(const char* name, uint64_t value) {
  return std::string(" ") + name + "=" + std::to_string(value);
}

struct Print {
  std::string operator()(const LeaseRequest& m) const {
    return std::string(m.trial ? "trial" : "request") + Number("epoch", m.epoch) +
           Number("voters", m.voters);
  }
  std::string operator()(const LeaseGrant& m) const {
    return std::string(m.trial ? "would-grant" : "grant") + Number("epoch", m.epoch) + " vector={" +
           m.vector.ToString() + "}";
  }
  std::string operator()(const LeaseDenial& m) const {
    return "denial" + Number("epoch", m.epoch) + Number("promised", m.promised) +
           Number("reason", static_cast<uint64_t>(m.reason));
  }
  std::string operator()(const LeaseRenewal& m) const {
    return "renewal" + Number("epoch", m.epoch) + Number("sequence", m.sequence);
  }
  std::string operator()(const LeaseRenewed& m) const {
    return "renewed" + Number("epoch", m.epoch) + Number("sequence", m.sequence);
  }
  std::string operator()(const LeaseResignation& m) const {
    return "resignation" + Number("epoch", m.epoch);
  }
  std::string operator()(const RecoveryRequest& m) const {
    return "recovery-request" + Number("incarnation", m.incarnation);
  }
  std::string operator()(const RecoveryReport& m) const {
    return "recovery-report" + Number("asked", m.asked) + Number("promised", m.promised) +
           (m.recovering ? " recovering" : "") + " vector={" + m.vector.ToString() + "}";
  }
};

}  // namespace

std::string VersionText(uint64_t version) {
  const VoterSet set{version, {}};
  return std::to_string(set.forced()) + "." + std::to_string(set.epoch()) + "." +
         std::to_string(set.change());
}

std::string ToString(const LeaseMessage& message) { return std::visit(Print{}, message); }

}  // namespace starling
