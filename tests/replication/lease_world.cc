#include "tests/replication/lease_world.h"

#include <algorithm>

#include <spdlog/sinks/null_sink.h>

namespace starling {

using std::chrono::milliseconds;

/// What a lease machine asks of its node.
class LeaseWorld::Host final : public LeaseHost {
 public:
  Host(LeaseWorld& world, int index) : world_(world), index_(index) {}

  VersionVector Held() const override { return node().disk.vector; }
  bool Holds(const VersionVector& vector) const override {
    return node().disk.vector.Covers(vector);
  }
  Status Persist(const LeaseRecord& record) override {
    if (world_.Draw(100) == 0) return Error{Code::kIo, "disk full"};
    node().disk.record = record;
    return {};
  }
  Status WriteEpoch(uint64_t epoch, const VoterSet& voters) override {
    world_.OnEpochWritten(index_, epoch, voters);
    return {};
  }
  void Send(const std::string& voter, const LeaseMessage& message) override {
    world_.Send(index_, world_.IndexOf(voter), message);
  }
  void Pull(const std::string& voter) override {
    world_.Send(index_, world_.IndexOf(voter), PullRequest{});
  }

 private:
  Node& node() const { return world_.nodes_[index_]; }

  LeaseWorld& world_;
  int index_;
};

LeaseWorld::LeaseWorld(const Options& options)
    : options_(options),
      random_(options.seed),
      log_(std::make_shared<spdlog::logger>("lease",
                                            std::make_shared<spdlog::sinks::null_sink_mt>())) {
  voters_.version = 1;
  for (int i = 0; i < options.voters; ++i) voters_.names.push_back(std::string(1, 'A' + i));
  nodes_.resize(static_cast<size_t>(options.voters + options.members));
  for (int i = 0; i < size(); ++i) {
    Node& node = nodes_[i];
    node.name = std::string(1, static_cast<char>('A' + i));
    node.disk.voters = node.synced.voters = voters_;
    node.rate = 0.98 + 0.04 * static_cast<double>(Draw(1000)) / 1000;
    node.disk.record = node.synced.record = LeaseRecord{1, 0, {}};
    node.origin = {NodeId::FromName(node.name), 1};
    Start(i);
  }
}

LeaseWorld::~LeaseWorld() = default;

int LeaseWorld::IndexOf(const std::string& name) const { return name[0] - 'A'; }

Instant LeaseWorld::LocalTime(int node) const {
  return Instant(static_cast<int64_t>(static_cast<double>(now_.count()) * nodes_[node].rate));
}

// --- faults ---

void LeaseWorld::Crash(int index, CrashKind kind) {
  Node& node = nodes_[index];
  node.lease.reset();
  node.host.reset();
  node.heard.clear();
  node.begun_at = node.changed_at = {};
  node.added = -1;
  if (kind == CrashKind::kKill) return;
  node.disk = kind == CrashKind::kPowerLoss ? node.synced : Disk{{}, {}, voters_};
  node.synced = node.disk;
  ++node.origin.incarnation;
}

void LeaseWorld::Start(int index) {
  Node& node = nodes_[index];
  if (node.lease != nullptr) return;
  node.session = random_();
  node.host = std::make_unique<Host>(*this, index);
  Lease::Options options;
  options.name = node.name;
  options.session = node.session;
  options.rules = options_.rules;
  node.lease = std::make_unique<Lease>(options, *node.host, random_, log_);
  node.paused_until = {};
  node.lease->Start(node.disk.record, node.origin.incarnation, node.disk.voters, LocalTime(index));
}

void LeaseWorld::EndProcess(int ended) {
  Crash(ended, CrashKind::kKill);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].lease == nullptr) continue;
    nodes_[i].lease->OnProcessEnded(nodes_[ended].session, LocalTime(static_cast<int>(i)));
  }
}

void LeaseWorld::Pause(int node, Instant time) { nodes_[node].paused_until = now_ + time; }

void LeaseWorld::Cut(int from, int to, bool cut) {
  if (cut) {
    cut_.insert({from, to});
  } else {
    cut_.erase({from, to});
  }
}

void LeaseWorld::Heal() {
  cut_.clear();
  options_.loss = 0;
  for (Node& node : nodes_) node.paused_until = {};
}

void LeaseWorld::Sync(int node) { nodes_[node].synced = nodes_[node].disk; }

void LeaseWorld::ReplaceVoters(int node, const VoterSet& voters) {
  nodes_[node].disk.voters = voters;
  lease(node).SetVoters(voters, LocalTime(node));
}

