/// Nodes for tests of the library: folders of their own, their own meeting place, nothing of the
/// user's.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "starling/starling.h"
#include "tests/support/eventually.h"
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

  TempFolder temp_;
};

}  // namespace starling
