/// The simulated network: links between addresses that delay, stall, break and refuse.
///
/// A link is what one TCP connection gives: each lane arrives in order, control may overtake bulk,
/// and what cannot be delivered for a while breaks the link, at each end in its own time. Beyond
/// TCP, a profile can lose, duplicate and reorder single frames: the protocols must not depend on
/// more than they say. Directions are blocked one by one, so partitions may be asymmetric. Not
/// thread-safe.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "replication/replicator.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/trace.h"

namespace starling::sim {

/// What one process offers the network; calls come from scheduler events.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual void Connected(LinkId link, const Address& dialled) = 0;
  virtual void DialFailed(const Address& address, bool refused) = 0;
  virtual void Disconnected(LinkId link) = 0;
  virtual void Frame(LinkId link, const SharedBytes& frame) = 0;
};

struct NetworkProfile {
  Duration min_delay = std::chrono::microseconds(50);
  Duration max_delay = std::chrono::milliseconds(3);
  /// Bulk frames wait up to this long more, so that control overtakes them.
  Duration bulk_delay = std::chrono::milliseconds(2);
  uint64_t lose_per_mille = 0;
  uint64_t duplicate_per_mille = 0;
  uint64_t reorder_per_mille = 0;
  uint64_t reset_per_mille = 0;   ///< Per frame: the link breaks instead.
  uint64_t refuse_per_mille = 0;  ///< Per dial.
};

struct NetworkCounts {
  uint64_t frames = 0;
  uint64_t bytes = 0;
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t resets = 0;
  uint64_t stalled = 0;
  uint64_t dials = 0;
};

class Network {
 public:
  Network(Scheduler& scheduler, Trace& trace, Random random)
      : scheduler_(scheduler), trace_(trace), random_(random) {}

  void SetProfile(const NetworkProfile& profile) { profile_ = profile; }
  /// Bulk frames that `from` sends take so much longer than others'; zero: they do not.
  void SlowDown(const Address& from, Duration by) { slow_[from] = by; }
  const NetworkProfile& profile() const { return profile_; }

  /// A process listens at `address` from now on.
  void Attach(const Address& address, Endpoint& endpoint);
  /// The process at `address` has ended. Its peers hear of it at once (`silently` false: their
  /// kernels get a reset) or only when their connections time out (the machine is gone).
  void Detach(const Address& address, bool silently);

  void Dial(const Address& from, const Address& to);
  void Send(const Address& from, LinkId link, SendEffect::Lane lane, SharedBytes frame);
  void Close(const Address& from, LinkId link);

  /// Blocks or opens one direction. Frames stall; links that stay blocked break after a while.
  void Block(const Address& from, const Address& to);
  void Unblock(const Address& from, const Address& to);
  void UnblockAll();
  bool Blocked(const Address& from, const Address& to) const {
    return blocked_.contains({from, to});
  }
  /// Breaks every link between the two.
  void Reset(const Address& a, const Address& b);

  const NetworkCounts& counts() const { return counts_; }
  size_t links() const { return links_.size(); }

 private:
  struct End {
    Address address;
    LinkId id = 0;
    bool open = true;
    Instant control_arrives{0};  // of what this end has sent: keeps each lane in order
    Instant orders_arrives{0};
    Instant bulk_arrives{0};
    std::vector<SharedBytes> stalled;  // sent by this end into a blocked direction
  };
  struct Link {
    End ends[2];
  };
  using LinkPointer = std::shared_ptr<Link>;

  void Establish(const Address& from, const Address& to);
  void Deliver(const LinkPointer& link, int to_end, const SharedBytes& frame);
  void Break(const LinkPointer& link, int end, Duration delay);
  Duration Delay() { return random_.Between(profile_.min_delay, profile_.max_delay); }
  Endpoint* Find(const Address& address) const;

  Scheduler& scheduler_;
  Trace& trace_;
  Random random_;
  NetworkProfile profile_;
  std::map<Address, Duration> slow_;
  NetworkCounts counts_;
  LinkId next_link_ = 1;
  std::map<Address, Endpoint*> endpoints_;
  std::map<LinkId, std::pair<LinkPointer, int>> links_;  // by the id at one end: link and that end
  std::set<std::pair<Address, Address>> blocked_;
};

}  // namespace starling::sim
