#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

namespace starling::sim {

namespace {

Address AddressOf(int index) { return "node" + std::to_string(index) + ":16379"; }

const char* NameOf(EventEffect::Kind kind) {
  static constexpr const char* kNames[] = {
      "cluster-joined",   "member-up",    "member-suspected", "member-down", "member-left",
      "member-forgotten", "peer-refused", "clock-skew",       "walk-taken",  "incarnation-raised"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace

World::World(const WorldOptions& options)
    : options_(options),
      random_(options.seed),
      trace_(scheduler_, options.print),
      network_(scheduler_, trace_, random_.Fork()),
      streams_(
          [this](const std::string& invariant, const std::string& text) { Fail(invariant, text); }),
      leased_(*this) {
  for (int i = 0; i < options.nodes; ++i) AddNode(std::string(1, static_cast<char>('A' + i)));
}

World::~World() = default;

SimNode& World::AddNode(const std::string& name) {
  NodeSetup setup;
  setup.index = size();
  setup.name = name;
  setup.address = AddressOf(setup.index);
  for (int i = 0; i < std::max(options_.nodes, setup.index); ++i) {
    setup.replicator.seeds.push_back(AddressOf(i));
  }
  setup.replicator.expect = options_.nodes;
  setup.replicator.secret = options_.secret;
  setup.replicator.forget_after = options_.forget_after;
  setup.replicator.lease_rules = options_.lease_rules;
  setup.claim_rules = options_.claim_rules;
  setup.leased = &leased_;
  if (options_.folder) setup.meeting = &meeting_;
  setup.appendfsync = options_.appendfsync;
  setup.checkpoint_log_bytes = options_.checkpoint_log_bytes;
  const int64_t spread = options_.clock_spread.count();
  setup.clock_offset = std::chrono::milliseconds(random_.Between(-spread, spread));
  setup.seed = random_.Next();
  setup.print_log = options_.print_logs;
  nodes_.push_back(std::make_unique<SimNode>(setup, scheduler_, network_, trace_, ledger_, *this));
  return *nodes_.back();
}

void World::StartAll() {
  for (auto& node : nodes_) {
    if (!node->up()) node->Start();
  }
}

void World::RunFor(Duration time) {
  const Instant end = now() + time;
  while (!failed() && scheduler_.RunNext(end)) {
    if (options_.watch_leaders) lease_.Look(*this);
    waits_.Look(*this);
  }
}

bool World::RunUntil(const std::function<bool()>& done, Duration limit, Duration step) {
  const Instant end = now() + limit;
  while (!failed() && now() < end) {
    if (done()) return true;
    RunFor(step);
  }
  return !failed() && done();
}

SimNode* World::PickServing(Random& random) {
  std::vector<SimNode*> serving;
  for (auto& node : nodes_) {
    if (node->serving()) serving.push_back(node.get());
  }
  return serving.empty() ? nullptr : random.Pick(serving);
}

std::vector<SimNode*> World::UpNodes() {
  std::vector<SimNode*> up;
  for (auto& node : nodes_) {
    if (node->up()) up.push_back(node.get());
  }
  return up;
}

void World::Partition(uint64_t left) {
  for (int a = 0; a < size(); ++a) {
    for (int b = 0; b < size(); ++b) {
      if (((left >> a) & 1) != ((left >> b) & 1)) {
        network_.Block(node(a).address(), node(b).address());
      }
    }
  }
}

void World::Heal() { network_.UnblockAll(); }

bool World::Formed() {
  std::optional<uint64_t> id;
  for (SimNode* node : UpNodes()) {
    const auto record = node->replicator().cluster();
    if (!record) return false;
    if (id && *id != record->id) return false;
    id = record->id;
  }
  return id.has_value();
}

void World::Fail(const std::string& invariant, const std::string& text) {
  if (violation_) return;
  trace_.Add("-", "VIOLATION", invariant + ": " + text);
  violation_ = Violation{invariant, text};
}

void World::OnAppend(SimNode& node, const Engine::LogRecord& record) {
  trace_.Mix(record.upto.value);
  const NodeId id = NodeId::FromName(node.name());
  streams_.OnAppend(node.name(), id, record);
  // With another setting a voter that has lost something asks the others, also for that.
  const bool always = node.setup().appendfsync == AppendFsync::kAlways;
  if (always && record.origin.node == id) lease_.OnWritten(record);
}

void World::OnSend(SimNode& node, const SendEffect& send) { streams_.OnSend(node, send); }

void World::OnEvent(SimNode& node, const EventEffect& event) {
  trace_.Add(node.name(), NameOf(event.kind), event.member + " " + event.detail);
  if (event.kind == EventEffect::Kind::kClusterJoined) ledger_.Returned(node.store().origin());
  if (event.kind == EventEffect::Kind::kMemberForgotten) OnForgotten(node, event.member);
}

void World::OnForgotten(SimNode& node, const std::string& member) {
  MemberList list(node.store().keyspace());
  list.Refresh(node.replicator().cluster());
  const auto end = list.ends().find(member);
  if (end == list.ends().end()) return;
  ledger_.Forgotten(NodeId::FromName(member), end->second);
  NoticeLosses();
}

void World::NoticeLosses() {
  const std::vector<VersionVector> kept = KeptVectors();
  ledger_.Lost(kept);
  leased_.OnLost(kept);
}

std::vector<VersionVector> World::KeptVectors() const {
  std::set<std::string> outside;
  std::vector<VersionVector> counted;
  for (const auto& each : nodes_) {
    counted.push_back(each->held());
    if (!each->up() || !each->replicator().cluster()) continue;
    MemberList list(each->store().keyspace());
    list.Refresh(each->replicator().cluster());
    counted.back() = list.Visible(each->held());
    for (const auto& other : nodes_) {
      if (list.EndOf(other->name()) != nullptr) outside.insert(other->name());
    }
  }
  std::vector<VersionVector> kept;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const std::string& name = nodes_[i]->name();
    VersionVector& vector = kept.emplace_back();
    if (!outside.contains(name)) vector = counted[i];
    const VersionVector held = nodes_[i]->held();
    for (const VersionVector::Entry& entry : held.entries()) {
      if (entry.origin.node == NodeId::FromName(name)) vector.Raise(entry.origin, entry.upto);
    }
  }
  return kept;
}

void World::OnMajority(SimNode& node, const MajorityEffect& majority) {
  trace_.Add(node.name(), "majority", std::to_string(majority.upto.value));
  lease_.OnMajority(*this, node.store().origin(), majority.epoch, majority.upto);
}

void World::OnWaited(SimNode& node, const ClientWait& wait) { waits_.OnWaited(*this, node, wait); }

/// It may have lost that somebody who was forgotten had returned.
void World::OnStarted(SimNode& node) {
  if (have_lost_.erase(node.index()) != 0) NoticeLosses();
}

void World::OnCrashed(SimNode& node, bool lossy) {
  if (!lossy) return;
  have_lost_.insert(node.index());
  const std::vector<std::string>& voters = lease_.voters();
  std::vector<VersionVector> held;
  std::vector<VersionVector> sound;
  for (const auto& each : nodes_) {
    held.push_back(each->held());
    const bool votes = std::find(voters.begin(), voters.end(), each->name()) != voters.end();
    if (votes) sound.push_back(held.back());
  }
  lease_.OnLost(held, sound, voters_change_);
  NoticeLosses();
}

void World::OnViolation(const std::string& invariant, const std::string& text) {
  Fail(invariant, text);
}

}  // namespace starling::sim