void LeaseWorld::ChangeVoters(int member) {
  const int holder = Holder();
  if (holder < 0 || now_ < nodes_[holder].paused_until) return;
  Node& node = nodes_[holder];
  const VoterSet& voters = node.lease->voters();
  if (options_.rules.epoch_commits_before_change) {
    const Stamp held = HeldByMajority(holder);
    if (held < std::max(node.begun_at, node.changed_at) || !node.lease->ProlongedByVoters()) return;
    const auto added = node.heard.find(node.added);
    const bool waits = node.added >= 0 &&
                       (added == node.heard.end() || added->second.promised != node.lease->epoch());
    if (waits) return;
    node.added = -1;
  }
  std::vector<std::string> names = voters.names;
  const std::string& name = nodes_[member].name;
  if (voters.Has(name)) {
    if (names.size() == 1) return;
    std::erase(names, name);
  } else {
    const auto heard = node.heard.find(member);
    const bool caught_up =
        member == holder ||
        (heard != node.heard.end() && heard->second.vector.Covers(node.origin, node.begun_at));
    if (!caught_up || !Up(member)) return;
    if (member != holder) node.added = member;
    names.insert(std::lower_bound(names.begin(), names.end(), name), name);
  }
  const VoterSet next{
      VoterSet::VersionOf(voters.forced(), node.lease->epoch(), voters.change() + 1), names};
  node.disk.voters = next;
  node.changed_at = Append(holder);
  node.lease->ChangeVoters(next, LocalTime(holder));
}

void LeaseWorld::ForceVoters(const std::set<int>& members) {
  VoterSet forced;
  uint64_t epoch = 0;
  for (const int member : members) {
    forced.names.push_back(nodes_[member].name);
    const VoterSet& known = nodes_[member].disk.voters;
    epoch = std::max({epoch, known.epoch(), lease(member).epoch(), lease(member).promised()});
    forced.version = std::max(forced.version, known.forced());
  }
  forced.version = VoterSet::VersionOf(forced.version + 1, epoch + 1000, 1);
  ReplaceVoters(*members.begin(), forced);
}

// --- the network ---

void LeaseWorld::Send(int from, int to, Message message) {
  if (to < 0 || to >= static_cast<int>(nodes_.size())) return;
  const uint64_t session = nodes_[from].session;
  const auto lost = [this] { return static_cast<double>(Draw(10'000)) < options_.loss * 10'000; };
  for (int copies = Draw(50) == 0 ? 2 : 1; copies > 0; --copies) {
    if (cut_.contains({from, to}) || lost()) continue;
    // Most are fast; a few take long enough to arrive in another epoch.
    const int64_t delay = Draw(100) == 0 ? 1 + Draw(3000) : 1 + Draw(10);
    network_.emplace(now_ + milliseconds(delay), Parcel{from, to, session, message});
  }
}

void LeaseWorld::Deliver(const Parcel& parcel) {
  Node& node = nodes_[parcel.to];
  if (node.lease == nullptr) return;
  const std::string& from = nodes_[parcel.from].name;
  if (const auto* message = std::get_if<LeaseMessage>(&parcel.message)) {
    node.lease->OnMessage({from, parcel.session}, *message, LocalTime(parcel.to));
  } else if (std::holds_alternative<PullRequest>(parcel.message)) {
    Send(parcel.to, parcel.from, Copy{node.disk.vector, node.lease->promised(), node.disk.voters});
  } else {
    const Copy& copy = std::get<Copy>(parcel.message);
    Copy& heard = node.heard[parcel.from];
    // A late acknowledgement is no acknowledgement of what came after it.
    if (copy.promised >= heard.promised) heard = copy;
    node.disk.vector.MergeFrom(copy.vector);
    if (copy.voters.version > node.disk.voters.version) {
      node.disk.voters = copy.voters;
      node.lease->SetVoters(copy.voters, LocalTime(parcel.to));
    }
    node.lease->OnProgress(LocalTime(parcel.to));
    CountAcknowledgements(parcel.to);
  }
}

// --- the nodes ---

void LeaseWorld::Step(int index) {
  Node& node = nodes_[index];
  if (node.lease == nullptr || now_ < node.paused_until) return;
  const Instant local = LocalTime(index);
  if (node.lease->NextTimer() <= local) node.lease->OnTick(local);
  if (now_ >= node.next_copy) {
    node.next_copy = now_ + milliseconds(10 + Draw(100));
    const int to = static_cast<int>(Draw(nodes_.size()));
    if (to != index) {
      Send(index, to, Copy{node.disk.vector, node.lease->promised(), node.disk.voters});
    }
  }
  if (node.lease->Holding(local) && now_ >= node.next_write) Write(index);
}

void LeaseWorld::Write(int index) {
  Node& node = nodes_[index];
  node.next_write = now_ + milliseconds(5 + Draw(50));
  Append(index);
  CountAcknowledgements(index);
}

Stamp LeaseWorld::Append(int index) {
  Node& node = nodes_[index];
  const Stamp stamp{
      std::max(static_cast<uint64_t>(now_.count()), node.disk.vector.Get(node.origin).value + 1)};
  node.disk.vector.Set(node.origin, stamp);
  return stamp;
}

Stamp LeaseWorld::HeldByMajority(int index) {
  Node& node = nodes_[index];
  const VoterSet& voters = node.lease->voters();
  std::vector<Stamp> held;
  if (voters.Has(node.name)) held.push_back(node.disk.vector.Get(node.origin));
  for (const auto& [from, copy] : node.heard) {
    const bool counts =
        copy.promised == node.lease->epoch() || !options_.rules.only_own_epoch_counts;
    if (counts && voters.Has(nodes_[from].name)) held.push_back(copy.vector.Get(node.origin));
  }
  if (held.size() < voters.majority()) return {};
  std::sort(held.begin(), held.end(), std::greater<>());
  return held[voters.majority() - 1];
}

void LeaseWorld::CountAcknowledgements(int index) {
  Node& node = nodes_[index];
  if (node.lease->leads() == 0) return;
  const Stamp held = HeldByMajority(index);
  if (held < node.begun_at || held.none()) return;
  acknowledged_.Raise(node.origin, held);
  // Who serves a later epoch took what counts before: nothing is acknowledged behind its back.
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const auto& other = nodes_[i].lease;
    if (other == nullptr || !other->Holding(LocalTime(static_cast<int>(i))) ||
        other->epoch() <= node.lease->epoch())
      continue;
    if (nodes_[i].disk.vector.Covers(node.origin, held)) continue;
    Violated(node.name + " acknowledges in epoch " + std::to_string(node.lease->epoch()) +
             " what " + nodes_[i].name + ", in a later one, does not hold");
  }
  if (node.changed_at.none() || held < node.changed_at) return;
  node.changed_at = {};
  ++changes_;
  // Who has removed itself goes once a majority of the others has it.
  if (!node.lease->voters().Has(node.name)) node.lease->Resign(LocalTime(index));
}

void LeaseWorld::Run(Instant time) {
  for (const Instant end = now_ + time; now_ < end && violation_.empty();) {
    now_ += milliseconds(1);
    // Who stood still may hear of others first, or look at the clock.
    const bool heard_first = Draw(2) == 0;
    if (heard_first) DeliverDue();
    for (size_t i = 0; i < nodes_.size(); ++i) Step(static_cast<int>(i));
    if (!heard_first) DeliverDue();
    Check();
  }
}

void LeaseWorld::DeliverDue() {
  while (!network_.empty() && network_.begin()->first <= now_) {
    const Parcel parcel = network_.begin()->second;
    network_.erase(network_.begin());
    if (now_ < nodes_[parcel.to].paused_until) {
      network_.emplace(nodes_[parcel.to].paused_until, parcel);
    } else {
      Deliver(parcel);
    }
  }
}

// --- what must hold ---

int LeaseWorld::Holder() const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const auto& lease = nodes_[i].lease;
    if (lease != nullptr && lease->Holding(LocalTime(static_cast<int>(i)))) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

bool LeaseWorld::AllFollow() const {
  const int holder = Holder();
  return holder >= 0 && std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
           return node.lease == nullptr || !node.lease->voters().Has(node.name) ||
                  node.lease->promised() == nodes_[holder].lease->epoch();
         });
}

