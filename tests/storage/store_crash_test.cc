// A node taken down between any two calls of its disk comes back with all that it acknowledged
// (I10).
#include <gtest/gtest.h>

#include "storage/held_shards.h"
#include "storage/records.h"
#include "storage/speculation.h"
#include "tests/storage/one_store.h"
#include "tests/support/seeds.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// What one key may hold: every value it had since the last one that was acknowledged.
class Ledger {
 public:
  void Write(const std::string& key, std::optional<std::string> value) {
    auto& history = histories_[key];
    if (history.empty()) history.push_back(std::nullopt);
    history.push_back(std::move(value));
  }
  /// All that was written so far has been acknowledged.
  void Acknowledge() {
    for (auto& [key, history] : histories_) {
      history.erase(history.begin(), std::prev(history.end()));
    }
  }
  void ExpectHeldBy(OneStore& node, const std::string& when) {
    for (const auto& [key, history] : histories_) {
      const std::optional<std::string> value = Value(node, key);
      EXPECT_TRUE(std::find(history.begin(), history.end(), value) != history.end())
          << when << ": " << key << " is " << value.value_or("missing").substr(0, 40)
          << ", acknowledged was " << history.front().value_or("missing").substr(0, 40);
    }
  }

 private:
  static std::optional<std::string> Value(OneStore& node, const std::string& key) {
    if (!key.starts_with("s")) return node.Get(key);
    std::string members;
    for (const std::string& member : node.Members(key)) members += member + " ";
    return members.empty() ? std::nullopt : std::optional(members);
  }

  std::map<std::string, std::vector<std::optional<std::string>>> histories_;
};

/// One life: writes, commits, checkpoints, frees, and takes batches and walks from a peer, until
/// the disk crashes. The same script each time.
class Life {
 public:
  Life(OneStore& node, OneStore& peer, Ledger& ledger)
      : node_(node), peer_(peer), ledger_(ledger) {}

  /// False: it ended by a crash.
  bool Run() {
    for (int step = 0; step < 12; ++step) {
      Write(step);
      if (!Acknowledge() || !WriteByRecord(step)) return false;
      TakeFromPeer(step);
      if (node_.disk->crashed()) return false;
      if (step % 3 == 1) node_.store->Maintain(node_.AllStable());
      if (step % 4 == 2) (void)node_.store->Checkpoint();
      if (node_.disk->crashed()) return false;
    }
    return true;
  }

 private:
  void Write(int step) {
    const std::string text = std::to_string(step);
    node_.Set("k", text);
    ledger_.Write("k", text);
    node_.Increment("c", 2);
    ledger_.Write("c", std::to_string(counter_ += 2));
    node_.Set("d" + text, std::string(1500, 'd'));
    ledger_.Write("d" + text, std::string(1500, 'd'));
    if (step >= 2) {
      node_.Delete("d" + std::to_string(step - 2));
      ledger_.Write("d" + std::to_string(step - 2), std::nullopt);
    }
    node_.Remove("s", last_member_);
    ledger_.Write("s", std::nullopt);
    node_.Add("s", last_member_ = "m" + text);
    // Removed and added by two items: a crash may leave either.
    ledger_.Write("s", last_member_ + " ");
    if (step == 6) {
      node_.Delete("s");
      ledger_.Write("s", std::nullopt);
    }
  }

