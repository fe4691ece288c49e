#include "tests/replication/test_cluster.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <cstdlib>

namespace starling {
namespace {

constexpr size_t kLinesKept = 100;

}  // namespace

// --- nodes ---

TestNode::TestNode(TestCluster& cluster, std::string name)
    : cluster_(cluster),
      name_(std::move(name)),
      lines_(std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(kLinesKept)),
      log_(std::make_shared<spdlog::logger>(name_, lines_)),
      disk_(std::make_unique<MemoryDisk>(NodeId::FromName(name_).value)) {
  if (std::getenv("STARLING_TEST_LOG") != nullptr) {
    log_->sinks().push_back(std::make_shared<spdlog::sinks::stdout_sink_mt>());
  }
  options_.advertise = address();
  store_options_.name = name_;
  store_options_.keyspace.shards = 2;
  store_options_.boot_id = "boot";
  store_options_.folder_identity = name_;
}

TestNode::~TestNode() = default;

void TestNode::SetClockAhead(std::chrono::milliseconds ahead) { time_.StepWall(ahead); }

void TestNode::LoseDisk() {
  disk_ = std::make_unique<MemoryDisk>(NodeId::FromName(name_).value + lives_ + 7);
}

std::shared_ptr<MemoryDisk> TestNode::CopyDisk() { return disk_->Copy(++lives_); }

void TestNode::Start() {
  auto engine = disk_->Open();
  ASSERT_TRUE(engine.ok()) << engine.error().message;
  auto store = Store::Open(store_options_, *std::move(engine), time_, log_);
  ASSERT_TRUE(store.ok()) << store.error().message;
  store_ = *std::move(store);
  store_->journal().SetSink([this](const BatchHeader& header, SharedBytes bytes) {
    batches_.emplace_back(header, std::move(bytes));
  });
  options_.random_seed = NodeId::FromName(name_).value + ++lives_;
  replicator_ = std::make_unique<Replicator>(options_, *store_, log_);
  Run([](Replicator& replicator, Instant now, Effects& out) { replicator.Start(now, out); });
  if (meets_in_ != nullptr) Meet();
}

void TestNode::Meet() {
  auto& record = cluster_.folder_record_;
  if (!record) record = ClusterRecord{77, {name_}, {}};
  std::vector<Address> others;
  for (const auto& node : cluster_.nodes_) {
    if (node.get() != this) others.push_back(node->address());
  }
  folder_ = std::make_unique<FolderProcess>(*meets_in_, [] { return false; });
  Run([&](Replicator& replicator, Instant now, Effects& out) {
    replicator.OnMeetingFolder(others, record, now, out);
    replicator.UseEpochFolder(*folder_, record->id, store_options_.boot_id, now, out);
  });
}

void TestNode::Kill() {
  disk_->Crash(CrashKind::kKill);
  replicator_.reset();
  folder_.reset();
  store_.reset();
  batches_.clear();
  lease_ = {};
  cluster_.DropLinksOf(*this, /*tell=*/true);
}

bool TestNode::Saw(EventEffect::Kind kind, const std::string& member) const {
  return std::any_of(events_.begin(), events_.end(), [&](const EventEffect& event) {
    return event.kind == kind && event.member == member;
  });
}

size_t TestNode::Logged(const std::string& text) const {
  const std::vector<std::string> lines = lines_->last_formatted();
  return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.find(text) != std::string::npos;
  }));
}

void TestNode::Run(const std::function<void(Replicator&, Instant, Effects&)>& input) {
  if (!up()) return;
  Effects effects;
  input(*replicator_, cluster_.now(), effects);
  Carry(std::move(effects));
  HandOn();
}

void TestNode::HandOn() {
  while (!batches_.empty() && up()) {
    auto [header, bytes] = std::move(batches_.front());
    batches_.pop_front();
    Effects effects;
    replicator_->OnLocalBatch(header, bytes, cluster_.now(), effects);
    Carry(std::move(effects));
  }
}

void TestNode::Carry(Effects effects) {
  for (Effect& effect : effects) {
    if (auto* send = std::get_if<SendEffect>(&effect)) {
      cluster_.Send(*this, send->link, send->lane, std::move(send->frame));
    } else if (auto* dial = std::get_if<DialEffect>(&effect)) {
      cluster_.Dial(*this, dial->address);
    } else if (auto* close = std::get_if<CloseEffect>(&effect)) {
      closes_.push_back(close->reason);
      cluster_.Close(*this, close->link);
    } else if (const auto* event = std::get_if<EventEffect>(&effect)) {
      events_.push_back(*event);
    } else if (const auto* majority = std::get_if<MajorityEffect>(&effect)) {
      majority_ = *majority;
    } else if (const auto* lease = std::get_if<LeaseEffect>(&effect)) {
      lease_ = lease->view;
    }
  }
}

