#include "node/transport.h"

#include <algorithm>
#include <asio/bind_executor.hpp>
#include <asio/connect.hpp>
#include <asio/ip/address.hpp>
#include <asio/post.hpp>
#include <utility>

#include "node/address.h"
#include "node/transport_link.h"

namespace starling {
namespace {

using Tcp = asio::ip::tcp;

constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr size_t kMaxDials = 256;

Error ListenError(const TransportOptions& options, const char* step,
                  const asio::error_code& error) {
  return Error{Code::kIo, "gossip port: " + std::string(step) + " " + options.bind + ":" +
                              std::to_string(options.port) + " failed: " + error.message()};
}

}  // namespace

/// One dial: its candidates are tried in turn until one answers or time runs out.
struct Transport::DialAttempt {
  DialAttempt(asio::io_context& io, Address asked)
      : address(std::move(asked)), socket(io), timer(io) {}

  Address address;
  std::vector<Tcp::endpoint> candidates;
  size_t next = 0;
  Tcp::socket socket;
  asio::steady_timer timer;
  bool finished = false;
  asio::error_code last_error = asio::error::host_not_found;
};

Result<std::unique_ptr<Transport>> Transport::Listen(asio::io_context& io,
                                                     const TransportOptions& options,
                                                     TransportHandler& handler,
                                                     std::shared_ptr<spdlog::logger> log) {
  std::unique_ptr<Transport> transport(new Transport(io, options, handler, std::move(log)));
  if (Status opened = transport->Open(); !opened) return opened.error();
  return transport;
}

Transport::Transport(asio::io_context& io, const TransportOptions& options,
                     TransportHandler& handler, std::shared_ptr<spdlog::logger> log)
    : io_(io),
      options_(options),
      handler_(handler),
      log_(std::move(log)),
      acceptor_(io),
      accept_pause_(io),
      resolver_(io) {}

Transport::~Transport() {
  for (auto& [id, link] : links_) {
    link->Detach();
    link->Abort();
  }
}

Status Transport::Open() {
  asio::error_code error;
  bind_address_ = asio::ip::make_address(options_.bind, error);
  if (error) {
    return Error{Code::kInvalidArgument,
                 "bind address '" + options_.bind + "' is not a numeric IPv4 or IPv6 address"};
  }
  const Tcp::endpoint endpoint(bind_address_, options_.port);
  acceptor_.open(endpoint.protocol(), error);
  if (error) return ListenError(options_, "opening a socket for", error);
  acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (error) return ListenError(options_, "preparing", error);
  acceptor_.bind(endpoint, error);
  if (error) return ListenError(options_, "binding to", error);
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return ListenError(options_, "listening on", error);
  port_ = acceptor_.local_endpoint(error).port();
  if (error) return ListenError(options_, "asking for the port of", error);
  Accept();
  return {};
}

void Transport::Accept() {
  acceptor_.async_accept(
      [this, alive = std::weak_ptr(alive_)](const asio::error_code& error, Tcp::socket socket) {
        if (!alive.expired()) OnAccepted(error, std::move(socket));
      });
}

void Transport::OnAccepted(const asio::error_code& error, Tcp::socket socket) {
  if (stopped_) return;
  if (!error) {
    if (links_.size() < options_.max_links) {
      AddLink(std::move(socket), {});
    } else {
      log_->warn("connection refused: reason=too many links max={}", options_.max_links);
    }
    Accept();
    return;
  }
  if (error == asio::error::connection_aborted) {
    Accept();
    return;
  }
  // Out of descriptors, most likely: trying again at once would only spin.
  log_->warn("accepting failed: reason={}", error.message());
  accept_pause_.expires_after(kAcceptPause);
  accept_pause_.async_wait([this, alive = std::weak_ptr(alive_)](const asio::error_code& waited) {
    if (!waited && !alive.expired() && !stopped_) Accept();
  });
}

void Transport::AddLink(Tcp::socket socket, const Address& dialled) {
  const LinkId id = ++last_link_;
  auto link = std::make_shared<TransportLink>(id, std::move(socket), *this);
  links_.emplace(id, link);
  log_->debug("link open: link={} peer={} dialled={}", id, link->peer(), !dialled.empty());
  handler_.OnConnected(id, dialled);
  link->Start();
}

void Transport::Dial(const Address& address) {
  std::erase_if(dials_, [](const auto& dial) { return dial.expired(); });
  auto attempt = std::make_shared<DialAttempt>(io_, address);
  const Result<Endpoint> endpoint = ParseEndpoint(address);
  if (stopped_ || !endpoint || dials_.size() >= kMaxDials) {
    // From the loop, never from within this call.
    asio::post(io_, [this, alive = std::weak_ptr(alive_), address] {
      if (!alive.expired() && !stopped_) handler_.OnDialFailed(address, false);
    });
    return;
  }
  dials_.push_back(attempt);
  attempt->timer.expires_after(options_.connect_timeout);
  attempt->timer.async_wait(
      [this, alive = std::weak_ptr(alive_), attempt](const asio::error_code& waited) {
        if (waited || alive.expired() || attempt->finished) return;
        FinishDial(attempt, asio::error::timed_out);
      });

  asio::error_code numeric;
  const asio::ip::address parsed = asio::ip::make_address(endpoint->host, numeric);
  if (!numeric) {
    attempt->candidates.emplace_back(parsed, endpoint->port);
    TryNext(attempt);
    return;
  }
  resolver_.async_resolve(endpoint->host, std::to_string(endpoint->port),
                          [this, alive = std::weak_ptr(alive_), attempt](
                              const asio::error_code& error, Tcp::resolver::results_type results) {
                            if (alive.expired() || attempt->finished) return;
                            if (error) {
                              FinishDial(attempt, error);
                              return;
                            }
                            for (const auto& entry : results)
                              attempt->candidates.push_back(entry.endpoint());
                            TryNext(attempt);
                          });
}

void Transport::TryNext(const std::shared_ptr<DialAttempt>& attempt) {
  while (attempt->next < attempt->candidates.size()) {
    const Tcp::endpoint candidate = attempt->candidates[attempt->next++];
    asio::error_code error;
    attempt->socket.close(error);
    attempt->socket.open(candidate.protocol(), error);
    if (!error && !bind_address_.is_unspecified()) {
      attempt->socket.bind(Tcp::endpoint(bind_address_, 0), error);
    }
    if (error) {
      attempt->last_error = error;
      continue;
    }
    attempt->socket.async_connect(
        candidate, [this, alive = std::weak_ptr(alive_), attempt](const asio::error_code& failed) {
          if (alive.expired() || attempt->finished) return;
          if (!failed) {
            FinishDial(attempt, {});
            return;
          }
          attempt->last_error = failed;
          TryNext(attempt);
        });
    return;
  }
  // Posted: the first candidate may fail within Dial.
  asio::post(io_, [this, alive = std::weak_ptr(alive_), attempt] {
    if (!alive.expired() && !attempt->finished) FinishDial(attempt, attempt->last_error);
  });
}

void Transport::FinishDial(const std::shared_ptr<DialAttempt>& attempt,
                           const asio::error_code& error) {
  attempt->finished = true;
  attempt->timer.cancel();
  if (stopped_) return;
  if (!error && links_.size() < options_.max_links) {
    AddLink(std::move(attempt->socket), attempt->address);
    return;
  }
  asio::error_code ignored;
  attempt->socket.close(ignored);
  log_->debug("dial failed: address={} reason={}", attempt->address,
              error ? error.message() : "too many links");
  handler_.OnDialFailed(attempt->address, error == asio::error::connection_refused);
}

void Transport::Send(LinkId link, SendEffect::Lane lane, SharedBytes frame) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  TransportLink& target = *found->second;
  const bool fits = frame->size() <= options_.max_frame_bytes;
  if (!fits || !target.Queue(lane, std::move(frame))) {
    log_->warn("link closed: peer={} reason={} queued_bytes={}", target.peer(),
               fits ? "its queue is full" : "a frame is too large", target.queued_bytes());
    target.Abort();
    asio::post(io_, [this, alive = std::weak_ptr(alive_), link] {
      if (!alive.expired()) Remove(link, true);
    });
    return;
  }
  if (!target.unflushed) {
    target.unflushed = true;
    unflushed_.push_back(link);
  }
}

