#include "server/daemon.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "node/keyspace_gate.h"
#include "node/version.h"
#include "server/admission.h"
#include "server/io_thread.h"
#include "server/process_memory.h"
#include "storage/backup.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

/// Files the process needs besides clients: sockets of members, RocksDB's files, logs.
constexpr rlim_t kOwnDescriptors = 256;
constexpr int kMostDefaultThreads = 8;
constexpr std::string_view kPortsFileBegins = "port=";

/// Half the processors serve clients; the rest is for replication, background and the clients of
/// this host themselves.
int ThreadCount(const Settings& settings) {
  if (settings.io_threads > 0) return settings.io_threads;
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(processors / 2, 1, kMostDefaultThreads);
}

/// An error where the path names something that no process of ours has written: it is neither
/// replaced nor removed.
Status CheckPortsFile(const std::string& path) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(path, ignored);
  if (path.empty() || status.type() == fs::file_type::not_found) return {};
  std::string begins(kPortsFileBegins.size(), '\0');
  if (fs::is_regular_file(status)) {
    std::ifstream in(path);
    in.read(begins.data(), static_cast<std::streamsize>(begins.size()));
    begins.resize(static_cast<size_t>(in.gcount()));
  }
  if (fs::is_regular_file(status) && (begins.empty() || begins == kPortsFileBegins)) return {};
  return Error{Code::kInvalidArgument, "option --ports-file: " + path +
                                           " is there already and no ports file; name a new file"};
}

Result<std::string> ReadSecret(const std::string& path, spdlog::logger& log) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
  std::string secret = std::move(text).str();
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) {
    return Error{Code::kIo, "option --secret-file: " + path + " cannot be read or is empty"};
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
    log.warn("event=secret_readable file={} reason=\"any user of this host can read it\"", path);
  }
  return secret;
}

Result<RuntimeOptions> OptionsFor(const Settings& settings, spdlog::logger& log) {
  RuntimeOptions options;
  options.name = settings.name;
  options.cluster = settings.cluster;
  options.folder = settings.appendonly ? settings.dir : "";
  options.appendfsync = settings.appendfsync;
  const std::string& bind = settings.bind.front();
  options.bind = bind.substr(bind.starts_with('-') ? 1 : 0);
  if (options.bind == "*") options.bind = "0.0.0.0";
  options.advertise = settings.advertise;
  options.gossip_port = static_cast<uint16_t>(settings.gossip_port);
  options.join = settings.join;
  options.expect = settings.expect;
  options.voters = settings.voters;
  options.meeting_folder = settings.meeting_folder != "no";
  if (options.meeting_folder) options.meeting_folder_path = settings.meeting_folder;
  options.forget_after = settings.forget_after;
  options.max_clock_skew = settings.max_clock_skew;
  options.restored = !settings.restore.empty();
  if (!settings.secret_file.empty()) {
    Result<std::string> secret = ReadSecret(settings.secret_file, log);
    if (!secret) return secret.error();
    options.secret = std::move(*secret);
  }
  return options;
}

}  // namespace

Status RaiseDescriptorLimit(int maxclients) {
  const rlim_t wanted = static_cast<rlim_t>(maxclients) + kOwnDescriptors;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return {};
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = wanted;
  limit.rlim_max = std::max(limit.rlim_max, wanted);
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return {};
  return Error{Code::kLimitExceeded, "the operating system allows this process " +
                                         std::to_string(before) + " open files, and maxclients " +
                                         std::to_string(maxclients) + " needs " +
                                         std::to_string(wanted)};
}

Result<std::unique_ptr<Daemon>> Daemon::Start(asio::io_context& control, DaemonOptions options,
                                              Log& log) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(options), log));
  Settings& settings = daemon->options_.settings;
  if (settings.bind.empty())
    return Error{Code::kInvalidArgument, "option --bind: names no address"};
  Status limit = RaiseDescriptorLimit(settings.maxclients);
  if (!limit.ok()) log.logger()->warn("event=few_descriptors reason=\"{}\"", limit.error().message);

  Result<std::unique_ptr<Listener>> listener = Listener::Open(control, settings, log.logger());
  if (!listener) return listener.error();
  daemon->listener_ = std::move(*listener);
  Status done = ResolveSettings(daemon->port(), daemon->options_.environment, settings);
  if (!done.ok()) return done.error();
  log.SetNode(settings.name);
  done = daemon->OpenNode();
  if (!done.ok()) return done.error();
  daemon->Serve();
  done = daemon->WritePortsFile();
  if (!done.ok()) return done.error();
  log.logger()->info("event=ready port={} gossip_port={} name={} cluster={} pid={} version={}",
                     daemon->port(), daemon->gossip_port(), settings.name, settings.cluster,
                     ::getpid(), kProgramVersion);
  return daemon;
}

Daemon::~Daemon() { (void)Stop(); }

/// Who can reach the gossip port can join and read all, unless members prove a secret.
void WarnOfOpenGossip(const Settings& settings, spdlog::logger& log) {
  if (settings.bind.empty() || !settings.secret_file.empty()) return;
  const std::string& first = settings.bind.front();
  const std::string host = first.substr(first.starts_with('-') ? 1 : 0);
  const bool own_host = host.starts_with("127.") || host == "::1" || host == "localhost";
  if (own_host) return;
  log.warn(
      "event=gossip_open address={} reason=\"whoever reaches the gossip port can join: give every "
      "member the same --secret-file\"",
      host);
}