void TestNode::Set(const std::string& key, const std::string& value) {
  const KeyRef ref = store_->keyspace().Ref(0, key);
  store_->keyspace().Lock(ref).SetString(ref, value);
  ASSERT_TRUE(store_->journal().Commit().ok());
  HandOn();
}

void TestNode::Incr(const std::string& key, int64_t by) {
  const KeyRef ref = store_->keyspace().Ref(0, key);
  ASSERT_TRUE(store_->keyspace().Lock(ref).Increment(ref, by).ok());
  ASSERT_TRUE(store_->journal().Commit().ok());
  HandOn();
}

void TestNode::Del(const std::string& key) {
  const KeyRef ref = store_->keyspace().Ref(0, key);
  store_->keyspace().Lock(ref).Delete(ref);
  ASSERT_TRUE(store_->journal().Commit().ok());
  HandOn();
}

std::string TestNode::Get(const std::string& key) {
  const KeyRef ref = store_->keyspace().Ref(0, key);
  Access access = store_->keyspace().Lock(ref);
  const auto view = access.Find(ref);
  if (!view) return "";
  std::string buffer;
  return std::string(view->Text(buffer));
}

MemberState TestNode::StateOf(const std::string& member) {
  for (const MemberInfo& info : replicator_->members()) {
    if (info.name == member) return info.state;
  }
  return MemberState::kForgotten;
}

void TestNode::Maintain() {
  if (!up()) return;
  store_->Maintain(replicator_->stability());
  HandOn();
}

// --- network ---

TestCluster::TestCluster() = default;
TestCluster::~TestCluster() = default;

TestNode& TestCluster::Add(const std::string& name) {
  nodes_.push_back(std::make_unique<TestNode>(*this, name));
  nodes_.back()->time_.Advance(std::chrono::duration_cast<std::chrono::milliseconds>(now_));
  return *nodes_.back();
}

std::vector<TestNode*> TestCluster::StartSeeded(const std::vector<std::string>& names,
                                                const std::vector<std::string>& voters) {
  std::vector<TestNode*> nodes;
  for (const std::string& name : names) nodes.push_back(&Add(name));
  for (TestNode* node : nodes) {
    for (TestNode* other : nodes) node->options().seeds.push_back(other->address());
    node->options().expect = static_cast<int>(names.size());
    node->options().voters = voters;
    node->Start();
  }
  return nodes;
}

std::vector<TestNode*> TestCluster::StartInFolder(const std::vector<std::string>& names) {
  std::vector<TestNode*> nodes;
  for (const std::string& name : names) nodes.push_back(&Add(name));
  for (TestNode* node : nodes) {
    node->MeetIn(folder_);
    node->Start();
  }
  return nodes;
}

bool TestCluster::Blocked(const TestNode& a, const TestNode& b) const {
  return cut_.contains({a.name(), b.name()}) || silent_.contains(a.name()) ||
         silent_.contains(b.name());
}

void TestCluster::Dial(TestNode& from, const Address& address) {
  TestNode* to = nullptr;
  for (const auto& node : nodes_) {
    if (node->address() == address) to = node.get();
  }
  if (to == nullptr || !to->up() || Blocked(from, *to)) {
    const bool refused = to != nullptr && !to->up() && !Blocked(from, *to);
    later_.push_back([&from, address, refused] {
      from.Run([&](Replicator& replicator, Instant now, Effects& out) {
        replicator.OnDialFailed(address, refused, now, out);
      });
    });
    return;
  }
  auto link = std::make_shared<Link>();
  link->ends[0] = &from;
  link->ends[1] = to;
  for (LinkId& id : link->ids) links_[id = ++next_link_] = link;
  later_.push_back([link, address] {
    for (int end = 0; end < 2; ++end) {
      link->ends[end]->Run([&](Replicator& replicator, Instant now, Effects& out) {
        replicator.OnConnected(link->ids[end], end == 0 ? address : Address(), now, out);
      });
    }
  });
}

void TestCluster::Send(TestNode& from, LinkId id, SendEffect::Lane lane, SharedBytes frame) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  Link& link = *found->second;
  const int receiver = link.ends[0] == &from ? 1 : 0;
  if (Blocked(*link.ends[0], *link.ends[1])) return;
  link.frames[receiver][lane == SendEffect::Lane::kBulk ? 1 : 0].push_back(std::move(frame));
}

