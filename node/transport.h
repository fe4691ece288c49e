/// TCP links to other members: whole frames in and out, nothing of what they mean.
///
/// A frame on the wire is its length (4 bytes, little-endian) and its bytes. Each link has three
/// lanes: control frames overtake orders, both overtake bulk frames. Everything is asynchronous and
/// belongs to the one thread that runs the io_context; all calls come from there, and the handler
/// hears of everything from there, never from within a call. Invariants: every queue and buffer has
/// a maximum (I9); what a peer sends costs at most one frame of memory per link before the handler
/// sees it (I11).
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <spdlog/logger.h>

#include "replication/limits.h"
#include "replication/replicator.h"
#include "starling/result.h"

namespace starling {

/// What happens on links. Calls may call the transport back.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;
  /// `dialled`: the address asked for, empty for an accepted link.
  virtual void OnConnected(LinkId link, const Address& dialled) = 0;
  /// `refused`: the host answered that nobody listens.
  virtual void OnDialFailed(const Address& address, bool refused) = 0;
  /// The peer, the network or an overfull queue ended the link; not called after Close.
  virtual void OnDisconnected(LinkId link) = 0;
  /// One whole frame; the view ends with the call.
  virtual void OnFrame(LinkId link, std::string_view frame) = 0;
  /// The frames of one read have all been handed over: a good moment for Flush.
  virtual void OnBurstEnd() = 0;
};

struct TransportOptions {
  /// Numeric address to listen on; also the source of dialled links unless it is the any-address.
  std::string bind = "127.0.0.1";
  uint16_t port = 0;  ///< 0 takes a free one.
  size_t max_frame_bytes = limits::kFrameBytes;
  /// Bytes that may wait on one link, all lanes together; beyond it the link is closed.
  size_t max_queued_bytes = limits::kQueuedBytes;
  size_t max_links = limits::kLinks;
  std::chrono::milliseconds connect_timeout{3000};
  /// How long a closed link may take to send what is queued, a refusal say.
  std::chrono::milliseconds close_timeout{1000};
};

class TransportLink;

class Transport {
 public:
  /// Listens; accepts once the io_context runs. Errors: kInvalidArgument (no numeric address), kIo
  /// (names address and reason). `handler` outlives the transport.
  static Result<std::unique_ptr<Transport>> Listen(asio::io_context& io,
                                                   const TransportOptions& options,
                                                   TransportHandler& handler,
                                                   std::shared_ptr<spdlog::logger> log);
  ~Transport();

  /// The port listened on.
  uint16_t port() const { return port_; }

  /// Connects, resolving a host name first; OnConnected or OnDialFailed follows.
  void Dial(const Address& address);
  /// Queues a frame of at most `max_frame_bytes`; unknown links drop it. Leaves with the next
  /// Flush.
  void Send(LinkId link, SendEffect::Lane lane, SharedBytes frame);
  /// Starts writing what Send queued since the last call: one system call per link for a burst.
  void Flush();
  /// Sends what is queued, then closes. The handler hears no more of this link.
  void Close(LinkId link);
  /// Stops accepting and closes all links after their queues, each within `close_timeout`; then
  /// calls `done`, possibly at once. The handler hears no more.
  void Shutdown(std::function<void()> done);
  /// Links that are open or closing.
  size_t link_count() const { return links_.size(); }

 private:
  friend class TransportLink;
  struct DialAttempt;

  Transport(asio::io_context& io, const TransportOptions& options, TransportHandler& handler,
            std::shared_ptr<spdlog::logger> log);
  Status Open();
  void Accept();
  void OnAccepted(const asio::error_code& error, asio::ip::tcp::socket socket);
  void TryNext(const std::shared_ptr<DialAttempt>& attempt);
  void FinishDial(const std::shared_ptr<DialAttempt>& attempt, const asio::error_code& error);
  void AddLink(asio::ip::tcp::socket socket, const Address& dialled);
  /// From a link: it is gone; `tell` the handler.
  void Remove(LinkId link, bool tell);

  asio::io_context& io_;
  TransportOptions options_;
  TransportHandler& handler_;
  std::shared_ptr<spdlog::logger> log_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer accept_pause_;
  asio::ip::tcp::resolver resolver_;
  asio::ip::address bind_address_;
  uint16_t port_ = 0;
  bool stopped_ = false;
  std::function<void()> shut_down_;
  LinkId last_link_ = 0;
  std::unordered_map<LinkId, std::shared_ptr<TransportLink>> links_;
  std::vector<std::weak_ptr<DialAttempt>> dials_;
  std::vector<LinkId> unflushed_;
  /// Handlers of asynchronous operations hold it weakly: they may run after the transport has gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace starling
