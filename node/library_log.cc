#include "node/library_log.h"

#include <mutex>
#include <string>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace starling {
namespace {

constexpr struct {
  LogLevel ours;
  spdlog::level::level_enum theirs;
} kLevels[] = {{LogLevel::kDebug, spdlog::level::debug},
               {LogLevel::kInfo, spdlog::level::info},
               {LogLevel::kWarning, spdlog::level::warn},
               {LogLevel::kError, spdlog::level::err}};

class ServiceSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ServiceSink(LogSink service) : service_(std::move(service)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    LogLevel level = LogLevel::kError;  // also for what is above it
    for (const auto& known : kLevels) {
      if (known.theirs == message.level) level = known.ours;
    }
    if (message.level == spdlog::level::trace) level = LogLevel::kDebug;
    service_(level, std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

  LogSink service_;
};

}  // namespace

std::shared_ptr<spdlog::logger> MakeLibraryLog(LogLevel level, LogSink sink) {
  spdlog::sink_ptr target;
  if (sink) {
    target = std::make_shared<ServiceSink>(std::move(sink));
  } else {
    target = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  auto log = std::make_shared<spdlog::logger>("starling", std::move(target));
  for (const auto& known : kLevels) {
    if (known.ours == level) log->set_level(known.theirs);
  }
  return log;
}

}  // namespace starling
