/// The daemon's log: `key=value` lines on standard output or in a file that can be reopened.
///
/// Thread-safe.
#pragma once

#include <memory>
#include <string>

#include <spdlog/logger.h>

#include "server/settings.h"
#include "starling/result.h"

namespace starling {

class Log {
 public:
  /// `file` empty: standard output. Errors: kIo names the file.
  static Result<std::unique_ptr<Log>> Open(const std::string& file, LogLevel level);

  const std::shared_ptr<spdlog::logger>& logger() const { return logger_; }
  /// Puts `node=<name>` into every line from here on.
  void SetNode(const std::string& name);
  void SetLevel(LogLevel level);
  /// Opens the file's path anew, after a rotation. What cannot be opened is told on standard error;
  /// lines go on to the old file then.
  void Reopen();

 private:
  class FileSink;
  Log(std::shared_ptr<spdlog::logger> logger, std::shared_ptr<FileSink> file);

  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<FileSink> file_;  // null: standard output
};

}  // namespace starling
