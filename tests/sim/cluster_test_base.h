/// What scripted tests of whole clusters stand on: a world of named nodes, and what one does there.
///
/// Not thread-safe.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/dump.h"
#include "tests/sim/world.h"

namespace starling::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClusterTest : public ::testing::Test {
 protected:
  /// A formed cluster of `nodes`, named A, B, ...
  void Form(int nodes, AppendFsync appendfsync = AppendFsync::kEverySecond) {
    WorldOptions options;
    options.seed = 7;
    options.nodes = nodes;
    options.appendfsync = appendfsync;
    Form(options);
  }
  void Form(const WorldOptions& options) {
    world_ = std::make_unique<World>(options);
    world_->StartAll();
    ASSERT_TRUE(world_->RunUntil([&] { return world_->Formed(); }, seconds(30)));
  }
  World& world() { return *world_; }
  SimNode& node(int index) { return world_->node(index); }

  using Work = std::function<void(Access&, const KeyRef&)>;
  /// Does `work` on the key and commits at once.
  void Do(SimNode& at, const std::string& name, const Work& work) {
    at.Write(
        [&](Store& store, OperationId) {
          const KeyRef key = store.keyspace().Ref(0, name);
          Access access = store.keyspace().Lock(key);
          work(access, key);
        },
        Duration::zero());
  }
  void Set(SimNode& at, const std::string& name, const std::string& value) {
    Do(at, name, [&](Access& access, const KeyRef& key) { access.SetString(key, value); });
  }
  void Increment(SimNode& at, const std::string& name) {
    Do(at, name,
       [&](Access& access, const KeyRef& key) { ASSERT_TRUE(access.Increment(key, 1).ok()); });
  }
  void Delete(SimNode& at, const std::string& name) {
    Do(at, name, [&](Access& access, const KeyRef& key) { EXPECT_TRUE(access.Delete(key)); });
  }
  static std::optional<std::string> Get(SimNode& at, const std::string& name) {
    return ReadString(at.store().keyspace(), at.store().keyspace().Ref(0, name));
  }
  static std::string Shown(SimNode& at, const std::string& name) {
    return Get(at, name).value_or("(absent)");
  }

  /// Runs until the nodes in `indexes` show the same and none keeps a tombstone it need not.
  bool Agreed(const std::vector<int>& indexes, Duration limit = seconds(30)) {
    return world_->RunUntil(
        [&] {
          const std::string first = VisibleDump(node(indexes[0]).store().keyspace());
          for (const int index : indexes) {
            if (VisibleDump(node(index).store().keyspace()) != first) return false;
          }
          return true;
        },
        limit, milliseconds(100));
  }
  /// Agreed, and still after what is under way has arrived and some rounds have passed.
  bool Settled(const std::vector<int>& indexes, Duration limit = seconds(30)) {
    if (!Agreed(indexes, limit)) return false;
    world_->RunFor(seconds(10));
    return Agreed(indexes, Duration::zero());
  }
  /// Opens or blocks both directions between two nodes.
  void Cut(SimNode& a, SimNode& b) {
    world_->network().Block(a.address(), b.address());
    world_->network().Block(b.address(), a.address());
  }
  void Join(SimNode& a, SimNode& b) {
    world_->network().Unblock(a.address(), b.address());
    world_->network().Unblock(b.address(), a.address());
  }
  static size_t Tombstones(SimNode& at) { return at.store().keyspace().tombstones(); }
  bool Freed(const std::vector<int>& indexes, Duration limit = seconds(30)) {
    return world_->RunUntil(
        [&] {
          for (const int index : indexes) {
            if (node(index).store().keyspace().tombstones() > 0) return false;
          }
          return true;
        },
        limit, milliseconds(100));
  }
  /// Who leads with a majority behind it, within a while.
  SimNode* WaitLeader() {
    SimNode* leader = nullptr;
    world_->RunUntil(
        [&] {
          leader = nullptr;
          for (SimNode* each : world_->UpNodes()) {
            const LeaseView view = each->replicator().lease_view(each->now());
            if (view.leading && view.majority_begun) leader = each;
          }
          return leader != nullptr;
        },
        seconds(30));
    return leader;
  }
  /// At the leaseholder; who votes is taken out of the voters before.
  Status Forget(const std::vector<std::string>& names) {
    for (const std::string& name : names) TakeOutOfVoters(name);
    Status status = Error{Code::kUnavailable, "nobody leads"};
    SimNode* leader = WaitLeader();
    if (leader == nullptr) return status;
    leader->Input([&](Replicator& replicator, Instant now, Effects& effects) {
      status = replicator.Forget(names, now, effects);
    });
    return status;
  }
  void TakeOutOfVoters(const std::string& name) {
    SimNode* leader = WaitLeader();
    ASSERT_NE(leader, nullptr);
    const auto votes = [&] {
      const LeaseInfo lease = leader->replicator().lease(leader->now());
      return std::count(lease.voters.begin(), lease.voters.end(), name) > 0 || !lease.voters_held;
    };
    if (!votes()) return;
    leader->Input([&](Replicator& replicator, Instant now, Effects& effects) {
      const auto changed =
          replicator.ChangeVoters({VoterRequest::Kind::kRemove, {name}}, now, effects);
      ASSERT_TRUE(changed.ok()) << changed.error().message;
    });
    world_->VotersChange();
    ASSERT_TRUE(world_->RunUntil([&] { return !votes(); }, seconds(30))) << name;
  }
  static bool IsMember(SimNode& at, const std::string& name) {
    for (const MemberInfo& member : at.replicator().members()) {
      if (member.name == name) return member.state != MemberState::kForgotten;
    }
    return false;
  }
  bool WaitForgotten(SimNode& at, const std::string& name) {
    return world_->RunUntil([&] { return !IsMember(at, name); }, seconds(30));
  }
  bool WaitDown(SimNode& at, const std::string& name) {
    return world_->RunUntil(
        [&] {
          for (const MemberInfo& member : at.replicator().members()) {
            if (member.name == name && member.state == MemberState::kDead) return true;
          }
          return false;
        },
        seconds(60));
  }

  void TearDown() override {
    if (world_ == nullptr || !world_->failed()) return;
    FAIL() << world_->violation()->invariant << ": " << world_->violation()->text;
  }

 private:
  std::unique_ptr<World> world_;
};

}  // namespace starling::sim