  /// Writes a record and decides it, each acknowledged by itself. False: a crash.
  bool WriteByRecord(int step) {
    const std::string text = std::to_string(step);
    const KeyRef lock = node_.Ref("lock");
    const bool locked = node_.Get("lock").has_value();
    RecordId id;
    {
      const HeldShards held(node_.store->keyspace());
      Speculation speculation(node_.store->keyspace());
      node_.Set("r", text);
      node_.Increment("rc", 3);
      if (locked) {
        node_.Delete("lock");
      } else {
        node_.Lock("lock").Claim(lock, text, 60'000);
      }
      id = node_.store->keyspace().records().Write(1, speculation.TakeItems()).value().id;
    }
    if (!Acknowledge()) return false;
    if (step % 4 == 1) (void)node_.store->Checkpoint();
    if (node_.disk->crashed()) return false;
    const bool commit = step % 3 != 2;
    node_.store->keyspace().records().Decide({&id, 1}, commit);
    if (commit) {
      ledger_.Write("r", text);
      ledger_.Write("rc", std::to_string(recorded_ += 3));
      ledger_.Write("lock", locked ? std::nullopt : std::optional(text));
    }
    if (!Acknowledge()) return false;
    node_.store->keyspace().records().Remove(
        node_.store->keyspace().records().Removable(node_.AllStable()));
    return Acknowledge();
  }

  bool Acknowledge() {
    const Status status = node_.store->journal().Commit();
    if (!status || node_.disk->crashed()) return false;
    ledger_.Acknowledge();
    return true;
  }

  void TakeFromPeer(int step) {
    const std::string key = "p" + std::to_string(step);
    peer_.Set(key, "from the peer");
    ASSERT_TRUE(peer_.store->journal().Commit());
    ledger_.Write(key, std::nullopt);
    ledger_.Write(key, "from the peer");
    bool taken = false;
    if (step % 3 == 0) {
      const bool whole = step == 9;
      const VersionVector held = whole ? VersionVector() : node_.store->vector();
      taken = node_.store->ApplyWalk(OneStore::WalkOf(*peer_.store, held), whole).ok();
    } else {
      const SharedBytes batch =
          peer_.disk->FindLog(peer_.store->origin(), peer_.store->journal().upto());
      taken = node_.Apply(batch).ok();
    }
    if (taken && !node_.disk->crashed()) ledger_.Acknowledge();
  }

  OneStore& node_;
  OneStore& peer_;
  Ledger& ledger_;
  int64_t counter_ = 0;
  int64_t recorded_ = 0;
  std::string last_member_ = "none";
};

struct CrashCase {
  CrashKind kind;
  bool after;
};

class CrashAnywhere : public testing::TestWithParam<CrashCase> {};

TEST_P(CrashAnywhere, LeavesAllThatWasAcknowledged) {
  const CrashCase crash = GetParam();
  for (uint64_t calls = 1; calls < 500; ++calls) {
    OneStore node("a", calls);
    OneStore peer("peer", 1);
    if (crash.kind == CrashKind::kPowerLoss) node.options.appendfsync = AppendFsync::kAlways;
    ASSERT_TRUE(node.Open());
    ASSERT_TRUE(peer.Open());
    node.disk->CrashAt(calls, crash.kind, crash.after);
    Ledger ledger;
    const bool ended = Life(node, peer, ledger).Run();
    const std::string when = "crash at call " + std::to_string(calls);
    ASSERT_TRUE(node.Open()) << when;
    ledger.ExpectHeldBy(node, when);
    // What was recovered is what a checkpoint and a second start give.
    const auto held = node.Walk();
    ASSERT_TRUE(node.Open());
    ASSERT_EQ(node.Walk(), held) << when;
    ASSERT_TRUE(node.store->Checkpoint());
    ASSERT_TRUE(node.Open());
    ASSERT_EQ(node.Walk(), held) << when;
    if (ended) {
      EXPECT_GT(calls, 40u);  // the script did reach the disk
      return;
    }
  }
  FAIL() << "the script never ran to its end";
}

TEST_P(CrashAnywhere, InARecoveryLeavesAllForTheNext) {
  const CrashCase crash = GetParam();
  OneStore node("a", 3);
  OneStore peer("peer", 1);
  node.options.appendfsync = AppendFsync::kAlways;
  ASSERT_TRUE(node.Open());
  ASSERT_TRUE(peer.Open());
  Ledger ledger;
  ASSERT_TRUE(Life(node, peer, ledger).Run());
  const auto held = node.Walk();
  for (uint64_t calls = 1; calls < 8; ++calls) {
    node.Kill(crash.kind);
    node.options.folder_identity = "folder " + std::to_string(calls);  // the incarnation rises
    Result<std::unique_ptr<Engine>> engine = node.disk->Open();
    ASSERT_TRUE(engine);
    node.disk->CrashAt(calls, crash.kind, crash.after);
    (void)node.Open(std::move(*engine));
    ASSERT_TRUE(node.Open());
    EXPECT_EQ(node.Walk(), held);
    ledger.ExpectHeldBy(node, "recovery");
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CrashAnywhere,
                         testing::Values(CrashCase{CrashKind::kKill, false},
                                         CrashCase{CrashKind::kKill, true},
                                         CrashCase{CrashKind::kPowerLoss, false},
                                         CrashCase{CrashKind::kPowerLoss, true}),
                         [](const auto& tested) {
                           return std::string(tested.param.kind == CrashKind::kKill ? "Kill"
                                                                                    : "PowerLoss") +
                                  (tested.param.after ? "After" : "Before");
                         });

/// Random lives with freeing, expiry and flushes; whatever was seen before a kill is seen after it.
class RandomLives : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomLives, ShowTheSameAfterEveryKill) {
  std::mt19937_64 random(GetParam());
  OneStore node("a", GetParam());
  OneNode peer(7);
  ASSERT_TRUE(node.Open());
  const auto seen = [&] {
    std::map<std::string, std::string> lines;
    uint64_t cursor = 0;
    std::set<std::string> keys;
    do {
      cursor = node.store->keyspace().Scan(
          0, cursor, 10, [&](std::string_view key, const KeyView&) { keys.emplace(key); });
    } while (cursor != 0);
    for (const std::string& key : keys) {
      const std::string text = node.Get(key).value_or("(set)");
      lines[key] = text.substr(0, 10) + " of " + std::to_string(text.size());
      for (const std::string& member : node.Members(key)) lines[key] += " " + member;
    }
    return lines;
  };
  for (int life = 0; life < 12; ++life) {
    for (int i = 0; i < 120; ++i) {
      const std::string key = "k" + std::to_string(random() % 12);
      const std::string member = "m" + std::to_string(random() % 30);
      switch (random() % 14) {
        case 0:
          node.Set(key, std::string(random() % 3 * 1000, 'v'));
          break;
        case 1:
        case 2:
          node.Delete(key);
          break;
        case 3:
          (void)node.Lock(key).Increment(node.Ref(key), 1);
          break;
        case 4:
          node.Remove(key, member);
          break;
        case 5:
          node.Lock(key).SetDeadline(node.Ref(key), node.store->keyspace().NowMillis() + 50);
          break;
        case 6:
          node.time.Advance(20ms);
          break;
        case 7:
          // The peer's stream has passed what it has flushed, and no more.
          node.store->Maintain(random() % 2
                                   ? Keyspace::Stability{node.store->vector(), peer.flushed}
                                   : Keyspace::Stability{});
          break;
        case 8:
          if (random() % 4 == 0) {
            ASSERT_TRUE(node.store->Checkpoint());
          }
          break;
        case 9:
          if (random() % 20 == 0) node.store->keyspace().FlushDatabase(0);
          break;
        case 10:
          peer.clock.Observe(Stamp{node.store->clock().last().value - random() % 100'000});
          if (random() % 2) peer.Set(key, "peer");
          if (random() % 2) peer.Add(key, member);
          if (random() % 2) peer.Delete(key);
          if (const SharedBytes bytes = peer.Flush()) {
            ASSERT_TRUE(node.Apply(bytes));
          }
          break;
        default:
          if (!node.Get(key)) node.Add(key, member);
      }
    }
    ASSERT_TRUE(node.store->journal().Commit());
    const auto before = seen();
    ASSERT_TRUE(node.Open());
    EXPECT_EQ(seen(), before) << "life " << life;
    EXPECT_GE(node.store->keyspace().Size(0), before.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomLives, test::Seeds(20));

}  // namespace
}  // namespace starling
