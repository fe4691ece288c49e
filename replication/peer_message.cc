#include "replication/peer_message.h"

#include <iterator>

namespace starling {
namespace {

std::string Join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : ",") + text;
  return joined;
}

std::string Of(const ClusterRecord& record) {
  return " id=" + std::to_string(record.id) + " first=" + Join(record.first_members) +
         " voters=" + Join(record.voters);
}

std::string Flag(bool set, const char* name) { return set ? std::string(" ") + name : ""; }

size_t BytesOf(const std::vector<std::string_view>& pieces) {
  size_t total = 0;
  for (const std::string_view piece : pieces) total += piece.size();
  return total;
}

struct Print {
  std::string operator()(const Hello& m) const {
    return " version=" + std::to_string(m.protocol.current) + ".." +
           std::to_string(m.protocol.minimum) + " cluster=" + m.cluster_name +
           " id=" + std::to_string(m.cluster_id) + " node=" + m.node_name + "." +
           std::to_string(m.incarnation) + " address=" + m.address +
           " members=" + std::to_string(m.members);
  }
  std::string operator()(const Proof& m) const { return " bytes=" + std::to_string(m.mac.size()); }
  std::string operator()(const Refusal& m) const {
    return std::string(" code=") + NameOf(m.code) + " text=\"" + m.text + "\"";
  }
  std::string operator()(const Fragment& m) const {
    return " message=" + std::to_string(m.message) + " index=" + std::to_string(m.index) + "/" +
           std::to_string(m.count) + " bytes=" + std::to_string(m.data.size());
  }
  std::string operator()(const Batches& m) const {
    return " count=" + std::to_string(m.batches.size()) +
           " bytes=" + std::to_string(BytesOf(m.batches));
  }
  std::string operator()(const Want& m) const {
    return " origin=" + m.origin.ToString() + " after=" + std::to_string(m.after.value);
  }
  std::string operator()(const Report& m) const {
    return Flag(m.round, "round") + Flag(m.full, "full") + Flag(m.asks, "asks") + " vector={" +
           m.vector.ToString() + "} floor={" + m.floor.ToString() + "}";
  }
  std::string operator()(const WalkHint&) const { return ""; }
  std::string operator()(const WalkRequest& m) const {
    return " walk=" + std::to_string(m.walk) + Flag(m.whole, "whole") + " covered={" +
           m.covered.ToString() + "}";
  }
  std::string operator()(const WalkPart& m) const {
    return " walk=" + std::to_string(m.walk) + " index=" + std::to_string(m.index) +
           Flag(m.whole, "whole") + Flag(m.last, "last") +
           " pieces=" + std::to_string(m.pieces.size());
  }
  std::string operator()(const WalkCredit& m) const {
    return " walk=" + std::to_string(m.walk) + " received=" + std::to_string(m.received);
  }
  std::string operator()(const WalkAbort& m) const {
    return " walk=" + std::to_string(m.walk) + " reason=\"" + m.reason + "\"";
  }
  std::string operator()(const SwimMessage& m) const {
    static constexpr const char* kKinds[] = {"", "ping", "ack", "ping-request", "nack", "gossip"};
    std::string text = std::string(" kind=") + kKinds[static_cast<int>(m.kind)] +
                       " sequence=" + std::to_string(m.sequence);
    if (!m.target.empty()) text += " target=" + m.target;
    for (const MemberUpdate& update : m.updates) {
      text += std::string(" [") + update.name + " " + NameOf(update.state) + " " +
              std::to_string(update.incarnation) + (update.by.empty() ? "" : " by " + update.by) +
              "]";
    }
    return text;
  }
  std::string operator()(const ClusterAnnounce& m) const {
    return Of(m.record) + Flag(m.forgotten, "forgotten") +
           (m.forgotten ? " ended=" + std::to_string(m.ended) + " ends={" + m.ends.ToString() + "}"
                        : "");
  }
  std::string operator()(const CreationOffer& m) const {
    return " expect=" + std::to_string(m.expect);
  }
  std::string operator()(const CreationProposal& m) const { return Of(m.record); }
  std::string operator()(const CreationAccept& m) const { return " id=" + std::to_string(m.id); }
  std::string operator()(const BeginRequest& m) const {
    return " name=" + m.name + " incarnation=" + std::to_string(m.incarnation);
  }
  std::string operator()(const ForgetRequest& m) const { return " names=" + Join(m.names); }
  std::string operator()(const ForgetReport& m) const {
    return " names=" + Join(m.names) + " held={" + m.held.ToString() + "}";
  }
  std::string operator()(const LeaseMessage& m) const { return " " + ToString(m); }
  std::string operator()(const ForwardingMessage& m) const { return " " + ToString(m); }
};

}  // namespace

const char* NameOf(const PeerMessage& message) {
  static constexpr const char* kNames[] = {"hello",
                                           "proof",
                                           "refusal",
                                           "fragment",
                                           "batches",
                                           "want",
                                           "report",
                                           "walk-hint",
                                           "walk-request",
                                           "walk-part",
                                           "walk-credit",
                                           "walk-abort",
                                           "swim",
                                           "cluster-announce",
                                           "creation-offer",
                                           "creation-proposal",
                                           "creation-accept",
                                           "begin-request",
                                           "forget-request",
                                           "forget-report",
                                           "lease",
                                           "forwarding"};
  static_assert(std::size(kNames) == std::variant_size_v<PeerMessage>);
  return kNames[message.index()];
}

const char* NameOf(RefusalCode code) {
  switch (code) {
    case RefusalCode::kVersion:
      return "version";
    case RefusalCode::kClusterName:
      return "cluster-name";
    case RefusalCode::kClusterId:
      return "cluster-id";
    case RefusalCode::kSecret:
      return "secret";
    case RefusalCode::kClockSkew:
      return "clock-skew";
    case RefusalCode::kNodeConnected:
      return "node-connected";
    case RefusalCode::kName:
      return "name";
    case RefusalCode::kProtocol:
      return "protocol";
    case RefusalCode::kFull:
      return "full";
  }
  return "unknown";
}

const char* NameOf(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return "alive";
    case MemberState::kSuspect:
      return "suspect";
    case MemberState::kDead:
      return "dead";
    case MemberState::kLeft:
      return "left";
    case MemberState::kForgotten:
      return "forgotten";
  }
  return "unknown";
}

std::string ToString(const PeerMessage& message) {
  return NameOf(message) + std::visit(Print{}, message);
}

}  // namespace starling
