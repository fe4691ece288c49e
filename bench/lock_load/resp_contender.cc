#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>

#include "bench/lock_load/contender.h"

namespace starling::bench {
namespace {

constexpr std::string_view kTtlMillis = "30000";
constexpr std::string_view kWaitMillis = "10000";
constexpr std::string_view kCompareAndDelete =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Requests and answers of Redis's protocol, one at a time.
class RespContender : public Contender {
 protected:
  explicit RespContender(const ContenderOptions& options)
      : connection_(options.address), lock_(options.lock), name_(options.name) {}

  void Send(std::initializer_list<std::string_view> words) {
    request_ = '*' + std::to_string(words.size()) + "\r\n";
    for (const std::string_view word : words) {
      request_ += '$' + std::to_string(word.size()) + "\r\n";
      request_.append(word).append("\r\n");
    }
    connection_.Send(request_);
  }
  /// The answer's first line.
  std::string_view Line() { return connection_.ReadLine(); }
  std::string Bulk() {
    const std::string_view line = Line();
    size_t size = 0;
    if (!line.starts_with('$') ||
        std::from_chars(line.data() + 1, line.data() + line.size(), size).ec != std::errc{}) {
      Unexpected(line);
    }
    const std::string_view bytes = connection_.ReadBytes(size + 2);
    return std::string(bytes.substr(0, size));
  }
  void Expect(std::string_view wanted) {
    const std::string_view line = Line();
    if (line != wanted) Unexpected(line);
  }
  [[noreturn]] static void Unexpected(std::string_view line) {
    throw std::runtime_error("answered " + std::string(line));
  }
  /// Each holding has a token of its own, as clients' libraries make them.
  void NextToken() { token_ = name_ + ':' + std::to_string(++turns_); }

  const std::string& lock() const { return lock_; }
  const std::string& token() const { return token_; }

 private:
  Connection connection_;
  const std::string lock_;
  const std::string name_;
  uint64_t turns_ = 0;
  std::string token_;
  std::string request_;
};

class Asking final : public RespContender {
 public:
  explicit Asking(const ContenderOptions& options) : RespContender(options) {
    Send({"SCRIPT", "LOAD", kCompareAndDelete});
    script_ = Bulk();
  }
  bool Acquire() override {
    NextToken();
    Send({"SET", lock(), token(), "NX", "PX", kTtlMillis});
    const std::string_view line = Line();
    if (line == "$-1") return false;
    if (line != "+OK") Unexpected(line);
    return true;
  }
  void Release() override {
    Send({"EVALSHA", script_, "1", lock(), token()});
    Expect(":1");
  }

 private:
  std::string script_;
};

class Waiting final : public RespContender {
 public:
  explicit Waiting(const ContenderOptions& options) : RespContender(options) {}
  bool Acquire() override {
    NextToken();
    Send({"STARLING", "ACQUIRE", token(), kTtlMillis, kWaitMillis, lock()});
    Expect("*2");
    if (Bulk() != lock()) throw std::runtime_error("another lock was granted");
    Bulk();  // the fencing token
    return true;
  }
  void Release() override {
    Send({"STARLING", "RELEASE", lock(), token()});
    Expect(":1");
  }
};

}  // namespace

std::unique_ptr<Contender> MakeAsking(const ContenderOptions& options) {
  return std::make_unique<Asking>(options);
}
std::unique_ptr<Contender> MakeWaiting(const ContenderOptions& options) {
  return std::make_unique<Waiting>(options);
}

}  // namespace starling::bench
