#include "replication/dialer.h"

#include <algorithm>

#include "replication/limits.h"

namespace starling {

void Dialer::Set(Source source, const std::vector<Address>& addresses, bool replace, Instant now) {
  if (replace) {
    for (auto& [address, entry] : entries_) {
      if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
        entry.sources &= static_cast<uint8_t>(~source);
      }
    }
    std::erase_if(entries_, [](const auto& e) { return e.second.sources == 0; });
  }
  for (const Address& address : addresses) {
    if (address.empty() || address == own_ || address.size() > limits::kAddressBytes) continue;
    if (entries_.size() >= limits::kKnownAddresses) return;
    const auto [entry, fresh] = entries_.try_emplace(address);
    if (fresh) entry->second.next = now;
    entry->second.sources |= source;
  }
}

void Dialer::SetMember(NodeId node, const Address& address, Instant now) {
  for (auto& [known, entry] : entries_) {
    if (entry.node == node && known != address) {
      entry.sources &= static_cast<uint8_t>(~kMember);
    }
  }
  std::erase_if(entries_, [](const auto& e) { return e.second.sources == 0; });
  Set(kMember, {address}, /*replace=*/false, now);
  const auto entry = entries_.find(address);
  if (entry != entries_.end()) entry->second.node = node;
}

void Dialer::RemoveMember(NodeId node) {
  for (auto& [address, entry] : entries_) {
    if (entry.node == node) entry.sources &= static_cast<uint8_t>(~kMember);
  }
  std::erase_if(entries_, [](const auto& e) { return e.second.sources == 0; });
}

void Dialer::OnFound(const Address& address, NodeId node, bool self) {
  const auto entry = entries_.find(address);
  if (entry == entries_.end()) return;
  entry->second.dialling = false;
  entry->second.node = node;
  entry->second.self = self;
}

void Dialer::OnFailed(const Address& address, Instant now) {
  const auto found = entries_.find(address);
  if (found == entries_.end()) return;
  found->second.dialling = false;
  PutOff(found->second, now);
}

void Dialer::PutOff(Entry& entry, Instant now) {
  entry.pause = std::clamp<std::chrono::nanoseconds>(entry.pause * 2, limits::kDialBackoffFirst,
                                                     limits::kDialBackoffLast);
  // Up to a quarter less, so that two nodes that dial each other do not stay in step.
  const auto jitter =
      static_cast<int64_t>(random_() % (static_cast<uint64_t>(entry.pause.count()) / 4));
  entry.next = now + entry.pause - std::chrono::nanoseconds(jitter);
}

void Dialer::OnLinked(NodeId node, Instant now) {
  for (auto& [address, entry] : entries_) {
    if (entry.node == node) entry.linked = now;
  }
}

void Dialer::OnLost(NodeId node, Instant now) {
  for (auto& [address, entry] : entries_) {
    if (entry.node != node) continue;
    entry.dialling = false;
    if (now >= entry.linked + limits::kLinkSettled) {
      entry.pause = {};
      entry.next = now;
    } else {
      PutOff(entry, now);
    }
  }
}

bool Dialer::Wanted(const Entry& entry, const Connected& connected) const {
  return !entry.self && !entry.dialling && !(entry.node && connected(*entry.node));
}

std::vector<Address> Dialer::Due(Instant now, const Connected& connected) {
  std::vector<Address> due;
  for (auto& [address, entry] : entries_) {
    if (now < entry.next || !Wanted(entry, connected)) continue;
    entry.dialling = true;
    due.push_back(address);
  }
  return due;
}

Instant Dialer::NextTimer(const Connected& connected) const {
  Instant next = Instant::max();
  for (const auto& [address, entry] : entries_) {
    if (Wanted(entry, connected)) next = std::min(next, entry.next);
  }
  return next;
}

std::optional<NodeId> Dialer::NodeAt(const Address& address) const {
  const auto entry = entries_.find(address);
  return entry == entries_.end() ? std::nullopt : entry->second.node;
}

}  // namespace starling
