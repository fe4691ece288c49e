#include "node/runtime.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

class RuntimeTest : public testing::Test {
 protected:
  RuntimeOptions Options(const std::string& name) const {
    RuntimeOptions options;
    options.name = name;
    options.folder = temp_ / name;
    options.meeting_folder_path = temp_ / "meet";
    return options;
  }

  static std::unique_ptr<Runtime> Start(const RuntimeOptions& options,
                                        EventListener listener = {}) {
    auto log =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
    auto runtime = Runtime::Start(options, log, std::move(listener));
    EXPECT_TRUE(runtime.ok()) << (runtime ? "" : runtime.error().message);
    return *std::move(runtime);
  }

  static void Set(Runtime& runtime, const std::string& name, const std::string& value) {
    const KeyRef key = runtime.store().keyspace().Ref(0, name);
    runtime.store().keyspace().Lock(key).SetString(key, value);
    EXPECT_TRUE(runtime.store().journal().Commit().ok());
  }

  static bool Has(Runtime& runtime, const std::string& name) {
    const KeyRef key = runtime.store().keyspace().Ref(0, name);
    return runtime.store().keyspace().Lock(key).Exists(key);
  }

  static int Alive(Runtime& runtime) {
    const auto members = runtime.Members();
    return static_cast<int>(std::count_if(members.begin(), members.end(), [](const MemberInfo& m) {
      return m.state == MemberState::kAlive;
    }));
  }

  TempFolder temp_;
};

TEST_F(RuntimeTest, CommittedWritesReachTheOtherMember) {
  const auto a = Start(Options("a"));
  const auto b = Start(Options("b"));
  ASSERT_TRUE(Eventually([&] { return Alive(*a) == 2 && Alive(*b) == 2; }));
  Set(*a, "k", "v");
  EXPECT_TRUE(Eventually([&] { return Has(*b, "k"); }));
  EXPECT_TRUE(Eventually([&] { return a->HoldersOf({a->store().vector()})[0] == 2; }));
  EXPECT_EQ(a->Cluster()->id, b->Cluster()->id);
}

TEST_F(RuntimeTest, JoinFindsMembersThatNoFolderShows) {
  RuntimeOptions options = Options("a");
  const auto a = Start(options);
  Set(*a, "k", "v");
  options = Options("b");
  options.meeting_folder = false;
  const auto b = Start(options);
  EXPECT_EQ(b->Join({"nonsense"}).error().code, Code::kInvalidArgument);
  ASSERT_TRUE(b->Join({"localhost:" + std::to_string(a->gossip_port())}).ok());
  EXPECT_TRUE(Eventually([&] { return Alive(*a) == 2 && Alive(*b) == 2; }));
  EXPECT_TRUE(Eventually([&] { return Has(*b, "k"); }));
}

TEST_F(RuntimeTest, AWrongSecretKeepsANodeOut) {
  RuntimeOptions options = Options("a");
  options.secret = "right";
  std::atomic<int> refused{0};
  const auto a = Start(options, [&](const EventEffect& event) {
    if (event.kind == EventEffect::Kind::kPeerRefused) ++refused;
  });
  Set(*a, "k", "v");
  options = Options("b");
  options.secret = "wrong";
  const auto b = Start(options);
  EXPECT_TRUE(Eventually([&] { return refused > 0; }));
  EXPECT_EQ(Alive(*a), 1);
  EXPECT_FALSE(Has(*b, "k"));
}

TEST_F(RuntimeTest, ForgetRefusesTheLivingAndTheUnknown) {
  const auto a = Start(Options("a"));
  const auto b = Start(Options("b"));
  ASSERT_TRUE(Eventually([&] { return Alive(*a) == 2; }));
  EXPECT_EQ(a->Forget({"nobody"}).error().code, Code::kNotFound);
  EXPECT_EQ(a->Forget({"a"}).error().code, Code::kRefused);
  // Until the member list has it too, it is not there to be forgotten.
  EXPECT_TRUE(Eventually([&] { return a->Forget({"b"}).error().code != Code::kNotFound; }));
  EXPECT_EQ(a->Forget({"b"}).error().code, Code::kRefused);
}

TEST_F(RuntimeTest, CheckpointsInTheBackground) {
  const auto a = Start(Options("a"));
  Set(*a, "k", "v");
  ASSERT_TRUE(a->StartCheckpoint().ok());
  EXPECT_TRUE(Eventually([&] { return !a->checkpoint_running(); }));
  EXPECT_TRUE(a->last_checkpoint().ok());
  EXPECT_GT(a->store().last_checkpoint_millis(), 0);
}

// COUNTEREXAMPLES 28: a restored folder must not go on with the stream of the one it was copied
// from.
TEST_F(RuntimeTest, ABackupOpensAsANewIncarnation) {
  Origin before;
  {
    const auto a = Start(Options("a"));
    Set(*a, "k", "v");
    before = a->store().origin();
    ASSERT_TRUE(a->Backup(temp_ / "copy").ok());
    EXPECT_FALSE(a->Backup(temp_ / "copy").ok()) << "it exists";
    Set(*a, "later", "v");
  }
  std::filesystem::remove_all(temp_ / "a");
  std::filesystem::rename(temp_ / "copy", temp_ / "a");
  RuntimeOptions options = Options("a");
  options.restored = true;
  const auto a = Start(options);
  EXPECT_TRUE(Has(*a, "k"));
  EXPECT_FALSE(Has(*a, "later"));
  EXPECT_EQ(a->store().origin().node, before.node);
  EXPECT_GT(a->store().origin().incarnation, before.incarnation);
}

TEST_F(RuntimeTest, LeaveHandsOverWhatOthersLack) {
  const auto a = Start(Options("a"));
  auto b = Start(Options("b"));
  ASSERT_TRUE(Eventually([&] { return Alive(*a) == 2 && Alive(*b) == 2; }));
  for (int i = 0; i < 5000; ++i) Set(*b, "key-" + std::to_string(i), "v");
  EXPECT_TRUE(b->Leave(std::chrono::seconds(10)).ok());
  EXPECT_TRUE(b->Close().ok());
  EXPECT_EQ(a->store().keyspace().Size(0), 5000u) << "nothing of it is still to come";
  EXPECT_TRUE(Eventually([&] { return Alive(*a) == 1; }));
}

TEST_F(RuntimeTest, ManyClientsAskAtOnce) {
  const auto a = Start(Options("a"));
  Set(*a, "k", "v");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        EXPECT_EQ(a->Members().size(), 1u);
        EXPECT_EQ(a->HoldersOf({{}, a->store().vector()}), (std::vector<int>{1, 1}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(RuntimeTest, AnIdleNodeDoesNotFlush) {
  const auto a = Start(Options("a"));
  const uint64_t before = a->flushes();
  Set(*a, "k", "v");  // committed by its writer
  for (int i = 0; i < 100; ++i) a->Members();
  EXPECT_EQ(a->flushes(), before);
}

}  // namespace
}  // namespace starling
