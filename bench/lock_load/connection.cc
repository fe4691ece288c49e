#include "bench/lock_load/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <stdexcept>

namespace starling::bench {

Connection::Connection(const Address& address) : buffer_(1 << 16) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found) != 0) {
    throw std::runtime_error("unknown host or port " + address.host + ":" + address.port);
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  socket_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0 || ::connect(socket_, found->ai_addr, found->ai_addrlen) != 0) {
    if (socket_ >= 0) ::close(socket_);
    throw std::runtime_error("cannot connect to " + address.host + ":" + address.port);
  }
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() { ::close(socket_); }

void Connection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("connection lost");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string_view Connection::ReadLine() {
  for (size_t seen = begin_;;) {
    const void* const newline = std::memchr(buffer_.data() + seen, '\n', end_ - seen);
    if (newline != nullptr) {
      const char* const first = buffer_.data() + begin_;
      const size_t size = static_cast<size_t>(static_cast<const char*>(newline) - first);
      begin_ += size + 1;
      if (size == 0 || first[size - 1] != '\r') throw std::runtime_error("a line without CR LF");
      return {first, size - 1};
    }
    const size_t looked_at = end_ - begin_;
    Fill();
    seen = begin_ + looked_at;
  }
}

std::string_view Connection::ReadBytes(size_t size) {
  while (end_ - begin_ < size) Fill();
  begin_ += size;
  return {buffer_.data() + begin_ - size, size};
}

void Connection::Fill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == buffer_.size()) throw std::runtime_error("an answer of more than 64 KiB");
  const ssize_t got = ::recv(socket_, buffer_.data() + end_, buffer_.size() - end_, 0);
  if (got <= 0) throw std::runtime_error("connection lost");
  end_ += static_cast<size_t>(got);
}

}  // namespace starling::bench