void Transport::Flush() {
  for (const LinkId id : unflushed_) {
    const auto found = links_.find(id);
    if (found == links_.end()) continue;
    found->second->unflushed = false;
    found->second->StartWrite();
  }
  unflushed_.clear();
}

void Transport::Close(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  // It leaves the table by itself, later: what is queued goes out first.
  const std::shared_ptr<TransportLink> target = found->second;
  target->CloseAfterWrites();
}

void Transport::Shutdown(std::function<void()> done) {
  stopped_ = true;
  shut_down_ = std::move(done);
  asio::error_code ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  resolver_.cancel();
  for (const auto& dial : dials_) {
    if (const auto attempt = dial.lock()) {
      attempt->finished = true;
      attempt->timer.cancel();
      attempt->socket.close(ignored);
    }
  }
  std::vector<std::shared_ptr<TransportLink>> links;
  for (const auto& [id, link] : links_) links.push_back(link);
  for (const auto& link : links) link->CloseAfterWrites();
  if (links_.empty() && shut_down_) std::exchange(shut_down_, nullptr)();
}

void Transport::Remove(LinkId link, bool tell) {
  if (links_.erase(link) == 0) return;
  if (tell && !stopped_) handler_.OnDisconnected(link);
  if (links_.empty() && shut_down_) std::exchange(shut_down_, nullptr)();
}

}  // namespace starling
