/// The logger of an embedded node: to the service's own sink, or to standard error.
#pragma once

#include <memory>

#include <spdlog/logger.h>

#include "starling/options.h"

namespace starling {

/// A logger of its own, in no registry. Thread-safe; `sink` is called by one thread at a time.
std::shared_ptr<spdlog::logger> MakeLibraryLog(LogLevel level, LogSink sink);

}  // namespace starling