bool LeaseWorld::AnyRecovers() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return node.lease != nullptr && node.lease->recovering();
  });
}

bool LeaseWorld::VotersSettled() const {
  const auto version = [](const Node& node) {
    return node.lease == nullptr ? node.disk.voters.version : node.lease->voters().version;
  };
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [&](const Node& node) { return version(node) == version(nodes_.front()); });
}

std::string LeaseWorld::Describe() const {
  std::string text;
  for (const Node& node : nodes_) {
    text += "\n" + node.name + ":";
    if (node.lease == nullptr) {
      text += " down";
      continue;
    }
    text += " voters " + VersionText(node.lease->voters().version);
    for (const std::string& name : node.lease->voters().names) text += " " + name;
    text += "; promised " + std::to_string(node.lease->promised()) + ", leads " +
            std::to_string(node.lease->leads());
    if (node.lease->recovering()) text += ", recovering";
  }
  return text;
}

void LeaseWorld::Violated(const std::string& what) {
  if (violation_.empty()) violation_ = std::to_string(now_.count() / 1'000'000) + " ms: " + what;
}

void LeaseWorld::Check() {
  std::string holders;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const auto& lease = nodes_[i].lease;
    if (lease != nullptr && lease->Holding(LocalTime(static_cast<int>(i)))) {
      holders += nodes_[i].name + "@" + std::to_string(lease->epoch()) + " ";
    }
  }
  if (std::count(holders.begin(), holders.end(), '@') > 1) Violated("two serve: " + holders);
}

void LeaseWorld::OnEpochWritten(int index, uint64_t epoch, const VoterSet& voters) {
  Node& node = nodes_[index];
  const auto [known, fresh] = epochs_.emplace(epoch, node.session);
  if (!fresh && known->second != node.session) {
    Violated("epoch " + std::to_string(epoch) + " was had twice");
  }
  if (fresh && epoch < highest_epoch_) {
    Violated("epoch " + std::to_string(epoch) + " after " + std::to_string(highest_epoch_));
  }
  highest_epoch_ = std::max(highest_epoch_, epoch);
  if (!node.disk.vector.Covers(acknowledged_)) {
    Violated(node.name + " serves epoch " + std::to_string(epoch) +
             " without all that a majority acknowledged");
  }
  node.disk.voters = voters;
  node.changed_at = {};
  node.added = -1;
  node.begun_at = Append(index);
}

}  // namespace starling
