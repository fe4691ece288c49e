/// The sockets that Redis clients connect to.
///
/// Not thread-safe: lives on the control thread's io_context. Accepted connections go to `accept`,
/// non-blocking, without Nagle's delay and with keep-alive as configured.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "server/descriptor.h"
#include "server/settings.h"
#include "starling/result.h"

namespace starling {

/// One accepted connection.
struct Connection {
  Descriptor socket;
  std::string peer;  ///< `host:port`
  std::string local;
  bool loopback_peer = false;
};

class Listener {
 public:
  using Acceptor = std::function<void(Connection)>;

  /// Opens every address of `settings.bind` at `settings.port`, or at one free port. Errors: kIo
  /// names address, port and reason.
  static Result<std::unique_ptr<Listener>> Open(asio::io_context& context, const Settings& settings,
                                                std::shared_ptr<spdlog::logger> log);

  uint16_t port() const { return port_; }
  /// Connections are accepted from here on.
  void Start(std::chrono::seconds keepalive, Acceptor accept);
  void Close();

 private:
  struct Socket {
    explicit Socket(asio::io_context& context) : acceptor(context), backoff(context) {}
    asio::ip::tcp::acceptor acceptor;
    asio::steady_timer backoff;
  };

  Listener(asio::io_context& context, std::shared_ptr<spdlog::logger> log)
      : context_(context), log_(std::move(log)) {}
  Status OpenOne(const std::string& host, int backlog);
  void Wait(Socket& socket);
  void AcceptAll(Socket& socket);

  asio::io_context& context_;
  std::shared_ptr<spdlog::logger> log_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  uint16_t port_ = 0;
  std::chrono::seconds keepalive_{0};
  Acceptor accept_;
};

}  // namespace starling
