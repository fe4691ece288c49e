/// starlingd: one node of a starling cluster, as a process.
///
/// SIGTERM and SIGINT end it gracefully, a second one at once; SIGHUP reopens the log file. Exit
/// status: 0 after a graceful end, 1 when it could not start or could not close its data cleanly.
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "node/version.h"
#include "server/daemon.h"
#include "server/heap_trimmer.h"
#include "server/log.h"
#include "server/settings_sources.h"

namespace {

using starling::Daemon;
using starling::DaemonOptions;
using starling::LoadedSettings;
using starling::Log;
using starling::Result;
using starling::Status;

int Fail(const std::string& message) {
  std::fprintf(stderr, "starlingd: %s\n", message.c_str());
  return 1;
}

void ReopenOnHangup(asio::signal_set& hangup, Log& log) {
  hangup.async_wait([&hangup, &log](std::error_code failure, int) {
    if (failure) return;
    log.Reopen();
    log.logger()->info("event=log_reopened");
    ReopenOnHangup(hangup, log);
  });
}

int Serve(LoadedSettings loaded) {
  Result<std::unique_ptr<Log>> log = Log::Open(loaded.settings.logfile, loaded.settings.loglevel);
  if (!log) return Fail(log.error().message);
  const std::shared_ptr<spdlog::logger> logger = (*log)->logger();

  asio::io_context control(1);
  asio::signal_set hangup(control, SIGHUP);
  ReopenOnHangup(hangup, **log);
  asio::signal_set ending(control, SIGTERM, SIGINT);
  ending.async_wait([&](std::error_code failure, int signal) {
    if (failure) return;
    logger->info("event=ending signal={}", signal);
    control.stop();
  });

  DaemonOptions options;
  options.settings = std::move(loaded.settings);
  options.config_file = std::move(loaded.config_file);
  options.environment = starling::ProcessEnvironment();
  options.on_shutdown = [&control, &logger] {
    logger->info("event=ending command=SHUTDOWN");
    control.stop();
  };
  Result<std::unique_ptr<Daemon>> daemon = Daemon::Start(control, std::move(options), **log);
  if (!daemon) return Fail(daemon.error().message);
  const starling::HeapTrimmer trimmer(control);
  control.run();
  // From here on a second signal has its default effect: the process ends at once, with nothing
  // lost that a client was told.
  ending.clear();
  Status stopped = (*daemon)->Stop();
  if (!stopped.ok()) return Fail(stopped.error().message);
  logger->info("event=ended");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  Result<LoadedSettings> loaded = starling::LoadSettings(arguments, starling::ProcessEnvironment());
  if (!loaded) return Fail(loaded.error().message);
  switch (loaded->wish) {
    case LoadedSettings::Wish::kShowHelp:
      std::fputs(loaded->help.c_str(), stdout);
      return 0;
    case LoadedSettings::Wish::kShowVersion:
      std::printf("starlingd %s\n", starling::kProgramVersion);
      return 0;
    case LoadedSettings::Wish::kServe:
      return Serve(std::move(*loaded));
  }
  return 1;
}
