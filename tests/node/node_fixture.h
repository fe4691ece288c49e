/// Nodes for tests of the library: folders of their own, their own meeting place, nothing of the
/// user's.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "starling/starling.h"
#include "tests/support/temp_folder.h"

namespace starling {

class NodeFixture : public testing::Test {
 protected:
  /// Options of a node that meets others of this test only and keeps its data in `<temp>/<name>`.
  NodeOptions Options(const std::string& name) const {
    NodeOptions options;
    options.name = name;
    options.folder = temp_ / name;
    options.meeting_folder_path = temp_ / "meet";
    return options;
  }

  /// The same without a folder.
  NodeOptions Ephemeral(const std::string& name) const {
    NodeOptions options = Options(name);
    options.folder.clear();
    options.ephemeral = true;
    return options;
  }

  static Node Open(const NodeOptions& options) {
    Result<Node> node = Node::Open(options);
    EXPECT_TRUE(node.ok()) << (node ? "" : node.error().message);
    return *std::move(node);
  }

  /// Asks until it holds, at most ten seconds long: for what other threads and nodes bring about.
  static bool Eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  TempFolder temp_;
};

}  // namespace starling
