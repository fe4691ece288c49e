#include "server/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <asio/ip/v6_only.hpp>
#include <cerrno>
#include <cstring>

namespace starling {
namespace {

using asio::ip::tcp;

/// Connections accepted before other work of the control thread gets its turn.
constexpr int kAcceptBurst = 128;
/// How long accepting rests when the process has no descriptors left.
constexpr std::chrono::milliseconds kBackoff{100};

std::string Describe(const sockaddr_storage& address, bool& loopback) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    loopback = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
             (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
}

void SetOption(int socket, int level, int name, int value) {
  // A socket that the peer has just closed refuses options; its first read tells.
  (void)::setsockopt(socket, level, name, &value, sizeof(value));
}

void SetKeepalive(int socket, std::chrono::seconds keepalive) {
  if (keepalive.count() == 0) return;
  const int seconds = static_cast<int>(keepalive.count());
  SetOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, seconds / 3));
  SetOption(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::Open(asio::io_context& context,
                                                 const Settings& settings,
                                                 std::shared_ptr<spdlog::logger> log) {
  std::unique_ptr<Listener> listener(new Listener(context, std::move(log)));
  listener->port_ = static_cast<uint16_t>(settings.port);
  for (const std::string& bind : settings.bind) {
    const bool may_fail = bind.starts_with('-');
    Status opened = listener->OpenOne(bind.substr(may_fail ? 1 : 0), settings.tcp_backlog);
    if (!opened.ok() && !may_fail) return opened.error();
    if (!opened.ok()) listener->log_->debug("event=bind_skipped {}", opened.error().message);
  }
  if (listener->sockets_.empty()) {
    return Error{Code::kIo, "option --bind: no address could be opened; give 127.0.0.1, say"};
  }
  return listener;
}

Status Listener::OpenOne(const std::string& host, int backlog) {
  std::error_code failure;
  const asio::ip::address address = asio::ip::make_address(host == "*" ? "0.0.0.0" : host, failure);
  if (failure) {
    return Error{Code::kInvalidArgument,
                 "option --bind: '" + host + "' is no address; give numbers, e.g. 127.0.0.1"};
  }
  auto socket = std::make_unique<Socket>(context_);
  tcp::acceptor& acceptor = socket->acceptor;
  const tcp::endpoint endpoint(address, port_);
  acceptor.open(endpoint.protocol(), failure);
  if (!failure) acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure && address.is_v6()) acceptor.set_option(asio::ip::v6_only(true), failure);
  if (!failure) acceptor.bind(endpoint, failure);
  if (!failure) acceptor.listen(backlog, failure);
  if (!failure) acceptor.native_non_blocking(true, failure);
  if (failure) {
    return Error{Code::kIo, "cannot listen on " + host + " port " + std::to_string(port_) + ": " +
                                failure.message()};
  }
  if (port_ == 0) port_ = acceptor.local_endpoint().port();
  sockets_.push_back(std::move(socket));
  return {};
}

void Listener::Start(std::chrono::seconds keepalive, Acceptor accept) {
  keepalive_ = keepalive;
  accept_ = std::move(accept);
  for (const std::unique_ptr<Socket>& socket : sockets_) Wait(*socket);
}

void Listener::Close() {
  for (const std::unique_ptr<Socket>& socket : sockets_) {
    std::error_code ignored;
    socket->acceptor.close(ignored);
    socket->backoff.cancel();
  }
}

void Listener::Wait(Socket& socket) {
  socket.acceptor.async_wait(tcp::acceptor::wait_read, [this, &socket](std::error_code failure) {
    if (!failure) AcceptAll(socket);
  });
}

void Listener::AcceptAll(Socket& socket) {
  for (int i = 0; i < kAcceptBurst; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    const int accepted =
        ::accept4(socket.acceptor.native_handle(), reinterpret_cast<sockaddr*>(&peer), &length,
                  SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) {
      const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS;
      if (!exhausted) break;
      log_->error("event=accept_failed reason=\"{}\"", std::strerror(errno));
      socket.backoff.expires_after(kBackoff);
      socket.backoff.async_wait([this, &socket](std::error_code failure) {
        if (!failure) Wait(socket);
      });
      return;
    }
    Connection connection{Descriptor(accepted), {}, {}, false};
    connection.peer = Describe(peer, connection.loopback_peer);
    sockaddr_storage local{};
    length = sizeof(local);
    bool ignored = false;
    if (::getsockname(accepted, reinterpret_cast<sockaddr*>(&local), &length) == 0) {
      connection.local = Describe(local, ignored);
    }
    SetOption(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
    SetKeepalive(accepted, keepalive_);
    accept_(std::move(connection));
  }
  Wait(socket);
}

}  // namespace starling
