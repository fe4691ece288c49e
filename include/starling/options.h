/// What a node can be told when it is opened. Every default is right for a service on a developer's
/// machine: processes of one user find each other and keep their state, with nothing configured.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace starling {

/// When the log is synced to stable storage; the words and meanings are those of Redis's
/// `appendfsync`.
enum class Fsync : uint8_t {
  kAlways,  ///< Before Sync() returns: survives power loss. Each sync costs what the disk takes.
  kEverySecond,  ///< Once a second: a crash of the machine may take the last second along.
  kNever,        ///< When the operating system likes. A killed process loses nothing either way.
};

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

/// Receives log lines; called from the node's threads, one at a time. Must not call into the node.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;

struct NodeOptions {
  /// Nodes of one cluster name meet; others never do. Letters, digits, `.`, `_`, `-`; at most 128.
  std::string cluster = "starling";
  /// This member's name, unique in the cluster, same characters. Empty: host name, cluster and the
  /// number of the data folder, so that a restarted process is the same member.
  std::string name;
  /// Data folder, one process at a time. Empty: the first that no process holds of
  /// `$XDG_STATE_HOME/starling/<cluster>-0`, `-1`, ... (`~/.local/state` where the variable is not
  /// set).
  std::string folder;
  /// Keeps nothing on disk: quicker, and everything that only this process held ends with it.
  bool ephemeral = false;
  /// Default kEverySecond. kAlways: Sync() waits for the disk.
  Fsync fsync = Fsync::kEverySecond;

  /// Address to listen on and dial from. Wider than loopback: give a `secret` too.
  std::string bind = "127.0.0.1";
  /// Host that other members dial. Empty: `bind`, or this host's first address where `bind` is
  /// `0.0.0.0` or `::`.
  std::string advertise;
  /// 0 takes a free port, which members on this host find by the meeting folder.
  uint16_t gossip_port = 0;
  /// Members elsewhere, `host:port`; a host name is resolved again and again. With a list, the
  /// meeting folder is not used.
  std::vector<std::string> join;
  /// How many members must meet before a cluster with a `join` list is created. 0: as many as the
  /// list names, this node included.
  int expect = 0;
  /// Who votes in a cluster that is created now: the names of 1, 3 or 5 members. Empty: with a
  /// `join` list the smallest names, else the meeting folder. A cluster that exists keeps its own.
  std::vector<std::string> voters;
  /// Whether to look for members on this host, in a folder that processes of one user share.
  bool meeting_folder = true;
  /// Another place for that folder: for several users or containers. Empty:
  /// `$XDG_RUNTIME_DIR/starling`, else `/tmp/starling-<uid>`.
  std::string meeting_folder_path;
  /// Members prove to each other that they know it. Empty: none needed.
  std::string secret;

  /// Writes are logged and sent to the members at most this long after they were made; 100
  /// microseconds to 1 second. Shorter: sooner visible; longer: fewer, larger batches.
  std::chrono::microseconds flush_interval{1000};
  /// How long a member may be away before the cluster ends it. Longer: it returns more cheaply, but
  /// deletions are remembered for its sake.
  std::chrono::milliseconds forget_after{std::chrono::hours(24)};
  /// A node whose clock is further ahead than this of the members' median writes nothing.
  std::chrono::milliseconds max_clock_skew{500};
  /// How long Close() and the destructor may take to hand over to the members what they lack.
  std::chrono::milliseconds leave_timeout{1000};

  /// Which keys `SET NX` and its kin make claims of while this node orders commands, whoever sends
  /// them: `pattern=no` or `pattern=yes` each, the first that fits; others are claims. A key that
  /// is none costs no majority, and of two nodes that cannot see each other both may find it
  /// absent: for rate limits and caches. Give all members the same. `locks()` and `claims()` always
  /// take claims.
  std::vector<std::string> claims;

  /// Redis database that Kv and counters use, 0 to 15.
  int database = 0;
  /// Lines below this level are not written.
  LogLevel log_level = LogLevel::kWarning;
  /// Empty: standard error.
  LogSink log;
};

}  // namespace starling
