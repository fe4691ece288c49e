/// What clients read whose claims wait for their majority: where none acknowledges, since the
/// meeting folder takes nothing more, as on a full disk; and where the leaseholder begins another
/// epoch meanwhile, since the folder has kept enough of this one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "replication/limits.h"
#include "tests/server/test_daemon.h"
#include "tests/support/eventually.h"
#include "tests/support/stall_watch.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

constexpr const char* kLate = "-UNKNOWN No majority of the voters has acknowledged in time";
constexpr const char* kNoMajority = "-NOQUORUM No majority of the voters";

/// As long as it lives this process writes no file beyond `size` bytes.
class NoRoomBeyond {
 public:
  explicit NoRoomBeyond(rlim_t size) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit limit{size, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~NoRoomBeyond() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

class MajorityWaitTest : public testing::Test {
 protected:
  MajorityWaitTest() {
    TestClient client = daemon_.Connect();
    EXPECT_TRUE(Eventually([&] { return client.Ask({"SETNX", "probe", "x"})[0] == ':'; }));
  }

  Settings InFolder() const {
    Settings settings = TestDaemon::Defaults();
    settings.meeting_folder = folder_.path();
    return settings;
  }
  /// Of the epoch that the daemon leads.
  rlim_t EpochBytes() const {
    rlim_t bytes = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (file.path().filename().string().starts_with("epoch-")) bytes = file.file_size();
    }
    return bytes;
  }

  /// Whether the lease may have lapsed, since the machine stood still: clients are told that, then.
  bool MayHaveLapsed() const { return stalls_.Longest() > limits::kLease / 2; }

  const StallWatch stalls_;
  TempFolder folder_;
  TestDaemon daemon_{InFolder()};
};

TEST_F(MajorityWaitTest, EndsForWritersWithAnUnknownOutcomeAndForOthersWithoutAChange) {
  TestClient first = daemon_.Connect();
  TestClient second = daemon_.Connect();
  TestClient third = daemon_.Connect();
  {
    const NoRoomBeyond full(EpochBytes());
    first.Send("INCR n\r\nSETNX lock first\r\nGET lock\r\nINCR n\r\nPING\r\n");
    third.SendCommand({"EVAL", "return redis.call('SETNX', KEYS[1], 'x')", "1", "another"});
    EXPECT_EQ(first.ReceiveReply(), ":1\r\n");
    EXPECT_TRUE(Eventually([&] { return second.Ask({"DBSIZE"})[0] == ':'; }));
    second.Send("SETNX lock second\r\nPING\r\n");
    const auto replies = [](TestClient& client, int count) {
      std::vector<std::string> all;
      while (count-- > 0) all.push_back(client.ReceiveReply());
      return all;
    };
    const std::vector<std::string> of_first = replies(first, 4);
    const std::vector<std::string> of_third = replies(third, 1);
    const std::vector<std::string> of_second = replies(second, 2);
    if (MayHaveLapsed()) GTEST_SKIP() << "the machine stood still";
    // It would tell of the undecided; not run, since its order has ended.
    EXPECT_THAT(of_first, ElementsAre(StartsWith(kLate), StartsWith(kNoMajority),
                                      StartsWith(kNoMajority), "+PONG\r\n"));
    EXPECT_THAT(of_third, ElementsAre(StartsWith(kLate)));
    EXPECT_THAT(of_second, ElementsAre(StartsWith(kNoMajority), "+PONG\r\n"));
  }
  // The record was undecided, not void: with room again it is decided, for the one who wrote it.
  EXPECT_TRUE(Eventually([&] { return second.Ask({"GET", "lock"}) == "$5\r\nfirst\r\n"; }));
  EXPECT_EQ(second.Ask({"SETNX", "lock", "second"}), ":0\r\n");
  EXPECT_EQ(second.Ask({"GET", "another"}), "$1\r\nx\r\n");
  EXPECT_EQ(second.Ask({"GET", "n"}), "$1\r\n1\r\n");
}

TEST_F(MajorityWaitTest, IsThatOfWhoIsHandedALockAsOfWhoLetItGo) {
  TestClient holds = daemon_.Connect();
  TestClient waits = daemon_.Connect();
  EXPECT_EQ(holds.Ask({"STARLING", "ACQUIRE", "t1", "60000", "0", "lock"})[0], '*');
  waits.SendCommand({"STARLING", "ACQUIRE", "t2", "60000", "30000", "lock"});
  EXPECT_TRUE(AreWaiting(holds, 1));
  {
    const NoRoomBeyond full(EpochBytes());
    holds.SendCommand({"STARLING", "RELEASE", "lock", "t1"});
    const std::string released = holds.ReceiveReply();
    const std::string handed = waits.ReceiveReply();
    if (MayHaveLapsed()) GTEST_SKIP() << "the machine stood still";
    EXPECT_THAT(released, StartsWith(kLate));
    EXPECT_THAT(handed, StartsWith(kLate));
  }
  EXPECT_TRUE(Eventually([&] { return waits.Ask({"GET", "lock"}) == "$2\r\nt2\r\n"; }));
}

TEST_F(MajorityWaitTest, GoesOnInTheNextEpochOfTheSameLeaseholder) {
  Runtime& runtime = daemon_.daemon().runtime();
  const auto epoch = [&] {
    return runtime.lease().Leads(runtime.store().clock().time().Monotonic());
  };
  const uint64_t before = epoch();
  // What the folder keeps of an epoch is the whole stream: the large values fill it.
  const auto lock_again_and_again = [&](const std::string& key) {
    TestClient client = daemon_.Connect();
    const std::string large(size_t{32} << 10, 'v');
    const auto ask = [&](const std::vector<std::string>& words, const std::string& expected) {
      const std::string reply = client.Ask(words);
      if (!MayHaveLapsed()) {
        EXPECT_EQ(reply, expected);
      }
    };
    for (int64_t n = 1; epoch() < before + 2 && !HasFailure() && !MayHaveLapsed(); ++n) {
      ask({"SET", key, "x", "NX", "PX", "60000"}, "+OK\r\n");
      ask({"SET", "large:" + key, large}, "+OK\r\n");
      ask({"EVAL", "return redis.call('del', KEYS[1])", "1", key}, ":1\r\n");
      ask({"INCR", "n:" + key}, ":" + std::to_string(n) + "\r\n");
    }
  };
  std::vector<std::thread> threads;
  for (const char* key : {"one", "two"}) threads.emplace_back(lock_again_and_again, key);
  for (std::thread& thread : threads) thread.join();
  if (MayHaveLapsed()) GTEST_SKIP() << "the machine stood still";
  EXPECT_GE(epoch(), before + 2);
}

}  // namespace
}  // namespace starling
