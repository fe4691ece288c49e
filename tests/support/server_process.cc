#include "tests/support/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/support/resp_client.h"

namespace starling {
namespace {

constexpr std::chrono::seconds kStartLimit{60};
constexpr int kStartAttempts = 5;
constexpr size_t kOutputShown = 4096;

/// A port that was free a moment ago; who takes it meanwhile makes the start fail and be tried
/// again.
uint16_t DrawFreePort() {
  int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  uint16_t port = 0;
  if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0) {
    port = ntohs(address.sin_port);
  }
  ::close(descriptor);
  return port;
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(const CommandLine& command_line) {
  Status ready = Error{Code::kIo, "never tried"};
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    std::unique_ptr<ServerProcess> server(new ServerProcess());
    std::string folder = std::filesystem::temp_directory_path() / "starling-server-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) {
      return Error{Code::kIo, "mkdtemp " + folder + ": " + std::strerror(errno)};
    }
    server->folder_ = folder;
    server->port_ = DrawFreePort();
    ready = server->Spawn(command_line(server->port_, folder + "/data"));
    if (ready) ready = server->AwaitReady();
    if (ready) return server;
  }
  return ready.error();
}

Status ServerProcess::Spawn(const std::vector<std::string>& command_line) {
  std::filesystem::create_directory(folder_ + "/data");
  std::string output = folder_ + "/output";
  std::vector<char*> words;
  for (const std::string& word : command_line) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ < 0) return Error{Code::kIo, std::string("fork: ") + std::strerror(errno)};
  if (process_ == 0) {
    // Only calls that are safe between fork and exec.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    int descriptor = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(descriptor, STDOUT_FILENO);
    ::dup2(descriptor, STDERR_FILENO);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  return {};
}

Status ServerProcess::AwaitReady() {
  auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < limit) {
    if (!Running()) return Error{Code::kIo, "the server ended at once:\n" + Output()};
    if (Result<RespClient> client = RespClient::Connect(port_)) {
      if (Result<RespReply> reply = client->Call({"PING"}); reply && reply->text == "PONG")
        return {};
    }
    // The server opens its port when it likes: there is nothing to wait on but trying again.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return Error{Code::kIo, "the server does not answer:\n" + Output()};
}

bool ServerProcess::Running() {
  if (process_ <= 0) return false;
  if (::waitpid(process_, nullptr, WNOHANG) == 0) return true;
  process_ = -1;
  return false;
}

std::string ServerProcess::Output() const {
  std::ifstream file(folder_ + "/output", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return text.size() > kOutputShown ? text.substr(text.size() - kOutputShown) : text;
}

ServerProcess::~ServerProcess() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  if (!folder_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
}

}  // namespace starling
