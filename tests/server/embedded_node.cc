#include "tests/server/embedded_node.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include "starling/starling.h"

namespace starling {

struct EmbeddedNode::Parts {
  explicit Parts(Node opened) : node(std::move(opened)) {}
  Node node;
};

EmbeddedNode::EmbeddedNode(const std::string& meeting_folder,
                           const std::vector<std::string>& claims) {
  NodeOptions options;
  options.name = "embedded";
  options.ephemeral = true;
  options.meeting_folder_path = meeting_folder;
  options.claims = claims;
  Result<Node> node = Node::Open(options);
  EXPECT_TRUE(node.ok()) << node.error().message;
  const auto claimed = node->claims().First("it leads", std::chrono::seconds(60));
  EXPECT_TRUE(claimed.ok()) << claimed.error().message;
  parts_ = std::make_unique<Parts>(*std::move(node));
}

EmbeddedNode::~EmbeddedNode() = default;

uint64_t EmbeddedNode::members_alive() const { return parts_->node.Statistics().members_alive; }

}  // namespace starling
