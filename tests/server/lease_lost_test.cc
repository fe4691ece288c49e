/// What clients read whose command ran at a leaseholder that lost the lease before it answered. The
/// turn that runs it is held up at a key, the lease ends meanwhile: an epoch's file appears that
/// another process would have made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "node/keyspace_gate.h"
#include "storage/keyspace.h"
#include "tests/server/test_daemon.h"
#include "tests/support/end_lease.h"
#include "tests/support/eventually.h"
#include "tests/support/shard_names.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

constexpr const char* kLost = "-UNKNOWN The lease ended while this command ran";

class LeaseLostTest : public testing::TestWithParam<OnUnreachable> {
 protected:
  LeaseLostTest() {
    EXPECT_TRUE(Eventually([&] { return Epoch() != 0; }));
    EXPECT_EQ(client_.Ask({"SET", k_, "old"}), "+OK\r\n");
    EXPECT_EQ(client_.Ask({"SET", Held(), "v"}), "+OK\r\n");
  }

  Settings InFolder() {
    Settings settings = TestDaemon::Defaults();
    settings.meeting_folder = folder_.path();
    settings.level = {"here:*=local", "sure:*=majority"};
    settings.on_unreachable = GetParam();
    return settings;
  }
  Runtime& runtime() { return daemon_.daemon().runtime(); }
  Keyspace& keyspace() { return runtime().store().keyspace(); }
  /// That the daemon leads; 0: it does not.
  uint64_t Epoch() { return runtime().lease().Leads(runtime().store().clock().time().Monotonic()); }
  std::string ValueOf(const std::string& name) {
    const KeyRef key = keyspace().Ref(0, name);
    std::string buffer;
    Access access = keyspace().Lock(key);
    const auto view = access.Find(key);
    return view ? std::string(view->Text(buffer)) : "";
  }
  /// The key whose shard is held.
  std::string Held() { return NameInFirstShard(keyspace(), "held"); }
  std::string Name(const std::string& name) { return NameInLaterShard(keyspace(), name); }
  bool FirstHasRun() { return ValueOf(here_) == "1"; }
  bool ScriptRuns() {
    KeyspaceGate& gate = runtime().gate();
    if (!gate.EnterAtOnce()) return true;
    gate.Leave();
    return false;
  }
  /// Sends requests of which the last one uses Held(), and ends the lease when they are
  /// `under_way`; the turn ends after it.
  void LoseLeaseWithin(const std::string& requests) {
    LoseLeaseWithin("INCR " + here_ + "\r\n" + requests, [this] { return FirstHasRun(); });
    EXPECT_EQ(client_.ReceiveReply(), ":1\r\n") << "of level local: told as it was";
  }
  void LoseLeaseWithin(const std::string& requests, const std::function<bool()>& under_way) {
    const std::string name = Held();
    const KeyRef key = keyspace().Ref(0, name);
    const Access hold = keyspace().Lock(key);
    client_.Send(requests);
    EXPECT_TRUE(Eventually(under_way));
    EndLeaseOf(folder_.path(), [this] { return Epoch(); });
    const KeyRef k = keyspace().Ref(0, k_);
    keyspace().Lock(k).SetString(k, "new");
  }

  TempFolder folder_;
  TestDaemon daemon_{InFolder()};
  TestClient client_ = daemon_.Connect();
  const std::string k_ = Name("k");
  const std::string n_ = Name("n");
  const std::string here_ = Name("here:n");
};

INSTANTIATE_TEST_SUITE_P(OnUnreachable, LeaseLostTest,
                         testing::Values(OnUnreachable::kLocal, OnUnreachable::kRefuse));

TEST_P(LeaseLostTest, ReadsAreRunAgain) {
  LoseLeaseWithin("GET " + k_ + "\r\nGET " + Held() + "\r\n");
  EXPECT_EQ(client_.ReceiveReply(), "$3\r\nnew\r\n");
  EXPECT_EQ(client_.ReceiveReply(), "$1\r\nv\r\n");
  EXPECT_EQ(client_.Ask({"PING"}), "+PONG\r\n");
  EXPECT_EQ(ValueOf(here_), "1");
}

