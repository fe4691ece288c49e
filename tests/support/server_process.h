/// A server program run by a test: started on a free loopback port with an empty folder of its own,
/// killed and cleaned up at the end.
///
/// Not thread-safe. The kernel kills the child when the test dies.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "starling/result.h"

namespace starling {

class ServerProcess {
 public:
  /// Gives the whole command line, program first.
  using CommandLine =
      std::function<std::vector<std::string>(uint16_t port, const std::string& folder)>;

  /// Returns once the server answers PING. The error holds the end of what the server printed.
  static Result<std::unique_ptr<ServerProcess>> Start(const CommandLine& command_line);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;

  uint16_t port() const { return port_; }
  /// What it printed, the last 4 KB.
  std::string Output() const;
  /// Whether it runs still.
  bool Running();

 private:
  ServerProcess() = default;
  Status Spawn(const std::vector<std::string>& command_line);
  Status AwaitReady();

  pid_t process_ = -1;
  uint16_t port_ = 0;
  std::string folder_;
};

}  // namespace starling
