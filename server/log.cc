#include "server/log.h"

#include <fcntl.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "server/descriptor.h"

namespace starling {
namespace {

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

Descriptor OpenForAppend(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
}

}  // namespace

/// Appends whole lines by one write each, so that nothing is lost when the process dies.
class Log::FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  FileSink(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}

  void Reopen() {
    Descriptor fresh = OpenForAppend(path_);
    if (!fresh) {
      std::fprintf(stderr, "log file %s cannot be opened: %s\n", path_.c_str(),
                   std::strerror(errno));
      return;
    }
    std::lock_guard lock(mutex_);
    file_ = std::move(fresh);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // A full disk must not stop the node; what is lost is the line.
    [[maybe_unused]] ssize_t written = ::write(file_.get(), line.data(), line.size());
  }
  void flush_() override {}

 private:
  const std::string path_;
  Descriptor file_;  // guarded by mutex_
};

Log::Log(std::shared_ptr<spdlog::logger> logger, std::shared_ptr<FileSink> file)
    : logger_(std::move(logger)), file_(std::move(file)) {}

Result<std::unique_ptr<Log>> Log::Open(const std::string& file, LogLevel level) {
  std::shared_ptr<FileSink> sink;
  std::shared_ptr<spdlog::logger> logger;
  if (file.empty()) {
    logger = std::make_shared<spdlog::logger>("starlingd",
                                              std::make_shared<spdlog::sinks::stdout_sink_mt>());
  } else {
    Descriptor opened = OpenForAppend(file);
    if (!opened) {
      return Error{Code::kIo, "option --logfile: " + file + ": " + std::strerror(errno)};
    }
    sink = std::make_shared<FileSink>(file, std::move(opened));
    logger = std::make_shared<spdlog::logger>("starlingd", sink);
  }
  logger->set_level(LevelOf(level));
  logger->flush_on(spdlog::level::debug);
  std::unique_ptr<Log> log(new Log(std::move(logger), std::move(sink)));
  log->SetNode("-");
  return log;
}

void Log::SetNode(const std::string& name) {
  logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z level=%l node=" + name + " %v");
}

void Log::SetLevel(LogLevel level) { logger_->set_level(LevelOf(level)); }

void Log::Reopen() {
  if (file_ != nullptr) file_->Reopen();
}

}  // namespace starling
