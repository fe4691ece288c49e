/// Turns the names of a seed list into addresses, again and again: a name may come to mean others.
///
/// Belongs to the io_context's thread; never blocks it (Asio resolves on a thread of its own).
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "node/address.h"
#include "replication/replicator.h"

namespace starling {

class SeedResolver {
 public:
  /// Receives what a name resolves to, each time it differs from the time before.
  using Found = std::function<void(const std::vector<Address>& addresses)>;

  SeedResolver(asio::io_context& io, std::chrono::milliseconds interval, Found found,
               std::shared_ptr<spdlog::logger> log);
  ~SeedResolver() { Stop(); }

  /// Resolves `endpoint`'s name now and from then on. Numeric hosts need no resolver.
  void Add(const Endpoint& endpoint);
  void Stop();

 private:
  struct Name {
    Endpoint endpoint;
    std::vector<Address> last;
    bool failed = false;
  };

  void Round();
  void Resolve(size_t index);

  asio::ip::tcp::resolver resolver_;
  asio::steady_timer timer_;
  std::chrono::milliseconds interval_;
  Found found_;
  std::shared_ptr<spdlog::logger> log_;
  std::vector<Name> names_;
  bool stopped_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace starling