TEST_P(LeaseLostTest, OfWritesTheOutcomeIsUnknown) {
  LoseLeaseWithin("INCR " + n_ + "\r\nGET " + Held() + "\r\nPING\r\n");
  for (int i = 0; i < 3; ++i) EXPECT_THAT(client_.ReceiveReply(), StartsWith(kLost));
  EXPECT_EQ(client_.Ask({"PING"}), "+PONG\r\n");
  EXPECT_EQ(ValueOf(n_), "1") << "done once";
}

TEST_P(LeaseLostTest, OfATransactionTheOutcomeIsUnknown) {
  LoseLeaseWithin("MULTI\r\nINCR " + n_ + "\r\nGET " + Held() + "\r\nEXEC\r\n");
  for (const char* reply : {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n"}) {
    EXPECT_EQ(client_.ReceiveReply(), reply);
  }
  EXPECT_THAT(client_.ReceiveReply(), StartsWith(kLost)) << "one reply for all of it";
  EXPECT_EQ(client_.Ask({"PING"}), "+PONG\r\n");
}

TEST_P(LeaseLostTest, ATransactionWhoseBeginningReadAnErrorDoesNotRun) {
  LoseLeaseWithin("GET " + Held() + "\r\nMULTI\r\nINCR " + n_ + "\r\n");
  for (int i = 0; i < 3; ++i) EXPECT_THAT(client_.ReceiveReply(), StartsWith(kLost));
  EXPECT_THAT(client_.Ask({"EXEC"}), StartsWith("-EXECABORT"));
  EXPECT_EQ(ValueOf(n_), "");
}

TEST_P(LeaseLostTest, SoItIsWithScripts) {
  const std::string writes =
      "EVAL \"redis.call('INCR', KEYS[1]) return redis.call('GET', KEYS[2])\" 2 " + n_ + " ";
  LoseLeaseWithin(writes + Held() + "\r\n", [this] { return ScriptRuns(); });
  EXPECT_THAT(client_.ReceiveReply(), StartsWith(kLost));
  EXPECT_EQ(ValueOf(n_), "1");
}

TEST_P(LeaseLostTest, ScriptsThatOnlyReadAreRunAgain) {
  const std::string reads =
      "EVAL_RO \"return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}\" 2 " + k_ + " ";
  LoseLeaseWithin(reads + Held() + "\r\n", [this] { return ScriptRuns(); });
  EXPECT_EQ(client_.ReceiveReply(), "*2\r\n$3\r\nnew\r\n$1\r\nv\r\n");
}

TEST_P(LeaseLostTest, WhoWaitsIsServedOnceByTheNextLeaseholder) {
  const std::string list = NameInFirstShard(keyspace(), "sure:list");
  EXPECT_EQ(client_.Ask({"RPUSH", list, "a", "b"}), ":2\r\n");
  LoseLeaseWithin("BLPOP " + list + " 20\r\n", [] { return true; });
  EXPECT_THAT(client_.ReceiveReply(), EndsWith("\r\na\r\n"));
  EXPECT_EQ(client_.Ask({"LRANGE", list, "0", "-1"}), "*1\r\n$1\r\nb\r\n");
}

TEST_P(LeaseLostTest, SoIsWhoWaitsForALock) {
  const std::string lock = NameInFirstShard(keyspace(), "lock");
  LoseLeaseWithin("STARLING ACQUIRE token 60000 20000 " + lock + "\r\n", [] { return true; });
  EXPECT_THAT(client_.ReceiveReply(), StartsWith("*2\r\n")) << "its own token keeps nobody waiting";
}

TEST_P(LeaseLostTest, WhoIsServedSoIsNotTakenBack) {
  const std::string list = NameInFirstShard(keyspace(), "sure:list");
  EXPECT_EQ(client_.Ask({"RPUSH", list, "a", "b"}), ":2\r\n");
  const std::string id = client_.Ask({"CLIENT", "ID"}).substr(1);
  TestClient other = daemon_.Connect();
  LoseLeaseWithin("BLPOP " + list + " 20\r\n", [&] {
    other.Send("CLIENT LIST ID " + id);
    if (other.ReceiveReply().find(" flags=b ") == std::string::npos) return false;
    other.Send("CLIENT UNBLOCK " + id);
    return true;
  });
  EXPECT_THAT(client_.ReceiveReply(), EndsWith("\r\na\r\n"));
  EXPECT_EQ(other.ReceiveReply(), ":0\r\n");
  EXPECT_EQ(client_.Ask({"LRANGE", list, "0", "-1"}), "*1\r\n$1\r\nb\r\n");
}

}  // namespace
}  // namespace starling
