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
  Status WriteEpoch(uint64_t epoch) override {
    world_.OnEpochWritten(index_, epoch);
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
  nodes_.resize(static_cast<size_t>(options.voters));
  for (int i = 0; i < options.voters; ++i) {
    Node& node = nodes_[i];
    node.name = voters_.names[i];
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
  if (kind == CrashKind::kKill) return;
  node.disk = kind == CrashKind::kPowerLoss ? node.synced : Disk{};
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
  node.lease->Start(node.disk.record, node.origin.incarnation, voters_, LocalTime(index));
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
  lease(node).SetVoters(voters, LocalTime(node));
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
    Send(parcel.to, parcel.from, Copy{node.disk.vector, node.lease->promised()});
  } else {
    const Copy& copy = std::get<Copy>(parcel.message);
    Copy& heard = node.heard[parcel.from];
    // A late acknowledgement is no acknowledgement of what came after it.
    if (copy.promised >= heard.promised) heard = copy;
    node.disk.vector.MergeFrom(copy.vector);
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
    if (to != index) Send(index, to, Copy{node.disk.vector, node.lease->promised()});
  }
  if (node.lease->Holding(local) && now_ >= node.next_write) Write(index);
}

void LeaseWorld::Write(int index) {
  Node& node = nodes_[index];
  node.next_write = now_ + milliseconds(5 + Draw(50));
  node.disk.vector.Set(node.origin, Stamp{static_cast<uint64_t>(now_.count())});
  if (nodes_.size() == 1) CountAcknowledgements(index);
}

void LeaseWorld::CountAcknowledgements(int index) {
  Node& node = nodes_[index];
  if (!node.lease->Holding(LocalTime(index))) return;
  // The newest own item that so many others hold, who say that they have promised this epoch.
  std::vector<Stamp> held{node.disk.vector.Get(node.origin)};
  for (const auto& [from, copy] : node.heard) {
    if (copy.promised == node.lease->epoch()) held.push_back(copy.vector.Get(node.origin));
  }
  if (held.size() < node.lease->voters().majority()) return;
  std::sort(held.begin(), held.end(), std::greater<>());
  acknowledged_.Raise(node.origin, held[node.lease->voters().majority() - 1]);
}

void LeaseWorld::Run(Instant time) {
  for (const Instant end = now_ + time; now_ < end && violation_.empty();) {
    now_ += milliseconds(1);
    for (size_t i = 0; i < nodes_.size(); ++i) Step(static_cast<int>(i));
    while (!network_.empty() && network_.begin()->first <= now_) {
      const Parcel parcel = network_.begin()->second;
      network_.erase(network_.begin());
      if (now_ < nodes_[parcel.to].paused_until) {
        network_.emplace(nodes_[parcel.to].paused_until + milliseconds(1), parcel);
      } else {
        Deliver(parcel);
      }
    }
    Check();
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
           return node.lease == nullptr || node.lease->promised() == nodes_[holder].lease->epoch();
         });
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

void LeaseWorld::OnEpochWritten(int index, uint64_t epoch) {
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
}

}  // namespace starling
