/// Everything that can be configured, as values: what the options of option_table.h fill in.
///
/// A value type. A running server holds an immutable snapshot and replaces it whole (config.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "node/ordering/claim_patterns.h"
#include "node/ordering/level.h"
#include "storage/journal.h"

namespace starling {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

/// When a client that reads too slowly is cut off (`client-output-buffer-limit`); 0: never.
struct OutputLimit {
  uint64_t hard = uint64_t{1} << 30;    ///< Bytes at which the client is closed at once.
  uint64_t soft = uint64_t{256} << 20;  ///< Bytes it may not stay above ...
  std::chrono::seconds soft_time{60};   ///< ... for longer than this.
};

struct Settings {
  // --- who and where ---
  std::string name;  ///< Empty until resolved: `<host name>-<port>`.
  std::string cluster = "starling";
  std::string dir;  ///< Empty until resolved: a folder of this name in the user's state folder.
  std::vector<std::string> bind = {"127.0.0.1", "-::1"};
  int port = 6379;         ///< 0 takes a free one.
  int gossip_port = -1;    ///< -1: port + 10000, 0 takes a free one.
  std::string ports_file;  ///< Empty: `starlingd.ports` in `dir`.
  std::string advertise;

  // --- cluster ---
  std::vector<std::string> join;
  int expect = 0;
  std::vector<std::string> voters;
  std::string meeting_folder;  ///< Empty: the user's; `no`: none.
  std::chrono::milliseconds forget_after{std::chrono::hours(24)};
  std::chrono::milliseconds max_clock_skew{500};
  std::string secret_file;

  // --- order ---
  std::vector<std::string> claims;  ///< `pattern=yes|no` each, as checked by ClaimPatterns.
  std::vector<std::string> level;   ///< `pattern=level` each, as checked by LevelRules.
  OnUnreachable on_unreachable = OnUnreachable::kLocal;
  std::chrono::milliseconds leaseholder_timeout{5000};

  // --- scripts ---
  std::chrono::milliseconds busy_reply_threshold{5000};  ///< 0 or less: clients wait.

  // --- disk ---
  bool appendonly = true;
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  std::string restore;

  // --- clients ---
  std::string requirepass;
  bool protected_mode = true;
  int maxclients = 10000;
  std::chrono::seconds timeout{0};
  std::chrono::seconds tcp_keepalive{300};
  int tcp_backlog = 511;
  uint64_t proto_max_bulk_len = uint64_t{512} << 20;
  uint64_t client_query_buffer_limit = uint64_t{1} << 30;
  OutputLimit output_limit;

  // --- process ---
  int io_threads = 0;  ///< 0: chosen by the number of processors.
  LogLevel loglevel = LogLevel::kInfo;
  std::string logfile;
  std::chrono::milliseconds latency_monitor_threshold{0};
  std::chrono::milliseconds leave_timeout{2000};
};

}  // namespace starling
