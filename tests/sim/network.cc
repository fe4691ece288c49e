#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

namespace starling::sim {

namespace {

constexpr Duration kDialTimeout = std::chrono::seconds(2);
constexpr Duration kShortestStall = std::chrono::seconds(2);  // before a blocked link breaks
constexpr Duration kLongestStall = std::chrono::seconds(12);

}  // namespace

Endpoint* Network::Find(const Address& address) const {
  const auto found = endpoints_.find(address);
  return found == endpoints_.end() ? nullptr : found->second;
}

void Network::Attach(const Address& address, Endpoint& endpoint) {
  endpoints_[address] = &endpoint;
}

void Network::Detach(const Address& address, bool silently) {
  endpoints_.erase(address);
  std::vector<std::pair<LinkPointer, int>> broken;
  for (const auto& [id, link] : links_) {
    if (link.first->ends[link.second].address == address) broken.push_back(link);
  }
  for (const auto& [link, end] : broken) {
    link->ends[end].open = false;
    links_.erase(link->ends[end].id);
    const Duration notice = silently ? random_.Between(kShortestStall, kLongestStall) : Delay();
    Break(link, 1 - end, notice);
  }
}

void Network::Dial(const Address& from, const Address& to) {
  ++counts_.dials;
  scheduler_.After(Delay(), [this, from, to] {
    if (Find(from) == nullptr) return;
    if (Blocked(from, to) || Blocked(to, from)) {
      scheduler_.After(kDialTimeout, [this, from, to] {
        if (Endpoint* dialler = Find(from)) dialler->DialFailed(to, false);
      });
    } else if (Find(to) == nullptr || random_.Chance(profile_.refuse_per_mille)) {
      Find(from)->DialFailed(to, true);
    } else {
      Establish(from, to);
    }
  });
}

void Network::Establish(const Address& from, const Address& to) {
  auto link = std::make_shared<Link>();
  const Address addresses[2] = {from, to};
  for (int end = 0; end < 2; ++end) {
    link->ends[end].address = addresses[end];
    link->ends[end].id = next_link_++;
    links_[link->ends[end].id] = {link, end};
  }
  trace_.Add("-", "link", from + " > " + to);
  // The acceptor's side first: what it says at once must find the dialler's side standing.
  Find(to)->Connected(link->ends[1].id, {});
  if (Endpoint* dialler = Find(from); dialler != nullptr && link->ends[0].open) {
    dialler->Connected(link->ends[0].id, to);
  }
}

void Network::Send(const Address& from, LinkId id, SendEffect::Lane lane, SharedBytes frame) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;  // broken in the meantime: as bytes written to a dead socket
  const auto [link, end] = found->second;
  End& sender = link->ends[end];
  if (sender.address != from || !sender.open) return;
  ++counts_.frames;
  counts_.bytes += frame->size();
  trace_.Mix(*frame);
  if (random_.Chance(profile_.reset_per_mille)) {
    ++counts_.resets;
    Break(link, end, Delay());
    Break(link, 1 - end, Delay());
    return;
  }
  if (random_.Chance(profile_.lose_per_mille)) {
    ++counts_.lost;
    return;
  }
  Instant arrives = scheduler_.now() + Delay();
  if (random_.Chance(profile_.reorder_per_mille)) {
    ++counts_.reordered;
    arrives += 4 * Delay();
  } else if (lane == SendEffect::Lane::kControl) {
    arrives = std::max(arrives, sender.control_arrives);
    sender.control_arrives = arrives;
  } else if (lane == SendEffect::Lane::kOrders) {
    arrives = std::max({arrives, sender.orders_arrives, sender.control_arrives});
    sender.orders_arrives = arrives;
  } else {
    arrives += random_.Between(Duration::zero(), profile_.bulk_delay) + slow_[from];
    arrives =
        std::max({arrives, sender.bulk_arrives, sender.orders_arrives, sender.control_arrives});
    sender.bulk_arrives = arrives;
  }
  const int to_end = 1 - end;
  scheduler_.At(arrives, [this, link = link, to_end, frame] { Deliver(link, to_end, frame); });
  if (random_.Chance(profile_.duplicate_per_mille)) {
    ++counts_.duplicated;
    scheduler_.At(arrives + random_.Between(Duration::zero(), std::chrono::seconds(1)),
                  [this, link = link, to_end, frame] { Deliver(link, to_end, frame); });
  }
}

