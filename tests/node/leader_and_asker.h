/// Two nodes without ports, of which the first leads and the second asks it, for tests of what
/// passes between them. Not thread-safe.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include <memory>
#include <string>
#include <utility>

#include "node/ordering/order_executor.h"
#include "node/runtime.h"
#include "node/scripting/scripting.h"
#include "tests/support/end_lease.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace starling {

class LeaderAndAskerTest : public ::testing::Test {
 protected:
  LeaderAndAskerTest() {
    leader_ = Start("leader");
    EXPECT_TRUE(Eventually([&] { return leader_->Lease().holding; }));
    asks_ = Start("asks");
    orders_ = std::make_unique<OrderExecutor>(*asks_, commands_, scripting_, log_);
    EXPECT_TRUE(
        Eventually([&] { return asks_->Lease().view.holder == "leader" && !asks_->OutOfReach(); }));
  }
  ~LeaderAndAskerTest() override {
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

  uint64_t Epoch() { return leader_->lease().Leads(leader_->store().clock().time().Monotonic()); }
  /// Ends that of the first node.
  void EndLease() {
    EndLeaseOf(temp_.path(), [this] { return Epoch(); });
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

}  // namespace starling
