#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <stdexcept>

#include "bench/lock_load/contender.h"

namespace starling::bench {
namespace {

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

/// The value of a field that is text, and stands once in the answer.
std::string Field(std::string_view json, std::string_view name) {
  const std::string before = '"' + std::string(name) + "\":\"";
  const size_t begin = json.find(before);
  const size_t end = json.find('"', begin + before.size());
  if (begin == json.npos || end == json.npos) {
    throw std::runtime_error("answered " + std::string(json));
  }
  return std::string(json.substr(begin + before.size(), end - begin - before.size()));
}

/// The session of etcd's own clients, without their library: a lease, and locks that end with it.
class Etcd final : public Contender {
 public:
  explicit Etcd(const ContenderOptions& options)
      : connection_(options.address), host_(options.address.host) {
    lock_ = R"({"name":")" + Base64(options.lock) + R"(","lease":")" +
            Field(Post("/v3/lease/grant", R"({"TTL":"600"})"), "ID") + R"("})";
  }
  bool Acquire() override {
    held_ = Field(Post("/v3/lock/lock", lock_), "key");
    return true;
  }
  void Release() override { Post("/v3/lock/unlock", R"({"key":")" + held_ + R"("})"); }

 private:
  std::string_view Post(std::string_view path, std::string_view body) {
    request_ = "POST ";
    request_.append(path).append(" HTTP/1.1\r\nHost: ").append(host_);
    request_ += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    request_.append(body);
    connection_.Send(request_);
    const std::string status(connection_.ReadLine());
    size_t size = 0;
    for (std::string_view line = connection_.ReadLine(); !line.empty();
         line = connection_.ReadLine()) {
      constexpr std::string_view kLength = "content-length: ";
      std::string header(line);
      std::ranges::transform(header, header.begin(),
                             [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (header.starts_with(kLength)) {
        std::from_chars(header.data() + kLength.size(), header.data() + header.size(), size);
      }
    }
    const std::string_view answer = connection_.ReadBytes(size);
    if (!status.starts_with("HTTP/1.1 200 ")) {
      throw std::runtime_error("answered " + status + ' ' + std::string(answer));
    }
    return answer;
  }

  Connection connection_;
  const std::string host_;
  std::string lock_;  // the body that asks for it
  std::string held_;
  std::string request_;
};

}  // namespace

std::unique_ptr<Contender> MakeEtcd(const ContenderOptions& options) {
  return std::make_unique<Etcd>(options);
}

}  // namespace starling::bench
