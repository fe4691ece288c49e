/// A blocking connection that is read in lines and in blocks of known size. One thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace starling::bench {

/// Where a server listens.
struct Address {
  std::string host;
  std::string port;
};

class Connection {
 public:
  /// Throws std::runtime_error where nobody listens.
  explicit Connection(const Address& address);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Throws std::runtime_error, as all below, when the connection is lost.
  void Send(std::string_view bytes);
  /// The next line, without its CR LF; valid until the next call.
  std::string_view ReadLine();
  /// The next `size` bytes; valid until the next call.
  std::string_view ReadBytes(size_t size);

 private:
  /// Reads once more behind what is buffered.
  void Fill();

  int socket_ = -1;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace starling::bench
