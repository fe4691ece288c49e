#include "tests/support/resp_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

namespace starling {
namespace {

constexpr int kMaxDepth = 16;
constexpr int64_t kMaxLength = int64_t{1} << 30;

Error IoError(std::string_view what) {
  return {Code::kIo, std::string(what) + ": " + std::strerror(errno)};
}

Result<int64_t> ParseLength(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > kMaxLength) {
    return Error{Code::kCorruption, "not a length: " + Quoted(text)};
  }
  return value;
}

}  // namespace

std::string Quoted(std::string_view bytes) {
  std::string text = "\"";
  for (char c : bytes) {
    if (c == '"' || c == '\\') {
      text.append({'\\', c});
    } else if (c >= ' ' && c <= '~') {
      text.push_back(c);
    } else {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\x%02x", static_cast<unsigned char>(c));
      text += escape;
    }
  }
  return text + '"';
}

int64_t RespReply::integer() const {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string RespReply::ToString() const {
  std::string out(1, type);
  if (null) return out + "(null)";
  if (!is_aggregate()) return out + Quoted(text);
  out += "[";
  for (const RespReply& element : elements) {
    if (out.size() > 2) out += " ";
    out += element.ToString();
  }
  return out + "]";
}

Result<RespClient> RespClient::Connect(uint16_t port, std::chrono::milliseconds timeout) {
  int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return IoError("socket");
  RespClient client(descriptor);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return IoError("connect to port " + std::to_string(port));
  }
  int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  timeval limit{};
  limit.tv_sec = timeout.count() / 1000;
  limit.tv_usec = static_cast<suseconds_t>(timeout.count() % 1000) * 1000;
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  return client;
}

RespClient::RespClient(RespClient&& other) noexcept { *this = std::move(other); }

RespClient& RespClient::operator=(RespClient&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(input_, other.input_);
  std::swap(read_, other.read_);
  return *this;
}

RespClient::~RespClient() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status RespClient::Send(Words words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out += word;
    out += "\r\n";
  }
  for (size_t sent = 0; sent < out.size();) {
    ssize_t count = ::send(descriptor_, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return IoError("send");
    sent += static_cast<size_t>(count);
  }
  return {};
}

Status RespClient::Fill() {
  char buffer[16 << 10];
  ssize_t count;
  do {
    count = ::recv(descriptor_, buffer, sizeof(buffer), 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return IoError("receive");
  if (count == 0) return Error{Code::kIo, "the server closed the connection"};
  input_.append(buffer, static_cast<size_t>(count));
  return {};
}

Result<std::string_view> RespClient::Line() {
  size_t end;
  while ((end = input_.find("\r\n", read_)) == std::string::npos) {
    if (Status filled = Fill(); !filled) return filled.error();
  }
  std::string_view line(input_.data() + read_, end - read_);
  read_ = end + 2;
  return line;
}

Result<RespReply> RespClient::Parse(int depth) {
  if (depth > kMaxDepth) return Error{Code::kCorruption, "a reply nests too deep"};
  Result<std::string_view> line = Line();
  if (!line) return line.error();
  if (line->empty()) return Error{Code::kCorruption, "an empty line instead of a reply"};
  RespReply reply;
  reply.type = line->front();
  std::string rest(line->substr(1));
  switch (reply.type) {
    case '+':
    case '-':
    case ':':
    case ',':
    case '#':
    case '(':
      reply.text = std::move(rest);
      return reply;
    case '_':
      reply.null = true;
      return reply;
    case '$':
    case '=':
    case '!':
    case '*':
    case '~':
    case '>':
    case '%':
      break;
    default:
      return Error{Code::kCorruption, "not a reply: " + Quoted(*line)};
  }
  Result<int64_t> length = ParseLength(rest);
  if (!length) return length.error();
  if (*length < 0) {
    reply.null = true;
    return reply;
  }
  if (reply.is_aggregate()) {
    int64_t elements = reply.type == '%' ? 2 * *length : *length;
    for (int64_t i = 0; i < elements; ++i) {
      Result<RespReply> element = Parse(depth + 1);
      if (!element) return element.error();
      reply.elements.push_back(std::move(*element));
    }
    return reply;
  }
  size_t size = static_cast<size_t>(*length);
  while (input_.size() < read_ + size + 2) {
    if (Status filled = Fill(); !filled) return filled.error();
  }
  reply.text = input_.substr(read_, size);
  read_ += size;
  if (input_.compare(read_, 2, "\r\n") != 0) {
    return Error{Code::kCorruption, "a bulk string without its line end"};
  }
  read_ += 2;
  return reply;
}

Result<RespReply> RespClient::Receive() {
  Result<RespReply> reply = Parse(0);
  input_.erase(0, read_);
  read_ = 0;
  return reply;
}

Result<RespReply> RespClient::Call(Words words) {
  if (Status sent = Send(words); !sent) return sent.error();
  return Receive();
}

Result<RespReply> RespClient::Call(std::initializer_list<std::string> words) {
  return Call(Words(words.begin(), words.size()));
}

}  // namespace starling