void Network::Deliver(const LinkPointer& link, int to_end, const SharedBytes& frame) {
  End& receiver = link->ends[to_end];
  End& sender = link->ends[1 - to_end];
  if (!receiver.open) return;
  if (Blocked(sender.address, receiver.address)) {
    ++counts_.stalled;
    sender.stalled.push_back(frame);
    return;
  }
  if (Endpoint* endpoint = Find(receiver.address)) endpoint->Frame(receiver.id, frame);
}

void Network::Close(const Address& from, LinkId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const auto [link, end] = found->second;
  if (link->ends[end].address != from) return;
  link->ends[end].open = false;
  links_.erase(id);
  // The other end hears of it after what was sent before has arrived.
  const End& closed = link->ends[end];
  const Instant drained = std::max(closed.control_arrives, closed.bulk_arrives);
  const Duration wait = std::max(drained - scheduler_.now(), Duration::zero());
  Break(link, 1 - end, wait + Delay());
}

void Network::Break(const LinkPointer& link, int end, Duration delay) {
  scheduler_.After(delay, [this, link, end] {
    End& broken = link->ends[end];
    if (!broken.open) return;
    broken.open = false;
    links_.erase(broken.id);
    if (Endpoint* endpoint = Find(broken.address)) endpoint->Disconnected(broken.id);
  });
}

void Network::Block(const Address& from, const Address& to) {
  if (!blocked_.insert({from, to}).second) return;
  trace_.Add("-", "block", from + " > " + to);
  for (const auto& [id, entry] : links_) {
    const auto& [link, end] = entry;
    if (link->ends[end].address != from || link->ends[1 - end].address != to) continue;
    for (int side = 0; side < 2; ++side) {
      const Duration patience = random_.Between(kShortestStall, kLongestStall);
      scheduler_.After(patience, [this, link = link, side, from, to] {
        if (Blocked(from, to)) Break(link, side, Duration::zero());
      });
    }
  }
}

void Network::Unblock(const Address& from, const Address& to) {
  if (blocked_.erase({from, to}) == 0) return;
  trace_.Add("-", "unblock", from + " > " + to);
  for (const auto& [id, entry] : links_) {
    const auto [link, end] = entry;
    if (link->ends[end].address != from || link->ends[1 - end].address != to) continue;
    End& sender = link->ends[end];
    Instant arrives = scheduler_.now() + Delay();
    sender.control_arrives = std::max(sender.control_arrives, arrives);
    sender.bulk_arrives = std::max(sender.bulk_arrives, arrives);
    const int to_end = 1 - end;
    for (const SharedBytes& frame : std::exchange(sender.stalled, {})) {
      scheduler_.At(arrives, [this, link = link, to_end, frame] { Deliver(link, to_end, frame); });
    }
  }
}

void Network::UnblockAll() {
  const auto blocked = blocked_;
  for (const auto& [from, to] : blocked) Unblock(from, to);
}

void Network::Reset(const Address& a, const Address& b) {
  std::vector<std::pair<LinkPointer, int>> hit;
  for (const auto& [id, entry] : links_) {
    const auto& [link, end] = entry;
    if (link->ends[end].address == a && link->ends[1 - end].address == b) hit.push_back(entry);
  }
  for (const auto& [link, end] : hit) {
    ++counts_.resets;
    Break(link, end, Delay());
    Break(link, 1 - end, Delay());
  }
}

}  // namespace starling::sim