Status Daemon::OpenNode() {
  Settings& settings = options_.settings;
  if (Status ports = CheckPortsFile(PortsFile()); !ports.ok()) return ports;
  std::error_code ignored;
  if (!PortsFile().empty()) fs::remove(PortsFile(), ignored);  // an older process's
  if (!settings.restore.empty()) {
    if (!settings.appendonly) {
      return Error{Code::kInvalidArgument, "option --restore: needs --appendonly yes"};
    }
    Status restored = RestoreBackup(settings.restore, settings.dir);
    if (!restored.ok()) {
      return Error{restored.error().code, "option --restore: " + restored.error().message};
    }
  }
  Result<RuntimeOptions> runtime_options = OptionsFor(settings, *log_.logger());
  if (!runtime_options) return runtime_options.error();
  Result<std::unique_ptr<Runtime>> runtime = Runtime::Start(*runtime_options, log_.logger());
  if (!runtime) return runtime.error();
  runtime_ = std::move(*runtime);
  WarnOfOpenGossip(settings, *log_.logger());
  settings.gossip_port = runtime_->gossip_port();
  return {};
}

void Daemon::Serve() {
  shared_ = std::make_unique<SharedState>(*runtime_, options_.settings, options_.config_file,
                                          log_.logger());
  TimeSource& time = shared_->store.clock().time();
  shared_->started = time.Monotonic();
  shared_->started_wall_millis = time.WallMillis();
  shared_->startup_memory = ReadResidentMemory().now;
  shared_->end_process = [this](bool) { options_.on_shutdown(); };
  runtime_->gate().SetPatience(options_.settings.busy_reply_threshold);
  shared_->config.SetApplier([this](const Settings& next) { return ApplyChanged(next); });
  for (int i = 0; i < ThreadCount(options_.settings); ++i) {
    shared_->threads.push_back(std::make_unique<IoThread>(*shared_, i));
  }
  for (const std::unique_ptr<IoThread>& thread : shared_->threads) thread->Start();
  listener_->Start(options_.settings.tcp_keepalive,
                   [this](Connection connection) { Admit(std::move(connection)); });
}

void Daemon::Admit(Connection connection) {
  shared_->connections_received.fetch_add(1, std::memory_order_relaxed);
  const std::shared_ptr<const Settings> settings = shared_->config.settings();
  const std::string_view refusal =
      RefusalFor(*settings, connection.loopback_peer, shared_->clients.load());
  if (!refusal.empty()) {
    shared_->connections_rejected.fetch_add(1, std::memory_order_relaxed);
    log_.logger()->debug("event=client_refused peer={}", connection.peer);
    // One try: who cannot take so little at once is told nothing.
    (void)::send(connection.socket.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL);
    return;
  }
  shared_->clients.fetch_add(1, std::memory_order_relaxed);
  const auto least =
      std::min_element(shared_->threads.begin(), shared_->threads.end(),
                       [](const auto& a, const auto& b) { return a->assigned() < b->assigned(); });
  (*least)->Adopt(
      {std::move(connection.socket), std::move(connection.peer), std::move(connection.local)});
}

Status Daemon::ApplyChanged(const Settings& next) {
  Status limit = RaiseDescriptorLimit(next.maxclients);
  if (!limit.ok()) return limit;
  if (Status status = shared_->store.SetAppendFsync(next.appendfsync); !status.ok()) return status;
  runtime_->gate().SetPatience(next.busy_reply_threshold);
  log_.SetLevel(next.loglevel);
  return {};
}

std::string Daemon::PortsFile() const {
  const Settings& settings = options_.settings;
  if (!settings.ports_file.empty()) return settings.ports_file;
  return settings.appendonly ? settings.dir + "/starlingd.ports" : "";
}

Status Daemon::WritePortsFile() {
  const std::string path = PortsFile();
  if (path.empty()) return {};
  // Renamed into place: who sees the file sees all of it.
  const std::string fresh = path + ".new";
  {
    std::ofstream out(fresh, std::ios::trunc);
    out << kPortsFileBegins << port() << "\ngossip_port=" << gossip_port()
        << "\nname=" << options_.settings.name << "\npid=" << ::getpid() << "\n";
    out.flush();
    if (!out) return Error{Code::kIo, "ports file " + fresh + " cannot be written"};
  }
  std::error_code failure;
  fs::rename(fresh, path, failure);
  if (failure) return Error{Code::kIo, "ports file " + path + ": " + failure.message()};
  wrote_ports_file_ = true;
  return {};
}

Status Daemon::Stop() {
  if (stopped_) return {};
  stopped_ = true;
  if (listener_ != nullptr) listener_->Close();
  if (shared_ != nullptr) {
    shared_->scripting.Stop();
    for (const std::unique_ptr<IoThread>& thread : shared_->threads) thread->Stop();
  }
  if (runtime_ == nullptr) return {};
  Status left = runtime_->Leave(options_.settings.leave_timeout);
  if (!left.ok()) log_.logger()->warn("event=left_early reason=\"{}\"", left.error().message);
  if (shared_ != nullptr) shared_->orders.reset();
  Status closed = runtime_->Close();
  std::error_code ignored;
  if (wrote_ports_file_) fs::remove(PortsFile(), ignored);
  return closed;
}

}  // namespace starling