void TestCluster::Close(TestNode& from, LinkId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const std::shared_ptr<Link> link = found->second;
  const int other = link->ends[0] == &from ? 1 : 0;
  links_.erase(link->ids[1 - other]);
  // What was sent before still arrives.
  later_.push_back([this, link, other] {
    while (!link->frames[other][0].empty()) {
      const SharedBytes frame = link->frames[other][0].front();
      link->frames[other][0].pop_front();
      link->ends[other]->Run([&](Replicator& replicator, Instant now, Effects& out) {
        replicator.OnFrame(link->ids[other], *frame, now, out);
      });
    }
    if (links_.erase(link->ids[other]) == 0) return;
    link->ends[other]->Run([&](Replicator& replicator, Instant now, Effects& out) {
      replicator.OnDisconnected(link->ids[other], now, out);
    });
  });
}

void TestCluster::DropLinksOf(TestNode& node, bool tell) {
  std::vector<std::pair<std::shared_ptr<Link>, int>> dropped;
  for (const auto& [id, link] : links_) {
    for (int end = 0; end < 2; ++end) {
      if (link->ends[end] == &node && link->ids[1 - end] == id) dropped.emplace_back(link, 1 - end);
    }
  }
  for (const auto& [link, other] : dropped) {
    links_.erase(link->ids[0]);
    links_.erase(link->ids[1]);
    if (!tell) continue;
    later_.push_back([link = link, other = other] {
      link->ends[other]->Run([&](Replicator& replicator, Instant now, Effects& out) {
        replicator.OnDisconnected(link->ids[other], now, out);
      });
    });
  }
}

void TestCluster::Cut(TestNode& a, TestNode& b, bool silently) {
  cut_.insert({a.name(), b.name()});
  cut_.insert({b.name(), a.name()});
  if (silently) return;
  std::vector<std::shared_ptr<Link>> dropped;
  for (const auto& [id, link] : links_) {
    const bool between = (link->ends[0] == &a && link->ends[1] == &b) ||
                         (link->ends[0] == &b && link->ends[1] == &a);
    if (between && id == link->ids[0]) dropped.push_back(link);
  }
  for (const auto& link : dropped) {
    for (int end = 0; end < 2; ++end) {
      links_.erase(link->ids[end]);
      link->ends[end]->Run([&](Replicator& replicator, Instant now, Effects& out) {
        replicator.OnDisconnected(link->ids[end], now, out);
      });
    }
  }
}

void TestCluster::Heal() {
  cut_.clear();
  silent_.clear();
}

void TestCluster::Silence(TestNode& node) { silent_.insert(node.name()); }

bool TestCluster::DeliverOne() {
  if (!later_.empty()) {
    auto next = std::move(later_.front());
    later_.pop_front();
    next();
    return true;
  }
  for (int lane = 0; lane < 2; ++lane) {
    for (const auto& [id, link] : links_) {
      const int end = link->ids[0] == id ? 0 : 1;
      if (link->frames[end][lane].empty() || link->ends[end]->stands_still_) continue;
      const SharedBytes frame = link->frames[end][lane].front();
      link->frames[end][lane].pop_front();
      link->ends[end]->Run([id = id, &frame](Replicator& replicator, Instant now, Effects& out) {
        replicator.OnFrame(id, *frame, now, out);
      });
      return true;
    }
  }
  return false;
}

void TestCluster::Settle() {
  for (int i = 0; i < 100'000; ++i) {
    if (!DeliverOne()) return;
  }
  FAIL() << "the network does not come to rest";
}

void TestCluster::Run(std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds kStep{10};
  for (std::chrono::milliseconds passed{0}; passed < time; passed += kStep) {
    Settle();
    now_ += kStep;
    for (const auto& node : nodes_) {
      node->time_.Advance(kStep);
      if (node->stands_still_) continue;
      node->Run([](Replicator& replicator, Instant now, Effects& out) {
        if (replicator.NextTimer() <= now) replicator.OnTick(now, out);
      });
    }
  }
  Settle();
}

bool TestCluster::RunUntil(const std::function<bool()>& done, std::chrono::milliseconds time) {
  for (std::chrono::milliseconds passed{0}; passed < time;
       passed += std::chrono::milliseconds(10)) {
    if (done()) return true;
    Run(std::chrono::milliseconds(10));
  }
  return done();
}

}  // namespace starling
