#include "replication/cluster_creation.h"

#include <algorithm>
#include <utility>

#include "replication/limits.h"

namespace starling {

ClusterCreation::ClusterCreation(Options options, PeerSender& sender, std::mt19937_64& random,
                                 std::optional<ClusterRecord> proposal)
    : options_(std::move(options)),
      sender_(sender),
      random_(random),
      proposal_(std::move(proposal)) {}

std::vector<std::string> ClusterCreation::VotersOf(const std::vector<std::string>& names) {
  const size_t count = names.size() >= 5   ? 5
                       : names.size() >= 3 ? 3
                                           : std::min<size_t>(names.size(), 1);
  return {names.begin(), names.begin() + static_cast<ptrdiff_t>(count)};
}

std::optional<ClusterRecord> ClusterCreation::Start(Instant now) {
  resend_at_ = now + limits::kRoundInterval;
  if (options_.expect != 1 || proposal_) return std::nullopt;
  Propose();
  return FinishIfAccepted();
}

void ClusterCreation::AddPeer(const std::string& name, Instant) {
  peers_[name] = Peer{};
  if (options_.expect == 0) return;
  sender_.Send(NodeId::FromName(name), Lane::kControl, CreationOffer{options_.expect});
}

void ClusterCreation::RemovePeer(const std::string& name) {
  peers_.erase(name);
  proposing_ = false;  // whoever comes back is asked anew
}

void ClusterCreation::OnOffer(const std::string& from, const CreationOffer& offer, Instant) {
  const auto peer = peers_.find(from);
  if (peer == peers_.end()) return;
  peer->second.expect = offer.expect;
  Propose();
}

/// The smallest name proposes when all that are expected have met and expect the same number.
void ClusterCreation::Propose() {
  if (options_.expect == 0 || proposing_) return;
  std::vector<std::string> names{options_.name};
  for (const auto& [name, peer] : peers_) {
    if (peer.expect == options_.expect) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  if (names.size() < options_.expect || names.front() != options_.name) return;
  names.resize(options_.expect);
  if (!std::includes(names.begin(), names.end(), options_.voters.begin(), options_.voters.end())) {
    return;
  }
  // What was accepted from another proposer binds; an own proposal is made again with the same id.
  const bool own = !proposal_ || proposal_->first_members.front() == options_.name;
  if (!own) return;
  const std::vector<std::string> voters =
      options_.voters.empty() ? VotersOf(names) : options_.voters;
  if (!proposal_ || proposal_->first_members != names || proposal_->voters != voters) {
    ClusterRecord record;
    while (record.id == 0) record.id = random_();
    record.first_members = names;
    record.voters = voters;
    if (!options_.persist(record, false)) return;
    proposal_ = std::move(record);
  }
  proposing_ = true;
  for (auto& [name, peer] : peers_) {
    peer.accepted = false;
    if (!std::binary_search(names.begin(), names.end(), name)) continue;
    sender_.Send(NodeId::FromName(name), Lane::kControl, CreationProposal{*proposal_});
  }
}

void ClusterCreation::OnProposal(const std::string& from, const CreationProposal& proposal) {
  const ClusterRecord& record = proposal.record;
  const bool sound =
      options_.expect != 0 && !record.first_members.empty() &&
      record.first_members.front() == from &&
      std::is_sorted(record.first_members.begin(), record.first_members.end()) &&
      std::binary_search(record.first_members.begin(), record.first_members.end(), options_.name) &&
      from < options_.name && record.first_members.size() == options_.expect &&
      (options_.voters.empty() || options_.voters == record.voters);
  if (!sound) return;
  const bool bound = proposal_ && proposal_->first_members.front() != from &&
                     proposal_->first_members.front() != options_.name;
  if (bound) return;
  if (!proposal_ || proposal_->id != record.id) {
    if (!options_.persist(record, false)) return;
    proposal_ = record;
    proposing_ = false;
  }
  sender_.Send(NodeId::FromName(from), Lane::kControl, CreationAccept{record.id});
}

std::optional<ClusterRecord> ClusterCreation::OnAccept(const std::string& from,
                                                       const CreationAccept& accept) {
  const auto peer = peers_.find(from);
  if (!proposing_ || peer == peers_.end() || accept.id != proposal_->id) return std::nullopt;
  peer->second.accepted = true;
  return FinishIfAccepted();
}

std::optional<ClusterRecord> ClusterCreation::FinishIfAccepted() {
  if (!proposing_) return std::nullopt;
  for (const std::string& name : proposal_->first_members) {
    if (name == options_.name) continue;
    const auto peer = peers_.find(name);
    if (peer == peers_.end() || !peer->second.accepted) return std::nullopt;
  }
  if (!options_.persist(*proposal_, true)) return std::nullopt;
  return proposal_;
}

void ClusterCreation::OnTick(Instant now) {
  if (now < resend_at_) return;
  resend_at_ = now + limits::kRoundInterval;
  if (options_.expect == 0) return;
  for (const auto& [name, peer] : peers_) {
    sender_.Send(NodeId::FromName(name), Lane::kControl, CreationOffer{options_.expect});
    const bool owes =
        proposing_ && !peer.accepted &&
        std::binary_search(proposal_->first_members.begin(), proposal_->first_members.end(), name);
    if (owes) sender_.Send(NodeId::FromName(name), Lane::kControl, CreationProposal{*proposal_});
  }
}

Instant ClusterCreation::NextTimer() const {
  return options_.expect == 0 ? Instant::max() : resend_at_;
}

std::string ClusterCreation::Waiting() const {
  std::string text = "members that answer";
  if (options_.expect != 0) {
    text = std::to_string(options_.expect) + " members, " + std::to_string(peers_.size() + 1) +
           " have met";
  }
  for (const auto& [name, peer] : peers_) {
    if (peer.expect != 0 && peer.expect != options_.expect) {
      text += "; " + name + " expects " + std::to_string(peer.expect) + ": see --expect";
    }
  }
  return text;
}

}  // namespace starling
