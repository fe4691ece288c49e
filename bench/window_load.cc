// A sliding-window load that redis-benchmark cannot make: three commands that belong together.
//
//     starling_window_load HOST PORT CONNECTIONS STEPS_AT_ONCE STEPS KEYS
//
// A step is what a rate limiter sends for one request: ZREMRANGEBYSCORE of what has left the
// window, ZADD of the request, ZCARD; STEPS_AT_ONCE of them go out in one write, and their answers
// are waited for. Each window holds 100 members, so each step removes one: every answer is
// compared, and a wrong one ends the run. Prints commands a second of the steps alone.

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t kMembers = 100;
constexpr std::string_view kStepAnswer = ":1\r\n:1\r\n:100\r\n";

struct Plan {
  size_t connections = 0;
  size_t at_once = 0;
  size_t steps = 0;
  size_t keys = 0;
};

void Append(std::string& out, const std::vector<std::string_view>& words) {
  out += '*' + std::to_string(words.size()) + "\r\n";
  for (std::string_view word : words) {
    out += '$' + std::to_string(word.size()) + "\r\n";
    out.append(word).append("\r\n");
  }
}

/// One key's window: a member for each of the last kMembers scores.
class Window {
 public:
  explicit Window(size_t number) : key_("window:" + std::to_string(number)) {}

  void AppendFill(std::string& out) {
    std::vector<std::string> words{"ZADD", key_};
    for (; next_ < kMembers; ++next_) {
      words.push_back(Score(next_));
      words.push_back(Member());
    }
    Append(out, {"DEL", key_});
    Append(out, {words.begin(), words.end()});
  }
  void AppendStep(std::string& out) {
    Append(out, {"ZREMRANGEBYSCORE", key_, "-inf", Score(next_ - kMembers)});
    Append(out, {"ZADD", key_, Score(next_), Member()});
    Append(out, {"ZCARD", key_});
    ++next_;
  }

 private:
  // Scores as a clock gives them, in microseconds.
  static std::string Score(size_t number) { return std::to_string(1'700'000'000'000'000 + number); }
  std::string Member() const { return Score(next_) + "-7"; }

  std::string key_;
  size_t next_ = 0;
};

class Connection {
 public:
  Connection(const addrinfo& address, std::vector<Window> windows) : windows_(std::move(windows)) {
    socket_ = ::socket(address.ai_family, SOCK_STREAM, 0);
    if (socket_ < 0 || ::connect(socket_, address.ai_addr, address.ai_addrlen) != 0) {
      throw std::runtime_error("cannot connect");
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(socket_); }

  int socket() const { return socket_; }

  void Fill() {
    for (Window& window : windows_) {
      std::string request;
      window.AppendFill(request);
      Send(request);
      for (size_t lines = 0; lines < 2;) {
        const std::string_view answer = Receive();
        for (const char byte : answer) lines += byte == '\n' ? 1 : 0;
      }
    }
  }

  /// Sends `count` steps; they go to the windows in turn.
  void Start(size_t count) {
    request_.clear();
    for (size_t i = 0; i < count; ++i) windows_[next_++ % windows_.size()].AppendStep(request_);
    Send(request_);
    expected_ = count * kStepAnswer.size();
    received_ = 0;
  }
  /// Reads once; whether all answers are there.
  bool Continue() {
    for (const char byte : Receive()) {
      if (byte != kStepAnswer[received_++ % kStepAnswer.size()]) {
        throw std::runtime_error("a step was not answered 1, 1, 100");
      }
    }
    return received_ == expected_;
  }

 private:
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("connection lost");
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  std::string_view Receive() {
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    if (got <= 0) throw std::runtime_error("connection lost");
    return {buffer_.data(), static_cast<size_t>(got)};
  }

  int socket_ = -1;
  std::vector<Window> windows_;
  size_t next_ = 0;
  std::string request_;
  size_t expected_ = 0;
  size_t received_ = 0;
  std::array<char, 16384> buffer_;
};

/// Commands a second.
double Run(const addrinfo& address, const Plan& plan) {
  std::vector<std::unique_ptr<Connection>> connections;
  const int poll = ::epoll_create1(0);
  for (size_t i = 0; i < plan.connections; ++i) {
    std::vector<Window> windows;
    for (size_t key = i; key < plan.keys; key += plan.connections) windows.emplace_back(key);
    connections.push_back(std::make_unique<Connection>(address, std::move(windows)));
    connections.back()->Fill();
    epoll_event event{EPOLLIN, {connections.back().get()}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, connections.back()->socket(), &event);
  }
  const auto began = std::chrono::steady_clock::now();
  size_t started = 0;
  size_t open = 0;
  const auto start = [&](Connection& connection) {
    if (started >= plan.steps) return;
    connection.Start(plan.at_once);
    started += plan.at_once;
    ++open;
  };
  for (const auto& connection : connections) start(*connection);
  while (open > 0) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(poll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      if (!connection.Continue()) continue;
      --open;
      start(connection);
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  ::close(poll);
  return 3 * static_cast<double>(started) / took.count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fputs("usage: starling_window_load HOST PORT CONNECTIONS STEPS_AT_ONCE STEPS KEYS\n",
               stderr);
    return 2;
  }
  Plan plan;
  size_t* const numbers[] = {&plan.connections, &plan.at_once, &plan.steps, &plan.keys};
  for (size_t i = 0; i < 4; ++i) *numbers[i] = std::strtoull(argv[i + 3], nullptr, 10);
  if (plan.connections == 0 || plan.at_once == 0 || plan.keys < plan.connections) {
    std::fputs("starling_window_load: each connection needs a key, and a step to send\n", stderr);
    return 2;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* address = nullptr;
  if (::getaddrinfo(argv[1], argv[2], &hints, &address) != 0) {
    std::fputs("starling_window_load: unknown host or port\n", stderr);
    return 1;
  }
  int status = 0;
  try {
    std::printf("%.0f\n", Run(*address, plan));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "starling_window_load: %s\n", failure.what());
    status = 1;
  }
  ::freeaddrinfo(address);
  return status;
}
