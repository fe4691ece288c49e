#include "tests/node/test_service.h"

#include <chrono>
#include <iostream>
#include <optional>
#include <thread>

#include "starling/starling.h"

namespace starling {
namespace {

constexpr int kStep = 7;

/// Adds and syncs until it is killed.
int RunForEver(Node& node, Counter& counter) {
  for (int64_t certain = *counter.Value();; certain += kStep) {
    std::cout << certain << std::endl;
    for (int i = 0; i < kStep; ++i) counter.Add();
    if (const Status synced = node.Sync(); !synced) {
      std::cout << synced.error().message << std::endl;
      return 1;
    }
  }
}

int64_t WaitUntil(const Counter& counter, int64_t wanted) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (*counter.Value() != wanted && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  return *counter.Value();
}

}  // namespace

int RunTestService(const std::vector<std::string>& arguments) {
  NodeOptions options;
  options.name = arguments.at(0);
  options.folder = arguments.at(1);
  options.meeting_folder_path = arguments.at(2);
  Result<Node> node = Node::Open(options);
  std::cout << (node ? "open" : node.error().message) << std::endl;
  if (!node) return 1;
  Counter counter = node->GetCounter("hits");
  std::optional<Result<Lock>> permit;
  std::string command;
  while (std::cin >> command) {
    int64_t number = 0;
    if (command == "run") return RunForEver(*node, counter);
    if (command == "add" && std::cin >> number) {
      for (int64_t i = 0; i < number; ++i) counter.Add();
      std::cout << "ok" << std::endl;
    } else if (command == "value") {
      std::cout << *counter.Value() << std::endl;
    } else if (command == "until" && std::cin >> number) {
      std::cout << WaitUntil(counter, number) << std::endl;
    } else if (command == "permit" && std::cin >> number) {
      permit =
          node->locks().AcquirePermit("pool", static_cast<int>(number), {.ttl = kTestPermitTtl});
      std::cout << (*permit ? (*permit)->key() : permit->error().message) << std::endl;
    } else {
      std::cout << "unknown: " << command << std::endl;
    }
  }
  return node->Close().ok() ? 0 : 1;
}

}  // namespace starling
