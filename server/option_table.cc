#include "server/option_table.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "node/arguments.h"
#include "server/units.h"
#include "storage/number.h"

namespace starling {
namespace {

Error Wrong(std::string what) { return Error{Code::kInvalidArgument, std::move(what)}; }

template <int64_t kLeast, int64_t kMost>
Result<int64_t> ParseInRange(std::string_view text) {
  std::optional<int64_t> value = Number::ParseInt(text);
  if (!value) return Wrong("argument couldn't be parsed into an integer");
  if (*value < kLeast || *value > kMost) {
    return Wrong("argument must be between " + std::to_string(kLeast) + " and " +
                 std::to_string(kMost) + " inclusive");
  }
  return *value;
}

template <auto kMember, int64_t kLeast, int64_t kMost>
struct Integer {
  static Status Parse(std::string_view text, Settings& settings) {
    Result<int64_t> value = ParseInRange<kLeast, kMost>(text);
    if (!value) return value.error();
    settings.*kMember = static_cast<int>(*value);
    return {};
  }
  static std::string Print(const Settings& settings) { return std::to_string(settings.*kMember); }
};

/// Redis's own options give times as plain numbers of the unit that `kMember` counts.
template <auto kMember, int64_t kMost>
struct PlainTime {
  static Status Parse(std::string_view text, Settings& settings) {
    Result<int64_t> value = ParseInRange<0, kMost>(text);
    if (!value) return value.error();
    using Time = std::remove_reference_t<decltype(settings.*kMember)>;
    settings.*kMember = Time(*value);
    return {};
  }
  static std::string Print(const Settings& settings) {
    return std::to_string((settings.*kMember).count());
  }
};

template <auto kMember, int64_t kLeastMillis>
struct Duration {
  static Status Parse(std::string_view text, Settings& settings) {
    std::optional<std::chrono::milliseconds> value = ParseDuration(text);
    if (!value) return Wrong("argument must be a number with its unit: ms, s, m, h or d");
    if (value->count() < kLeastMillis) {
      return Wrong("argument must be at least " +
                   FormatDuration(std::chrono::milliseconds(kLeastMillis)));
    }
    settings.*kMember = *value;
    return {};
  }
  static std::string Print(const Settings& settings) { return FormatDuration(settings.*kMember); }
};

template <auto kMember, uint64_t kLeast>
struct Bytes {
  static Status Parse(std::string_view text, Settings& settings) {
    std::optional<uint64_t> value = ParseBytes(text);
    if (!value) return Wrong("argument must be a memory value");
    if (*value < kLeast) {
      return Wrong("argument must be at least " + std::to_string(kLeast) + " bytes");
    }
    settings.*kMember = *value;
    return {};
  }
  static std::string Print(const Settings& settings) { return std::to_string(settings.*kMember); }
};

template <auto kMember>
struct YesNo {
  static Status Parse(std::string_view text, Settings& settings) {
    std::optional<bool> value = ParseYesNo(text);
    if (!value) return Wrong("argument must be 'yes' or 'no'");
    settings.*kMember = *value;
    return {};
  }
  static std::string Print(const Settings& settings) { return settings.*kMember ? "yes" : "no"; }
};

template <auto kMember>
struct Text {
  static Status Parse(std::string_view text, Settings& settings) {
    if (text.find('\0') != std::string_view::npos) return Wrong("argument holds a zero byte");
    settings.*kMember = std::string(text);
    return {};
  }
  static std::string Print(const Settings& settings) { return settings.*kMember; }
};

template <auto kMember>
struct Words {
  static Status Parse(std::string_view text, Settings& settings) {
    settings.*kMember = SplitWords(text, ", \t");
    return {};
  }
  static std::string Print(const Settings& settings) {
    std::string text;
    for (const std::string& word : settings.*kMember) {
      text.append(text.empty() ? "" : " ").append(word);
    }
    return text;
  }
};

/// Rules `pattern=word`, checked by whoever reads them.
template <auto kMember, typename Rules>
struct RuleList {
  static Status Parse(std::string_view text, Settings& settings) {
    std::vector<std::string> rules = SplitWords(text, ", \t");
    if (const auto parsed = Rules::Parse(rules); !parsed) return parsed.error();
    settings.*kMember = std::move(rules);
    return {};
  }
  static std::string Print(const Settings& settings) { return Words<kMember>::Print(settings); }
};

template <typename T>
struct Named {
  const char* name;
  T value;
};

/// A value by one of several names; the first name of a value is the one printed.
template <auto kMember, auto& kNames>
struct Enumeration {
  static Status Parse(std::string_view text, Settings& settings) {
    std::string known;
    for (const auto& [name, value] : kNames) {
      if (IsWord(text, name)) {
        settings.*kMember = value;
        return {};
      }
      known.append(known.empty() ? "" : ", ").append(name);
    }
    return Wrong("argument(s) must be one of the following: " + known);
  }
  static std::string Print(const Settings& settings) {
    for (const auto& [name, value] : kNames) {
      if (value == settings.*kMember) return name;
    }
    return {};
  }
};

constexpr Named<AppendFsync> kFsyncNames[] = {{"everysec", AppendFsync::kEverySecond},
                                              {"always", AppendFsync::kAlways},
                                              {"no", AppendFsync::kNo}};
constexpr Named<OnUnreachable> kUnreachableNames[] = {{"local", OnUnreachable::kLocal},
                                                      {"refuse", OnUnreachable::kRefuse}};
/// Redis's names are understood too.
constexpr Named<LogLevel> kLevelNames[] = {
    {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo},     {"warning", LogLevel::kWarning},
    {"error", LogLevel::kError}, {"verbose", LogLevel::kDebug}, {"notice", LogLevel::kInfo}};

struct GossipPort {
  static Status Parse(std::string_view text, Settings& settings) {
    return Integer<&Settings::gossip_port, 0, 65535>::Parse(text, settings);
  }
  static std::string Print(const Settings& settings) {
    return settings.gossip_port < 0 ? "" : std::to_string(settings.gossip_port);
  }
};

/// `normal <hard> <soft> <seconds>`: the one class of clients that there is.
struct OutputLimits {
  static Status Parse(std::string_view text, Settings& settings) {
    std::vector<std::string> words = SplitWords(text, " \t");
    if (words.size() != 4) return Wrong("argument must be: normal <hard> <soft> <seconds>");
    if (!IsWord(words[0], "normal")) {
      return Wrong("Invalid client class specified in buffer limit configuration.");
    }
    std::optional<uint64_t> hard = ParseBytes(words[1]);
    std::optional<uint64_t> soft = ParseBytes(words[2]);
    std::optional<int64_t> seconds = Number::ParseInt(words[3]);
    if (!hard || !soft || !seconds || *seconds < 0) {
      return Wrong("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
    settings.output_limit = OutputLimit{*hard, *soft, std::chrono::seconds(*seconds)};
    return {};
  }
  static std::string Print(const Settings& settings) {
    const OutputLimit& limit = settings.output_limit;
    return "normal " + std::to_string(limit.hard) + " " + std::to_string(limit.soft) + " " +
           std::to_string(limit.soft_time.count());
  }
};

template <size_t n>
struct Literal {
  constexpr Literal(const char (&text)[n]) { std::copy_n(text, n, value); }  // NOLINT: implicit
  char value[n];
};

template <Literal kText>
struct Constant {
  static Status Parse(std::string_view, Settings&) { return Wrong("can't set immutable config"); }
  static std::string Print(const Settings&) { return kText.value; }
};

template <typename Kind>
constexpr Option Row(const char* name, const char* value, Option::Change change, const char* help) {
  return Option{name, value, help, change, &Kind::Parse, &Kind::Print};
}

constexpr auto kStart = Option::Change::kAtStart;
constexpr auto kLive = Option::Change::kLive;
constexpr auto kFixed = Option::Change::kConstant;

using S = Settings;

const Option kOptions[] = {
    Row<Text<&S::name>>("name", "<name>", kStart,
                        "This member's name, unique in the cluster. Default: <host name>-<port>."),
    Row<Text<&S::cluster>>("cluster", "<name>", kStart, "Nodes of one cluster name meet."),
    Row<Text<&S::dir>>("dir", "<folder>", kStart,
                       "Data folder. Default: <name> in $XDG_STATE_HOME/starling."),
    Row<Words<&S::bind>>("bind", "<address ...>", kStart,
                         "Addresses to listen on; '-' before one: it may fail. Gossip uses the "
                         "first. Wider than loopback: give requirepass and secret-file too."),
    Row<Integer<&S::port, 0, 65535>>("port", "<port>", kStart,
                                     "Port for Redis clients; 0 takes a free one."),
    Row<GossipPort>("gossip-port", "<port>", kStart,
                    "Port for the other members; 0 takes a free one. Default: port + 10000 (a free "
                    "one with --port 0)."),
    Row<Text<&S::ports_file>>("ports-file", "<path>", kStart,
                              "Where to write the ports once they are open. Default: "
                              "starlingd.ports in the data folder."),
    Row<Text<&S::advertise>>("advertise", "<host>", kStart,
                             "Host that other members dial. Default: what bind says."),
    Row<Words<&S::join>>("join", "<host:port,...>", kStart,
                         "Gossip addresses of members elsewhere. Without: members meet in a folder "
                         "of this host."),
    Row<Integer<&S::expect, 0, 1000>>("expect", "<n>", kStart,
                                      "Members that must meet before a cluster with a join list is "
                                      "created. 0: as many as the list names."),
    Row<Words<&S::voters>>("voters", "<name,...>", kStart,
                           "The 1, 3 or 5 members that vote in a cluster which is created now. "
                           "Without: with a join list the smallest names, else the meeting folder. "
                           "More: survives more deaths, takes longer."),
    Row<Text<&S::meeting_folder>>("meeting-folder", "<folder|no>", kStart,
                                  "Where members of this host meet. Default: the user's own."),
    Row<Duration<&S::forget_after, 1000>>("forget-after", "<duration>", kStart,
                                          "How long a member may be away before it is ended. "
                                          "Longer: deletions are remembered for its sake."),
    Row<Duration<&S::max_clock_skew, 10>>("max-clock-skew", "<duration>", kStart,
                                          "How far a clock may be ahead of the members' median."),
    Row<Text<&S::secret_file>>("secret-file", "<path>", kStart,
                               "File with the secret that members prove to each other."),
    Row<RuleList<&S::level, LevelRules>>(
        "level", "<pattern=level ...>", kStart,
        "How strongly commands on keys are ordered, by glob patterns of their names, the "
        "first that fits: local, leased or majority. Others: leased."),
    Row<RuleList<&S::claims, ClaimPatterns>>(
        "claims", "<pattern=yes|no ...>", kStart,
        "Which keys SET NX and its kin make claims of, by glob patterns, the first that fits. no: "
        "cheaper, and two may win. Others: yes. The same at all members."),
    Row<Enumeration<&S::on_unreachable, kUnreachableNames>>(
        "on-unreachable", "<local|refuse>", kLive,
        "While no leaseholder is in reach, clients' commands run here and merge later, or are "
        "refused."),
    Row<Duration<&S::leaseholder_timeout, 100>>("leaseholder-timeout", "<duration>", kLive,
                                                "How long the leaseholder's answer is waited for; "
                                                "then a write's outcome is unknown."),
    Row<PlainTime<&S::busy_reply_threshold, 86'400'000>>(
        "busy-reply-threshold", "<ms>", kLive,
        "How long a script may run before other clients read BUSY instead of waiting. 0: they wait "
        "for as long as it takes."),
    Row<PlainTime<&S::busy_reply_threshold, 86'400'000>>("lua-time-limit", "<ms>", kLive,
                                                         "Redis's older name of the one above."),
    Row<Text<&S::requirepass>>("requirepass", "<password>", kLive,
                               "Password that clients must give. Empty: none."),
    Row<YesNo<&S::protected_mode>>("protected-mode", "<yes|no>", kLive,
                                   "Without a password, serve clients of this host only."),
    Row<YesNo<&S::appendonly>>("appendonly", "<yes|no>", kStart,
                               "no: nothing on disk, all state ends with the process."),
    Row<Enumeration<&S::appendfsync, kFsyncNames>>(
        "appendfsync", "<everysec|always|no>", kLive,
        "When the log is synced. always: before each reply, at what the disk takes; everysec: a "
        "crash of the machine may take the last second."),
    Row<Text<&S::restore>>("restore", "<folder>", kStart,
                           "Start from this backup; the data folder must not hold data yet."),
    Row<Integer<&S::io_threads, 0, 64>>("io-threads", "<n>", kStart,
                                        "Threads that serve clients. 0: half the processors, "
                                        "at least one, at most 8."),
    Row<Integer<&S::maxclients, 1, 1'000'000>>("maxclients", "<n>", kLive,
                                               "Connections served at once."),
    Row<PlainTime<&S::timeout, 31'536'000>>("timeout", "<seconds>", kLive,
                                            "Close a client after so long without a command. 0: "
                                            "never."),
    Row<PlainTime<&S::tcp_keepalive, 86'400>>("tcp-keepalive", "<seconds>", kLive,
                                              "Probe silent connections so often. 0: never."),
    Row<Integer<&S::tcp_backlog, 1, 65535>>("tcp-backlog", "<n>", kStart,
                                            "Connections that may wait to be accepted."),
    Row<Bytes<&S::proto_max_bulk_len, 1 << 20>>("proto-max-bulk-len", "<bytes>", kLive,
                                                "Largest word of a request, at least 1mb."),
    Row<Bytes<&S::client_query_buffer_limit, 1 << 20>>("client-query-buffer-limit", "<bytes>",
                                                       kLive, "Largest request, at least 1mb."),
    Row<OutputLimits>("client-output-buffer-limit", "<normal hard soft seconds>", kLive,
                      "Replies that may wait for a client that does not read: closed at hard, or "
                      "after so many seconds above soft. 0: no limit."),
    Row<PlainTime<&S::latency_monitor_threshold, 3'600'000>>(
        "latency-monitor-threshold", "<ms>", kLive,
        "Events that take at least so long are kept for LATENCY. 0: none."),
    Row<Duration<&S::leave_timeout, 0>>("leave-timeout", "<duration>", kStart,
                                        "How long the end waits until members hold what only this "
                                        "node has."),
    Row<Enumeration<&S::loglevel, kLevelNames>>("loglevel", "<debug|info|warning|error>", kLive,
                                                "Lines below this level are not written."),
    Row<Text<&S::logfile>>("logfile", "<path>", kStart,
                           "Log file, reopened on SIGHUP. Default: standard output."),
    Row<Constant<"16">>("databases", "", kFixed, ""),
    Row<Constant<"">>("save", "", kFixed, ""),
    Row<Constant<"0">>("maxmemory", "", kFixed, ""),
    Row<Constant<"noeviction">>("maxmemory-policy", "", kFixed, ""),
};

/// Levenshtein's distance.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::span<const Option> AllOptions() { return kOptions; }

const Option* FindOption(std::string_view name) {
  for (const Option& option : kOptions) {
    if (IsWord(name, option.name)) return &option;
  }
  return nullptr;
}

std::string Suggestion(std::string_view name) {
  name = name.substr(0, 64);
  const Option* best = nullptr;
  size_t least = std::max<size_t>(2, name.size() / 3) + 1;
  for (const Option& option : kOptions) {
    size_t distance = Distance(name, option.name);
    if (option.change == Option::Change::kConstant || distance >= least) continue;
    least = distance;
    best = &option;
  }
  return best == nullptr ? "" : std::string("; did you mean '") + best->name + "'?";
}

}  // namespace starling
