/// Three daemons in this process that meet in a folder: one leads.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "tests/server/test_daemon.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace starling {

class ThreeDaemons : public testing::Test {
 protected:
  ThreeDaemons() {
    for (size_t i = 0; i < kDaemons; ++i) Start(i);
    for (size_t i = 0; i < kDaemons; ++i) {
      EXPECT_TRUE(Eventually([&] { return Sees(i, kDaemons) && HolderAt(i) < kDaemons; }));
    }
  }

  void Start(size_t index) {
    Settings settings = TestDaemon::Defaults();
    settings.name = kNames[index];
    settings.cluster = "three";
    settings.meeting_folder = folder_.path();
    daemons_[index] = std::make_unique<TestDaemon>(settings);
  }
  void Stop(size_t index) { daemons_[index].reset(); }
  TestClient Connect(size_t index) { return daemons_[index]->Connect(); }

  /// Whether the daemon has so many members in reach, itself included.
  bool Sees(size_t index, size_t members) {
    TestClient client = Connect(index);
    return client.Ask({"WAIT", std::to_string(members), "1"}) == Count(members - 1);
  }
  /// Who leads, as this daemon knows; kDaemons: nobody that runs.
  size_t HolderAt(size_t index) {
    TestClient client = Connect(index);
    const std::string lease = client.Ask({"STARLING", "LEASE"});
    for (size_t i = 0; i < kDaemons; ++i) {
      const bool holds = lease.find("holder\r\n$1\r\n" + kNames[i] + "\r\n") != std::string::npos;
      if (holds && daemons_[i]) return i;
    }
    return kDaemons;
  }
  /// A daemon that does not lead, and that is not `other`.
  size_t Follower(size_t leader, size_t other = kDaemons) {
    size_t follower = 0;
    while (follower == leader || follower == other) ++follower;
    return follower;
  }
  static std::string Count(size_t holders) { return ":" + std::to_string(holders) + "\r\n"; }
  /// Writes until it is done: nobody may be in reach that orders, for a moment.
  void Write(TestClient& client, const std::string& key) {
    EXPECT_TRUE(Eventually([&] { return client.Ask({"SET", key, "v"}) == "+OK\r\n"; })) << key;
  }

  static constexpr size_t kDaemons = 3;
  const std::array<std::string, kDaemons> kNames = {"a", "b", "c"};
  TempFolder folder_;
  std::array<std::unique_ptr<TestDaemon>, kDaemons> daemons_;
};

}  // namespace starling
