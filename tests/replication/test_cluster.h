/// Several replicators with stores, on one virtual clock and a network without surprises.
///
/// For tests of how the machines work together; faults in earnest are the simulator's (tests/sim).
/// Frames arrive in order per lane as soon as the network runs. Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include "replication/replicator.h"
#include "tests/support/folder_model.h"
#include "tests/support/manual_time.h"
#include "tests/support/memory_engine.h"

namespace starling {

class TestCluster;

/// One node: its disk outlives its process.
class TestNode {
 public:
  TestNode(TestCluster& cluster, std::string name);
  ~TestNode();

  /// Opens the store and starts; a second start restarts on the same disk.
  void Start();
  void Kill();
  bool up() const { return replicator_ != nullptr; }
  /// As by SIGSTOP: time passes, and what arrives waits for it to go on.
  void StandStill(bool still) { stands_still_ = still; }

  const std::string& name() const { return name_; }
  Address address() const { return name_ + ":1"; }
  Store& store() { return *store_; }
  Replicator& replicator() { return *replicator_; }
  std::vector<EventEffect>& events() { return events_; }
  bool Saw(EventEffect::Kind kind, const std::string& member) const;
  /// How many of its latest log lines hold `text`.
  size_t Logged(const std::string& text) const;
  /// What the replicator said last of the lease, and of what a majority holds.
  const LeaseView& lease() const { return lease_; }
  const MajorityEffect& majority() const { return majority_; }
  /// Why links of this node were closed.
  const std::vector<std::string>& closes() const { return closes_; }
  ReplicatorOptions& options() { return options_; }
  /// It meets the others in a shared folder, which votes: from the next start on.
  void MeetIn(FolderModel& folder) { meets_in_ = &folder; }
  StoreOptions& store_options() { return store_options_; }
  /// Ahead of the cluster's clock; set before Start.
  void SetClockAhead(std::chrono::milliseconds ahead);
  void LoseDisk();
  /// What is on disk now; and going on from such a copy at the next start.
  std::shared_ptr<MemoryDisk> CopyDisk();
  void TakeDisk(std::shared_ptr<MemoryDisk> disk) { disk_ = std::move(disk); }
  MemoryDisk& disk() { return *disk_; }

  // --- keys; each commits ---
  void Set(const std::string& key, const std::string& value);
  void Incr(const std::string& key, int64_t by = 1);
  void Del(const std::string& key);
  /// "" when missing.
  std::string Get(const std::string& key);

  void Run(const std::function<void(Replicator&, Instant, Effects&)>& input);
  MemberState StateOf(const std::string& member);
  /// Frees what is stable, as the background thread would.
  void Maintain();

 private:
  friend class TestCluster;
  void Carry(Effects effects);
  void HandOn();
  void Meet();

  TestCluster& cluster_;
  std::string name_;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> lines_;
  std::shared_ptr<spdlog::logger> log_;
  ManualTime time_;
  ReplicatorOptions options_;
  StoreOptions store_options_;
  std::shared_ptr<MemoryDisk> disk_;
  FolderModel* meets_in_ = nullptr;
  std::unique_ptr<FolderProcess> folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Replicator> replicator_;
  std::deque<std::pair<BatchHeader, SharedBytes>> batches_;
  std::vector<EventEffect> events_;
  LeaseView lease_;
  MajorityEffect majority_;
  std::vector<std::string> closes_;
  uint64_t lives_ = 0;
  bool stands_still_ = false;
};

class TestCluster {
 public:
  TestCluster();
  ~TestCluster();

  /// A node that is not started yet.
  TestNode& Add(const std::string& name);
  /// Nodes that seed each other and expect all; started.
  std::vector<TestNode*> StartSeeded(const std::vector<std::string>& names,
                                     const std::vector<std::string>& voters = {});
  /// Nodes that meet in folder(), which votes; the first creates the cluster. Started.
  std::vector<TestNode*> StartInFolder(const std::vector<std::string>& names);
  FolderModel& folder() { return folder_; }

  /// Lets time pass in steps of 10 ms.
  void Run(std::chrono::milliseconds time);
  /// Runs until `done`, at most `time`; whether it was.
  bool RunUntil(const std::function<bool()>& done,
                std::chrono::milliseconds time = std::chrono::seconds(20));

  /// Cuts two nodes: nothing passes, no dial succeeds. `silently`: links stay up.
  void Cut(TestNode& a, TestNode& b, bool silently = false);
  void Heal();
  /// A host that answers nothing, not even that nobody listens.
  void Silence(TestNode& node);

  Instant now() const { return now_; }

 private:
  friend class TestNode;
  struct Link {
    TestNode* ends[2] = {nullptr, nullptr};
    LinkId ids[2] = {0, 0};
    std::deque<SharedBytes> frames[2][2];  // by receiver, lane
  };

  void Dial(TestNode& from, const Address& address);
  void Send(TestNode& from, LinkId link, SendEffect::Lane lane, SharedBytes frame);
  void Close(TestNode& from, LinkId link);
  void DropLinksOf(TestNode& node, bool tell);
  bool Blocked(const TestNode& a, const TestNode& b) const;
  bool DeliverOne();
  void Settle();

  Instant now_ = std::chrono::seconds(100);
  FolderModel folder_;
  std::optional<ClusterRecord> folder_record_;
  std::vector<std::unique_ptr<TestNode>> nodes_;
  std::map<LinkId, std::shared_ptr<Link>> links_;  // by either end's id
  std::deque<std::function<void()>> later_;
  std::set<std::pair<std::string, std::string>> cut_;
  std::set<std::string> silent_;
  LinkId next_link_ = 0;
};

}  // namespace starling
