#include "starling/node.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/node/node_fixture.h"
#include "tests/node/test_service.h"
#include "tests/support/child_process.h"

namespace starling {
namespace {

using NodeTest = NodeFixture;

int Alive(const Node& node) { return static_cast<int>(node.Statistics().members_alive); }

TEST_F(NodeTest, ARestartFindsTheData) {
  {
    Node node = Open(Options("a"));
    ASSERT_TRUE(node.kv().Set("k", "v").ok());
    node.GetCounter("hits").Add(3);
    ASSERT_TRUE(node.Close().ok());
    EXPECT_TRUE(node.Close().ok()) << "the second call does nothing";
  }
  Node node = Open(Options("a"));
  EXPECT_EQ(*node.kv().Get("k"), "v");
  EXPECT_EQ(*node.GetCounter("hits").Value(), 3);
}

TEST_F(NodeTest, TheDestructorClosesToo) {
  { Open(Options("a")).GetCounter("hits").Add(3); }
  EXPECT_EQ(*Open(Options("a")).GetCounter("hits").Value(), 3);
}

TEST_F(NodeTest, AFolderIsForOneNodeAtATime) {
  Node first = Open(Options("a"));
  NodeOptions options = Options("a");
  options.meeting_folder = false;
  const Result<Node> second = Node::Open(options);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kUnavailable) << second.error().message;
}

TEST_F(NodeTest, OptionsThatMakeNoSenseAreRefusedByName) {
  const auto refused = [&](const char* word, auto change) {
    NodeOptions options = Ephemeral("a");
    change(options);
    const Result<Node> node = Node::Open(options);
    ASSERT_FALSE(node.ok()) << word;
    EXPECT_EQ(node.error().code, Code::kInvalidArgument) << word;
    EXPECT_NE(node.error().message.find(word), std::string::npos) << node.error().message;
  };
  refused("cluster", [](NodeOptions& o) { o.cluster = "../x"; });
  refused("name", [](NodeOptions& o) { o.name = "a b"; });
  refused("bind", [](NodeOptions& o) { o.bind = "nowhere"; });
  refused("join", [](NodeOptions& o) { o.join = {"host"}; });
  refused("database", [](NodeOptions& o) { o.database = 16; });
  refused("flush_interval", [](NodeOptions& o) { o.flush_interval = std::chrono::seconds(2); });
  refused("folder", [](NodeOptions& o) { o.folder = "x"; });
  refused("expect", [](NodeOptions& o) { o.expect = -1; });
}

TEST_F(NodeTest, WithoutOptionsARestartedProcessIsTheSameNode) {
  setenv("XDG_STATE_HOME", temp_.path().c_str(), 1);
  setenv("XDG_RUNTIME_DIR", temp_.path().c_str(), 1);
  std::string name;
  std::string cluster;
  {
    Node first = Open({});
    Node second = Open({});
    name = first.name();
    cluster = first.Statistics().cluster_id;
    EXPECT_NE(second.name(), name);
    EXPECT_TRUE(Eventually([&] { return Alive(first) == 2 && Alive(second) == 2; }));
    first.GetCounter("hits").Add(5);
  }
  Node again = Open({});
  EXPECT_EQ(again.name(), name);
  EXPECT_EQ(*again.GetCounter("hits").Value(), 5);
  EXPECT_EQ(again.Statistics().cluster_id, cluster);
  unsetenv("XDG_STATE_HOME");
  unsetenv("XDG_RUNTIME_DIR");
}

TEST_F(NodeTest, TwoNodesInOneProcessConverge) {
  Node a = Open(Options("a"));
  Node b = Open(Ephemeral("b"));
  ASSERT_TRUE(Eventually([&] { return Alive(a) == 2 && Alive(b) == 2; }));
  // Who is alive is known a moment before the other's state is taken.
  ASSERT_TRUE(Eventually([&] {
    const std::string cluster = a.Statistics().cluster_id;
    return !cluster.empty() && b.Statistics().cluster_id == cluster;
  }));
  Counter at_a = a.GetCounter("hits");
  Counter at_b = b.GetCounter("hits");
  std::thread adding([&] {
    for (int i = 0; i < 10'000; ++i) at_a.Add();
  });
  for (int i = 0; i < 10'000; ++i) at_b.Add();
  adding.join();
  ASSERT_TRUE(a.kv().Set("from a", "1").ok());
  ASSERT_TRUE(b.kv().Set("from b", "2", std::chrono::minutes(5)).ok());
  EXPECT_TRUE(Eventually([&] { return *at_a.Value() == 20'000 && *at_b.Value() == 20'000; }));
  EXPECT_TRUE(Eventually([&] { return b.kv().Get("from a")->has_value(); }));
  EXPECT_TRUE(Eventually([&] { return a.kv().Get("from b")->has_value(); }));
  ASSERT_TRUE(b.kv().Delete("from a").ok());
  EXPECT_TRUE(Eventually([&] { return !a.kv().Get("from a")->has_value(); }));
  EXPECT_TRUE(Eventually([&] {
    const std::vector<Member> members = a.Members();
    return members.size() == 2 && members[0].self && members[0].name == "a" &&
           members[1].connected && members[1].up_to_date;
  }));
}

TEST_F(NodeTest, ANodeThatJoinsLaterTakesTheWholeState) {
  Node a = Open(Options("a"));
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(a.kv().Set("key-" + std::to_string(i), "v").ok());
  Node b = Open(Options("b"));
  EXPECT_TRUE(Eventually([&] { return b.Statistics().keys == 2000; }));
}

TEST_F(NodeTest, ANodeThatWasAwayCatchesUp) {
  Node a = Open(Options("a"));
  {
    Node b = Open(Options("b"));
    ASSERT_TRUE(Eventually([&] { return Alive(a) == 2; }));
    ASSERT_TRUE(b.kv().Set("gone", "1").ok());
    ASSERT_TRUE(Eventually([&] { return a.kv().Get("gone")->has_value(); }));
  }
  ASSERT_TRUE(a.kv().Set("new", "2").ok());
  ASSERT_TRUE(a.kv().Delete("gone").ok());
  Node b = Open(Options("b"));
  EXPECT_TRUE(Eventually([&] { return b.kv().Get("new")->has_value(); }));
  EXPECT_TRUE(Eventually([&] { return !b.kv().Get("gone")->has_value(); }));
}

TEST_F(NodeTest, SeedListsMakeAClusterWithoutAFolder) {
  NodeOptions first = Ephemeral("a");
  first.expect = 2;
  first.join = {"127.0.0.1:1"};  // nobody there: the other one names this node
  Node a = Open(first);
  NodeOptions second = Ephemeral("b");
  second.expect = 2;
  second.join = {a.address()};
  Node b = Open(second);
  EXPECT_TRUE(Eventually([&] { return Alive(a) == 2 && Alive(b) == 2; }));
  EXPECT_TRUE(Eventually([&] {
    return !a.Statistics().cluster_id.empty() &&
           a.Statistics().cluster_id == b.Statistics().cluster_id;
  }));
}

// COUNTEREXAMPLES 43: with a seed list the folder neither finds nor creates.
TEST_F(NodeTest, WithASeedListTheMeetingFolderStaysEmpty) {
  NodeOptions options = Ephemeral("a");
  options.expect = 2;
  options.join = {"127.0.0.1:1"};
  Node a = Open(options);
  EXPECT_FALSE(std::filesystem::exists(temp_ / "meet"));
  EXPECT_EQ(a.Statistics().cluster_id, "");
}

TEST_F(NodeTest, MembersSeeANodeLeave) {
  Node a = Open(Options("a"));
  std::optional<Node> b = Open(Options("b"));
  ASSERT_TRUE(Eventually([&] { return Alive(a) == 2; }));
  b.reset();
  EXPECT_TRUE(Eventually([&] { return Alive(a) == 1; }));
}

// I10: what Sync returned for is there after kill -9, and nothing counts twice.
TEST_F(NodeTest, WhatWasSyncedSurvivesKillMinusNine) {
  const std::vector<std::string> arguments = {kServiceWord, "a", temp_ / "a", temp_ / "meet"};
  int64_t certain = 0;
  for (int round = 0; round < 3; ++round) {
    ChildProcess service(arguments);
    ASSERT_EQ(service.Hear(), "open");
    service.Say("run");
    const int64_t found = std::stoll(service.Hear());
    EXPECT_GE(found, certain);
    EXPECT_LE(found, certain + 7) << "at most what was added and not yet said";
    certain = found;
    for (int line = 0; line < 200; ++line) certain = std::stoll(service.Hear());
    service.Kill();
    // What it had said when it was killed. Lines are written in one call each, so none is cut.
    for (std::string line = service.Hear(); !line.empty(); line = service.Hear()) {
      certain = std::stoll(line);
    }
  }
}

// The example: processes on one host find each other with nothing configured.
TEST_F(NodeTest, ProcessesOfOneUserFindEachOtherAndShareACounter) {
  setenv("XDG_STATE_HOME", temp_.path().c_str(), 1);
  setenv("XDG_RUNTIME_DIR", temp_.path().c_str(), 1);
  constexpr int kProcesses = 3;
  std::vector<std::unique_ptr<ChildProcess>> services;
  const std::vector<std::string> arguments = {kServiceWord, "", "", ""};
  for (int i = 0; i < kProcesses; ++i) {
    services.push_back(std::make_unique<ChildProcess>(arguments));
  }
  for (auto& service : services) EXPECT_EQ(service->Hear(), "open");
  for (auto& service : services) service->Say("add 1000");
  for (auto& service : services) EXPECT_EQ(service->Hear(), "ok");
  for (auto& service : services) service->Say("until 3000");
  for (auto& service : services) EXPECT_EQ(service->Hear(), "3000");
  for (auto& service : services) service->Hush();
  for (auto& service : services) EXPECT_EQ(service->Wait(), 0);
  unsetenv("XDG_STATE_HOME");
  unsetenv("XDG_RUNTIME_DIR");
}

TEST_F(NodeTest, CloseWaitsForCallsOnOtherThreads) {
  for (int round = 0; round < 5; ++round) {
    Node node = Open(Ephemeral("a"));
    std::atomic<int> closed{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, kv = node.kv(), counter = node.GetCounter("hits")]() mutable {
        while (true) {
          counter.Add();
          const Status set = kv.Set("k", "v");
          if (set) continue;
          EXPECT_EQ(set.error().code, Code::kClosed);
          ++closed;
          return;
        }
      });
    }
    EXPECT_TRUE(node.Close().ok());
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(closed, 3);
  }
}

TEST_F(NodeTest, LogLinesGoToTheServicesOwnSink) {
  NodeOptions options = Ephemeral("a");
  std::vector<std::string> lines;
  options.log_level = LogLevel::kInfo;
  options.log = [&](LogLevel, std::string_view line) { lines.emplace_back(line); };
  ASSERT_TRUE(Open(options).Close().ok());
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("node started: name=a") != std::string::npos;
  }));
}

}  // namespace
}  // namespace starling
