// What is left of an engine whose process is killed (I10), and what another process sees of it. The
// other process is this executable again, running one of the disabled tests: a fork without exec
// would lack RocksDB's threads.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "storage/engine.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

const Origin kOrigin{NodeId{1}, 1};
constexpr const char* kFolderVariable = "STARLING_TEST_FOLDER";
constexpr const char* kPipeVariable = "STARLING_TEST_PIPE";

std::string RecordOf(uint64_t upto) { return std::string(upto * 7919 % 20000, 'r'); }

/// Runs a disabled test in a process of its own; what it writes to its pipe can be read here.
class OtherProcess {
 public:
  OtherProcess(const std::string& test, const std::string& folder) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    ::setenv(kFolderVariable, folder.c_str(), 1);
    ::setenv(kPipeVariable, std::to_string(ends[1]).c_str(), 1);
    const std::string filter = "--gtest_filter=" + test;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      ::execl("/proc/self/exe", "child", filter.c_str(), "--gtest_also_run_disabled_tests",
              "--gtest_brief=1", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  ~OtherProcess() {
    if (pid_ > 0) Kill();
    ::close(from_);
  }
  /// The next number that it reports; 0 when it has ended.
  uint64_t Hear() {
    uint64_t value = 0;
    return ::read(from_, &value, sizeof value) == sizeof value ? value : 0;
  }
  void Kill() {
    ::kill(pid_, SIGKILL);
    Wait();
  }
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  int from_ = -1;
};

void Tell(uint64_t value) {
  const int pipe = std::atoi(std::getenv(kPipeVariable));
  ASSERT_EQ(::write(pipe, &value, sizeof value), static_cast<ssize_t>(sizeof value));
}

TEST(OtherProcess, DISABLED_AppendsUntilItIsKilled) {
  const auto engine = OpenRocksEngine({std::getenv(kFolderVariable)});
  ASSERT_TRUE(engine) << engine.error().message;
  uint64_t upto = 0;
  ASSERT_TRUE((*engine)->ReadLog(kOrigin, {}, [&](const Engine::LogRecord& record) {
    upto = record.upto.value;
    return true;
  }));
  while (true) {
    const std::string record = RecordOf(++upto);
    ASSERT_TRUE((*engine)->AppendLog({{kOrigin, Stamp{upto}, record}}, upto % 64 == 0));
    if (upto % 50 == 0) {
      ASSERT_TRUE((*engine)->WriteState({{"upto", std::to_string(upto)}}));
      ASSERT_TRUE((*engine)->FlushState());
    }
    Tell(upto);
  }
}

TEST(OtherProcess, DISABLED_HoldsTheFolder) {
  const auto engine = OpenRocksEngine({std::getenv(kFolderVariable)});
  ASSERT_TRUE(engine) << engine.error().message;
  Tell(static_cast<uint64_t>(::getpid()));
  ::pause();
}

TEST(OtherProcess, DISABLED_AppendsUntilTheDiskIsFull) {
  const auto engine = OpenRocksEngine({std::getenv(kFolderVariable)});
  ASSERT_TRUE(engine) << engine.error().message;
  // No file may grow beyond this: what a full disk looks like to a write.
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {1 << 20, 1 << 20};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  Status status;
  for (uint64_t upto = 1; status && upto < 1000; ++upto) {
    status = (*engine)->AppendLog({{kOrigin, Stamp{upto}, RecordOf(upto)}}, false);
    if (status) Tell(upto);
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnknownOutcome);
  EXPECT_NE(status.error().message.find(".log: File too large"), std::string::npos)
      << status.error().message;
  // It does not go on as if nothing had been, with a hole in the stream.
  EXPECT_FALSE((*engine)->AppendLog({{kOrigin, Stamp{5000}, "later"}}, false));
  EXPECT_FALSE((*engine)->PutMeta("name", "value"));
  // Nor does it end: Debian's RocksDB asserts that such a file is not synced.
  EXPECT_FALSE((*engine)->SyncLog());
  (void)(*engine)->WriteState({{"key", "value"}});
  EXPECT_FALSE((*engine)->FlushState());
}

TEST(FullDisk, FailsTheAppendByNameAndKeepsWhatWasThere) {
  TempFolder folder;
  OtherProcess child("OtherProcess.DISABLED_AppendsUntilTheDiskIsFull", folder / "data");
  uint64_t told = 0;
  while (const uint64_t next = child.Hear()) told = next;
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_GT(told, 10u);
  const auto engine = OpenRocksEngine({folder / "data"});
  ASSERT_TRUE(engine) << engine.error().message;
  uint64_t held = 0;
  ASSERT_TRUE((*engine)->ReadLog(kOrigin, {}, [&](const Engine::LogRecord& record) {
    EXPECT_EQ(record.upto.value, ++held);
    EXPECT_EQ(record.bytes, RecordOf(held));
    return true;
  }));
  EXPECT_EQ(held, told);
  // RocksDB took the torn end away when it closed the file; the caller was told that the append
  // failed.
  EXPECT_TRUE((*engine)->damage().empty());
}

TEST(KilledEngine, HoldsAllThatItsProcessWasToldIsThere) {
  TempFolder folder;
  uint64_t told = 0;
  for (int life = 0; life < 6; ++life) {
    OtherProcess child("OtherProcess.DISABLED_AppendsUntilItIsKilled", folder / "data");
    const uint64_t end = told + 200 + static_cast<uint64_t>(life) * 137;
    while (told < end) {
      const uint64_t next = child.Hear();
      ASSERT_NE(next, 0u);
      told = next;
    }
    child.Kill();
    while (const uint64_t next = child.Hear()) told = next;

    const auto engine = OpenRocksEngine({folder / "data"});
    ASSERT_TRUE(engine) << engine.error().message;
    uint64_t held = 0;
    ASSERT_TRUE((*engine)->ReadLog(kOrigin, {}, [&](const Engine::LogRecord& record) {
      EXPECT_EQ(record.upto.value, ++held);
      EXPECT_EQ(record.bytes, RecordOf(held));
      return true;
    }));
    EXPECT_GE(held, told);
    uint64_t flushed = 0;
    ASSERT_TRUE((*engine)->ReadState([&](std::string_view, std::string_view value) {
      flushed = std::stoull(std::string(value));
      return Status();
    }));
    EXPECT_GE(flushed + 50, told);
    // The kill may have struck inside a write: then that is said, and nothing told is missing.
    for (const Engine::Damage& damage : (*engine)->damage()) EXPECT_NE(damage.reason, "");
    told = held;
  }
}

TEST(KilledEngine, AFolderInUseIsRefusedWithTheProcessThatHasIt) {
  TempFolder folder;
  OtherProcess child("OtherProcess.DISABLED_HoldsTheFolder", folder / "data");
  const uint64_t pid = child.Hear();
  ASSERT_NE(pid, 0u);
  const auto engine = OpenRocksEngine({folder / "data"});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Code::kUnavailable);
  const std::string& message = engine.error().message;
  EXPECT_NE(message.find(folder / "data"), std::string::npos) << message;
  EXPECT_NE(message.find("process " + std::to_string(pid)), std::string::npos) << message;
  child.Kill();
  EXPECT_TRUE(OpenRocksEngine({folder / "data"}));
}

}  // namespace
}  // namespace starling
