/// starling_lock_worker: a service with an embedded node that increments a file under a lock of the
/// cluster, again and again, until its standard input ends.
///
/// The file has a record of 64 bytes for each increment, appended whole: fencing token, number,
/// worker. As with anything that a lock protects, a record whose token is smaller than one before
/// it does not count (Kleppmann, "How to do distributed locking", 2016).
///
/// A line on standard input says what it does with the lock when it has it next:
///
///     hold-long          keeps it for twice its time to live, writes before and after
///     stop-before-look   stops itself (SIGSTOP), then looks whether it still holds the lock
///     stop-after-look    looks, and stops itself before it writes
///
/// A line on standard output says what happened; times are nanoseconds of the monotonic clock:
///
///     ready                     the node runs
///     granted ASKED TOLD TOKEN  it has the lock
///     wrote TOKEN NUMBER        a record was appended
///     stopping TOKEN            the next thing it does is to stop
///     late TOKEN                it saw that it holds the lock no longer, and did not write
///     lost TOKEN                the library has said so by itself
///     refused CODE: MESSAGE     it did not get the lock
///
/// Ends with 1, and says why on standard error, where something must not happen.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "starling/starling.h"

namespace starling {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWait{10'000};
constexpr milliseconds kToldWithin{10'000};
constexpr milliseconds kAfterRefusal{20};

struct Settings {
  NodeOptions node;
  std::string file;
  std::string lock = "file:lock";
  int64_t ttl_millis = 2000;
  int64_t hold_millis = 2;
};

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "starling_lock_worker: %s\n", why.c_str());
  std::_Exit(1);
}

void Say(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard guard(mutex);
  std::cout << line << std::endl;
}

int64_t Now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

/// The increments of all workers.
class SharedFile {
 public:
  SharedFile(const std::string& path, const std::string& worker)
      : file_(open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600)), worker_(worker) {
    if (file_ < 0) Fail("cannot open " + path);
  }
  ~SharedFile() { close(file_); }
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;

  /// The number that the records up to now come to.
  uint64_t Read() {
    char record[kSize];
    while (pread(file_, record, kSize, read_) == kSize) {
      const uint64_t token = std::strtoull(record, nullptr, 10);
      const uint64_t number = std::strtoull(record + kNumberAt, nullptr, 10);
      read_ += kSize;
      if (token < token_) continue;
      token_ = token;
      number_ = number;
    }
    return number_;
  }
  /// The greatest token of what was read.
  uint64_t token() const { return token_; }

  void Append(uint64_t token, uint64_t number) {
    char record[kSize + 1];
    std::snprintf(record, sizeof(record), "%020llu %010llu %-31s\n",
                  static_cast<unsigned long long>(token), static_cast<unsigned long long>(number),
                  worker_.substr(0, 31).c_str());
    if (write(file_, record, kSize) != kSize) Fail("cannot write a record");
  }

 private:
  static constexpr ssize_t kSize = 64;  // divides a page: no record is torn by SIGKILL
  static constexpr int kNumberAt = 21;

  const int file_;
  const std::string worker_;
  off_t read_ = 0;
  uint64_t token_ = 0;
  uint64_t number_ = 0;
};

class Worker {
 public:
  Worker(Node& node, const Settings& settings)
      : settings_(settings), locks_(node.locks()), file_(settings.file, node.name()) {
    thread_ = std::thread([this] {
      while (!over()) Turn();
    });
  }
  ~Worker() {
    {
      const std::lock_guard guard(mutex_);
      over_ = true;
    }
    thread_.join();
  }

  /// What to do with the lock when it has it next.
  void Next(std::string order) {
    const std::lock_guard guard(mutex_);
    order_ = std::move(order);
  }

 private:
  bool over() {
    const std::lock_guard guard(mutex_);
    return over_;
  }

  void Turn() {
    const auto told = std::make_shared<std::promise<void>>();
    const int64_t asked = Now();
    const Result<Lock> lock = locks_.Acquire(
        settings_.lock, {.ttl = milliseconds(settings_.ttl_millis), .wait = kWait, .lost = [told] {
                           told->set_value();
                         }});
    if (!lock) {
      Say(std::string("refused ") + CodeName(lock.error().code) + ": " + lock.error().message);
      std::this_thread::sleep_for(kAfterRefusal);
      return;
    }
    const std::string token = std::to_string(lock->fencing_token());
    Say("granted " + std::to_string(asked) + " " + std::to_string(Now()) + " " + token);
    std::string order;
    {
      const std::lock_guard guard(mutex_);
      order = std::exchange(order_, {});
    }
    if (Increment(*lock, order)) {
      if (order != "hold-long") return;
      std::this_thread::sleep_for(2 * milliseconds(settings_.ttl_millis));
      if (Increment(*lock, "")) return;
    }
    Say("late " + token);
    if (told->get_future().wait_for(kToldWithin) != std::future_status::ready) {
      Fail("the library does not say that the lock is lost");
    }
    Say("lost " + token);
  }

  /// False where it does not hold the lock any more; it has not written then.
  bool Increment(const Lock& lock, std::string_view order) {
    const uint64_t token = lock.fencing_token();
    const uint64_t number = file_.Read() + 1;
    if (order == "stop-before-look") Stop(token);
    std::this_thread::sleep_for(milliseconds(settings_.hold_millis));
    if (!lock.held()) return false;
    if (token < file_.token()) Fail("it holds the lock, but a later holder has written");
    if (order == "stop-after-look") Stop(token);
    file_.Append(token, number);
    Say("wrote " + std::to_string(token) + " " + std::to_string(number));
    return true;
  }

  static void Stop(uint64_t token) {
    Say("stopping " + std::to_string(token));
    std::raise(SIGSTOP);
  }

  const Settings settings_;
  const Locks locks_;
  SharedFile file_;
  std::mutex mutex_;  // guards what follows
  std::string order_;
  bool over_ = false;
  std::thread thread_;
};

int Run(const Settings& settings) {
  Result<Node> node = Node::Open(settings.node);
  if (!node) Fail(node.error().message);
  Say("ready");
  {
    Worker worker(*node, settings);
    for (std::string line; std::getline(std::cin, line);) worker.Next(line);
  }
  const Status closed = node->Close();
  if (!closed) Fail(closed.error().message);
  return 0;
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
  starling::Settings settings;
  settings.node.log_level = starling::LogLevel::kInfo;
  CLI::App app{"Increments a file under a lock until its standard input ends."};
  app.add_option("--name", settings.node.name, "this member")->required();
  app.add_option("--folder", settings.node.folder, "its data folder")->required();
  app.add_option("--meeting-folder", settings.node.meeting_folder_path, "where members meet")
      ->required();
  app.add_option("--file", settings.file, "what the lock protects")->required();
  app.add_option("--lock", settings.lock, "name of the lock")->capture_default_str();
  app.add_option("--ttl", settings.ttl_millis, "its time to live, in milliseconds")
      ->capture_default_str();
  app.add_option("--hold", settings.hold_millis, "how long each increment takes, in milliseconds")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return starling::Run(settings);
}
