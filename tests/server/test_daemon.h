/// A daemon in this process, and a client that talks to it over loopback.
#pragma once

#include <gtest/gtest.h>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/daemon.h"
#include "server/descriptor.h"

namespace starling {

/// A blocking client. Reads time out after a minute, as an error of the test.
class TestClient {
 public:
  explicit TestClient(uint16_t port);

  void Send(std::string_view bytes);
  /// The words as an array of bulk strings.
  void SendCommand(const std::vector<std::string>& words);
  /// Exactly so many bytes, fewer only when the server hangs up.
  std::string Receive(size_t count);
  /// One line with its end.
  std::string ReceiveLine();
  /// One whole reply as its bytes.
  std::string ReceiveReply();
  std::string Ask(const std::vector<std::string>& words) {
    SendCommand(words);
    return ReceiveReply();
  }
  /// Whether the server has hung up; waits for it.
  bool Ended();
  int socket() const { return socket_.get(); }

 private:
  Descriptor socket_;
};

/// Whether so many clients of that node wait for keys, by INFO; waits for it.
bool AreWaiting(TestClient& asks, int clients);

/// An ephemeral node on free ports that looks for nobody.
class TestDaemon {
 public:
  explicit TestDaemon(Settings settings = Defaults());
  ~TestDaemon();

  static Settings Defaults();
  uint16_t port() const { return daemon_->port(); }
  Daemon& daemon() { return *daemon_; }
  TestClient Connect() const { return TestClient(port()); }
  /// Waits for a client's SHUTDOWN.
  void WaitForShutdown();

 private:
  asio::io_context control_{1};
  std::unique_ptr<Log> log_;
  std::unique_ptr<Daemon> daemon_;
  std::thread thread_;
};

}  // namespace starling
