/// Requests of the library's at a leaseholder that does not answer, and what another node's WAIT
/// reads there.
#include "node/ordering/order_client.h"

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include "node/ordering/order_codec.h"
#include "node/scripting/scripting.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Takes orders and never answers.
class Silence final : public OrderRunner {
  void Run(const PeerProcess&, std::vector<RemoteOrder>) override {}
  void DropClients(const PeerProcess&, const std::vector<uint64_t>&) override {}
  void DropProcess(const PeerProcess&) override {}
};

/// Two nodes; the first leads.
class OrderClientTest : public testing::Test {
 protected:
  OrderClientTest() {
    leader_ = Start("leader");
    EXPECT_TRUE(Eventually([&] { return leader_->Lease().holding; }));
    asks_ = Start("asks");
    orders_ = std::make_unique<OrderExecutor>(*asks_, commands_, scripting_, log_);
    EXPECT_TRUE(
        Eventually([&] { return asks_->Lease().view.holder == "leader" && !asks_->OutOfReach(); }));
  }
  ~OrderClientTest() override {
    scripting_.Stop();
    orders_.reset();
    leader_->SetOrderRunner(nullptr);
    EXPECT_TRUE(asks_->Close().ok());
    EXPECT_TRUE(leader_->Close().ok());
  }

  std::unique_ptr<Runtime> Start(const std::string& name) {
    RuntimeOptions options;
    options.name = name;
    options.meeting_folder_path = temp_ / "meet";
    auto runtime = Runtime::Start(options, log_);
    EXPECT_TRUE(runtime.ok()) << (runtime ? "" : runtime.error().message);
    return *std::move(runtime);
  }

  TempFolder temp_;
  std::shared_ptr<spdlog::logger> log_ =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
  const CommandTable commands_;
  Scripting scripting_;
  std::unique_ptr<Runtime> leader_;
  std::unique_ptr<Runtime> asks_;
  std::unique_ptr<OrderExecutor> orders_;
};

TEST_F(OrderClientTest, WhatIsNotAnsweredInTimeHasAnUnknownOutcomeWhereItWrites) {
  Silence silence;
  leader_->SetOrderRunner(&silence);
  OrderClient client(*asks_, *orders_, 0, /*alone=*/false);
  const auto written = client.Ask({.words = {"SET", "k", "v"}}, milliseconds(50));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Code::kUnknownOutcome);
  const auto read = client.Ask({.words = {"GET", "k"}, .reads = true}, milliseconds(50));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::kUnavailable) << "a read leaves nothing behind";
  const auto here = client.Ask({.words = {"SET", "k", "v"}, .level = Level::kLocal}, seconds(20));
  ASSERT_TRUE(here.ok()) << here.error().message;
  EXPECT_EQ(*here, "+OK\r\n");
  leader_->SetOrderRunner(nullptr);
  client.Close();
}

TEST_F(OrderClientTest, WhatIsRefusedIsAskedForAgainUntilItIsRun) {
  OrderClient client(*asks_, *orders_, 0, /*alone=*/false);
  auto later = std::async(std::launch::async, [&] {
    return client.Ask({.words = {"SET", "k", "v"}}, seconds(20));
  });
  const OrderExecutor runs(*leader_, commands_, scripting_, log_);
  const Result<std::string> reply = later.get();
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(*reply, "+OK\r\n");
  client.Close();
}

TEST_F(OrderClientTest, AnotherNodesWaitDoesNotWaitHere) {
  const OrderExecutor runs(*leader_, commands_, scripting_, log_);
  OrderClient client(*asks_, *orders_, 0, /*alone=*/false);
  const auto reply = client.Ask({.words = {"WAIT", "5", "0"}, .blocks = true}, seconds(20));
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(*reply, ":0\r\n") << "nothing is known here of what its client wrote";
  client.Close();
}

}  // namespace
}  // namespace starling
