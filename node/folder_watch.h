/// Tells when something changes in a folder (inotify), so that looking again need not wait for a
/// timer.
///
/// Belongs to the io_context's thread. A help, not a promise: where the kernel refuses a watch, or
/// events are lost, nothing is told, and the owner's slow look finds out.
#pragma once

#include <array>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

namespace starling {

class FolderWatch {
 public:
  /// Calls `changed` a moment after each burst of changes.
  FolderWatch(asio::io_context& io, const std::string& path, std::function<void()> changed);
  ~FolderWatch() { Stop(); }
  void Stop();

 private:
  void Read();

  asio::posix::stream_descriptor descriptor_;
  asio::steady_timer settle_;
  std::function<void()> changed_;
  bool settling_ = false;
  std::array<char, 4096> buffer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace starling
