#include "tests/server/test_daemon.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

#include "tests/support/eventually.h"

namespace starling {
namespace {

// A machine that stands still for seconds fails no test; a server that hangs does.
constexpr int kReadTimeoutSeconds = 60;

/// Who is stopped and goes on (SIGSTOP, a frozen container) finds its call interrupted.
ssize_t Read(int socket, char* to, size_t count) {
  ssize_t some = 0;
  do {
    some = ::recv(socket, to, count, 0);
  } while (some < 0 && errno == EINTR);
  return some;
}

}  // namespace

TestClient::TestClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval timeout{kReadTimeoutSeconds, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

void TestClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // the server hung up: the reply, or its absence, tells
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void TestClient::SendCommand(const std::vector<std::string>& words) {
  std::string request = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    request += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  Send(request);
}

std::string TestClient::Receive(size_t count) {
  std::string bytes(count, '\0');
  size_t received = 0;
  while (received < count) {
    const ssize_t some = Read(socket_.get(), bytes.data() + received, count - received);
    EXPECT_TRUE(some >= 0 || errno != EAGAIN) << "no answer in time";
    if (some <= 0) break;
    received += static_cast<size_t>(some);
  }
  bytes.resize(received);
  return bytes;
}

std::string TestClient::ReceiveLine() {
  std::string line;
  while (!line.ends_with("\r\n")) {
    const std::string byte = Receive(1);
    if (byte.empty()) break;
    line += byte;
  }
  return line;
}

std::string TestClient::ReceiveReply() {
  std::string reply = ReceiveLine();
  if (reply.size() < 3) return reply;
  const char type = reply[0];
  const long length = type == '+' || type == '-' ? 0 : std::strtol(reply.c_str() + 1, nullptr, 10);
  if ((type == '$' || type == '=') && length >= 0) {
    reply += Receive(static_cast<size_t>(length) + 2);
  } else if (type == '*' || type == '%' || type == '~' || type == '>') {
    const long elements = type == '%' ? 2 * length : length;
    for (long i = 0; i < elements; ++i) reply += ReceiveReply();
  }
  return reply;
}

bool TestClient::Ended() {
  char byte = 0;
  const ssize_t count = Read(socket_.get(), &byte, 1);
  return count == 0 || (count < 0 && errno == ECONNRESET);
}

Settings TestDaemon::Defaults() {
  Settings settings;
  settings.name = "test";
  settings.bind = {"127.0.0.1"};
  settings.port = 0;
  settings.appendonly = false;
  settings.meeting_folder = "no";
  settings.loglevel = LogLevel::kError;
  settings.io_threads = 2;
  settings.leave_timeout = std::chrono::milliseconds(0);
  return settings;
}

bool AreWaiting(TestClient& asks, int clients) {
  const std::string wanted = "blocked_clients:" + std::to_string(clients) + "\r\n";
  return Eventually([&] {
    return asks.Ask({"INFO", "clients"}).find(wanted) != std::string::npos;
  });
}

TestDaemon::TestDaemon(Settings settings) {
  Result<std::unique_ptr<Log>> log = Log::Open("", settings.loglevel);
  log_ = std::move(*log);
  DaemonOptions options;
  options.settings = std::move(settings);
  options.on_shutdown = [this] { control_.stop(); };
  Result<std::unique_ptr<Daemon>> daemon = Daemon::Start(control_, std::move(options), *log_);
  if (!daemon.ok()) {
    ADD_FAILURE() << daemon.error().message;
    std::abort();
  }
  daemon_ = std::move(*daemon);
  thread_ = std::thread([this] { control_.run(); });
}

void TestDaemon::WaitForShutdown() { thread_.join(); }

TestDaemon::~TestDaemon() {
  control_.stop();
  if (thread_.joinable()) thread_.join();
  EXPECT_TRUE(daemon_->Stop().ok());
}

}  // namespace starling
