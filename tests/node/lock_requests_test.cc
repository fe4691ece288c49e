/// Releases and extensions of locks whose outcome nobody can say, since the leaseholder was lost.
#include "node/lock_requests.h"

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "node/ordering/order_codec.h"
#include "tests/node/leader_and_asker.h"

namespace starling {
namespace {

using std::chrono::seconds;

/// A leaseholder that answers one order after the other as it is told to; "": it has forgotten.
class Answers final : public OrderRunner {
 public:
  Answers(Runtime& runtime, std::deque<std::string> answers)
      : runtime_(runtime), answers_(std::move(answers)) {}

  size_t asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void Run(const PeerProcess& from, std::vector<RemoteOrder> orders) override {
    std::vector<ExecutedOrder> executed;
    {
      const std::lock_guard lock(mutex_);
      for (const RemoteOrder& order : orders) {
        ++asked_;
        executed.push_back({order.id, OrderOutcome::kForgotten, {}});
        if (answers_.empty()) continue;
        const std::string answer = std::move(answers_.front());
        answers_.pop_front();
        if (answer.empty()) continue;
        executed.back().outcome = OrderOutcome::kDone;
        AppendReplyHead(executed.back().reply, {.database = 0, .epoch = 1});
        executed.back().reply += answer;
      }
    }
    runtime_.OnExecuted(from, std::move(executed), Stamp{});
  }
  void DropClients(const PeerProcess&, const std::vector<uint64_t>&) override {}
  void DropProcess(const PeerProcess&) override {}

  Runtime& runtime_;
  std::mutex mutex_;
  std::deque<std::string> answers_;
  size_t asked_ = 0;
};

class LockRequestsTest : public LeaderAndAskerTest {
 protected:
  LockRequestsTest() {
    held_->key = "lock";
    held_->token = "token";
    held_->Prolong(HeldLock::Now(), seconds(600));
  }
  ~LockRequestsTest() override {
    client_.Close();
    leader_->SetOrderRunner(nullptr);
  }
  /// From now on the leaseholder answers so.
  void Answer(std::deque<std::string> answers) {
    answers_ = std::make_unique<Answers>(*leader_, std::move(answers));
    leader_->SetOrderRunner(answers_.get());
  }

  const std::shared_ptr<HeldLock> held_ = std::make_shared<HeldLock>();
  std::unique_ptr<Answers> answers_;
  OrderClient client_{*asks_, *orders_, 0, /*alone=*/false};
};

TEST_F(LockRequestsTest, AReleaseThatNobodyKnowsOfIsAskedForAgain) {
  Answer({"", "", ":1\r\n"});
  EXPECT_TRUE(ReleaseLock(client_, *held_).ok());
  EXPECT_EQ(answers_->asked(), 3u);
}

TEST_F(LockRequestsTest, WhatAnEarlierTryHasReleasedIsReleased) {
  Answer({"", ":0\r\n"});
  EXPECT_TRUE(ReleaseLock(client_, *held_).ok());
  Answer({":0\r\n"});
  EXPECT_EQ(ReleaseLock(client_, *held_).error().code, Code::kNotFound) << "nobody was in doubt";
}

TEST_F(LockRequestsTest, ADoubtStaysWhereNoLaterTryIsRun) {
  Answer({"", "-NOQUORUM no majority\r\n"});
  EXPECT_EQ(ReleaseLock(client_, *held_).error().code, Code::kUnknownOutcome);
  Answer({"-NOQUORUM no majority\r\n"});
  EXPECT_EQ(ReleaseLock(client_, *held_).error().code, Code::kUnavailable);
}

TEST_F(LockRequestsTest, AnExtensionIsAskedForAgainAndIsLostWhereTheTokenIsGone) {
  Answer({"", ":1\r\n"});
  EXPECT_TRUE(ExtendLock(client_, *held_, seconds(60)).ok());
  Answer({"", ":0\r\n"});
  EXPECT_EQ(ExtendLock(client_, *held_, seconds(60)).error().code, Code::kNotFound);
}

TEST_F(LockRequestsTest, WhatNobodyWaitsForIsReleasedInTheBackground) {
  LockKeeper keeper(client_);
  Answer({"", "-NOQUORUM no majority\r\n", ":1\r\n"});
  held_->End();
  keeper.Release(held_);
  EXPECT_TRUE(Eventually([&] { return answers_->asked() == 3; }));
}

}  // namespace
}  // namespace starling
