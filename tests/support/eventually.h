/// Waits for what other threads and nodes bring about.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace starling {

/// Asks until it holds, at most a minute long: a machine may stand still for seconds. Whether it
/// does.
inline bool Eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace starling
