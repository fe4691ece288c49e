#include "server/info.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "node/member_state_name.h"
#include "node/version.h"
#include "server/io_thread.h"
#include "server/process_memory.h"
#include "server/units.h"

namespace starling {
namespace {

/// Writes `name:value` lines.
class Section {
 public:
  explicit Section(std::string& text) : text_(text) {}

  Section& Put(std::string_view name, std::string_view value) {
    text_.append(name).append(":").append(value).append("\r\n");
    return *this;
  }
  Section& Put(std::string_view name, int64_t value) { return Put(name, std::to_string(value)); }
  Section& Put(std::string_view name, uint64_t value) { return Put(name, std::to_string(value)); }
  Section& Put(std::string_view name, bool value) { return Put(name, value ? "1" : "0"); }
  Section& Put(std::string_view name, const char* value) {
    return Put(name, std::string_view(value));
  }
  /// Bytes, and the same for people under `<name>_human`.
  Section& PutBytes(const std::string& name, uint64_t value) {
    return Put(name, value).Put(name + "_human", FormatBytes(value));
  }
  Section& PutDecimal(std::string_view name, double value, int digits) {
    char number[64];
    std::snprintf(number, sizeof(number), "%.*f", digits, value);
    return Put(name, number);
  }

 private:
  std::string& text_;
};

template <typename Field>
uint64_t Sum(const SharedState& shared, Field ThreadStatistics::*field) {
  uint64_t sum = 0;
  for (const auto& thread : shared.threads) sum += (thread->statistics().*field).get();
  return sum;
}

template <typename Field>
uint64_t Largest(const SharedState& shared, Field ThreadStatistics::*field) {
  uint64_t largest = 0;
  for (const auto& thread : shared.threads) {
    largest = std::max(largest, (thread->statistics().*field).get());
  }
  return largest;
}

void Server(const SharedState& shared, Section& section) {
  utsname system{};
  ::uname(&system);
  TimeSource& time = shared.store.clock().time();
  const auto up =
      std::chrono::duration_cast<std::chrono::seconds>(time.Monotonic() - shared.started);
  const std::shared_ptr<const Settings> settings = shared.config.settings();
  section.Put("redis_version", kRedisVersion)
      .Put("starling_version", kProgramVersion)
      .Put("redis_mode", "standalone")
      .Put("os", std::string(system.sysname) + " " + system.release + " " + system.machine)
      .Put("arch_bits", int64_t{64})
      .Put("monotonic_clock", "POSIX clock_gettime")
      .Put("multiplexing_api", "epoll")
      .Put("gcc_version", __VERSION__)
      .Put("process_id", int64_t{::getpid()})
      .Put("run_id", shared.store.origin().ToString())
      .Put("tcp_port", int64_t{settings->port})
      .Put("server_time_usec", time.WallMillis() * 1000)
      .Put("uptime_in_seconds", up.count())
      .Put("uptime_in_days", up.count() / 86400)
      .Put("io_threads_active", shared.threads.size() > 1)
      .Put("config_file", shared.config.file());
}

void Clients(const SharedState& shared, Section& section) {
  const std::shared_ptr<const Settings> settings = shared.config.settings();
  section.Put("connected_clients", Sum(shared, &ThreadStatistics::clients))
      .Put("cluster_connections", int64_t{0})
      .Put("maxclients", int64_t{settings->maxclients})
      .Put("client_recent_max_input_buffer", Largest(shared, &ThreadStatistics::largest_input))
      .Put("client_recent_max_output_buffer", Largest(shared, &ThreadStatistics::largest_output))
      .Put("blocked_clients", shared.orders->waiting());
}

void Memory(const SharedState& shared, Section& section) {
  const MemoryFigures figures = MemoryOf(shared);
  const uint64_t overhead = figures.used - std::min(figures.used, figures.keyspace);
  section.PutBytes("used_memory", figures.used)
      .PutBytes("used_memory_rss", figures.used)
      .PutBytes("used_memory_peak", figures.peak)
      .PutDecimal("used_memory_peak_perc",
                  100.0 * static_cast<double>(figures.used) / static_cast<double>(figures.peak), 2)
      .Put("used_memory_overhead", overhead)
      .Put("used_memory_startup", figures.startup)
      .Put("used_memory_dataset", figures.keyspace)
      .PutBytes("total_system_memory", figures.system)
      .Put("maxmemory", int64_t{0})
      .Put("maxmemory_human", "0B")
      .Put("maxmemory_policy", "noeviction")
      .Put("mem_clients_normal", figures.clients)
      .Put("mem_allocator", "libc")
      .Put("tombstones", uint64_t{shared.store.keyspace().tombstones()});
}

void Persistence(const SharedState& shared, Section& section) {
  const std::shared_ptr<const Settings> settings = shared.config.settings();
  const Status last = shared.runtime.last_checkpoint();
  section.Put("loading", false)
      .Put("async_loading", false)
      .Put("rdb_bgsave_in_progress", shared.runtime.checkpoint_running())
      .Put("rdb_last_save_time", shared.store.last_checkpoint_millis() / 1000)
      .Put("rdb_last_bgsave_status", last.ok() ? "ok" : "err")
      .Put("aof_enabled", settings->appendonly)
      .Put("aof_rewrite_in_progress", false)
      .Put("aof_rewrite_scheduled", false)
      .Put("aof_last_write_status", shared.store.journal().read_only() ? "err" : "ok")
      .Put("aof_current_size", shared.store.engine().LogBytes());
}

void Stats(const SharedState& shared, Section& section) {
  section.Put("total_connections_received", shared.connections_received.load())
      .Put("total_commands_processed", Sum(shared, &ThreadStatistics::commands_processed))
      .Put("instantaneous_ops_per_sec", shared.rates.commands.get())
      .Put("total_net_input_bytes", Sum(shared, &ThreadStatistics::bytes_in))
      .Put("total_net_output_bytes", Sum(shared, &ThreadStatistics::bytes_out))
      .PutDecimal("instantaneous_input_kbps",
                  static_cast<double>(shared.rates.bytes_in.get()) / 1024, 2)
      .PutDecimal("instantaneous_output_kbps",
                  static_cast<double>(shared.rates.bytes_out.get()) / 1024, 2)
      .Put("rejected_connections", shared.connections_rejected.load())
      .Put("client_limit_disconnections", shared.clients_cut_off.load())
      .Put("evicted_keys", int64_t{0})
      .Put("pubsub_channels", int64_t{0})
      .Put("pubsub_patterns", int64_t{0})
      .Put("total_error_replies", shared.errors.total());
}

/// To Redis's eyes every member is a master without replicas; the members stand under Starling.
void Replication(const SharedState& shared, Section& section) {
  section.Put("role", "master")
      .Put("connected_slaves", int64_t{0})
      .Put("master_replid", shared.store.origin().ToString())
      .Put("master_repl_offset", shared.store.journal().upto().value);
}

void Cpu(const SharedState&, Section& section) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  section.PutDecimal("used_cpu_sys", seconds(usage.ru_stime), 6)
      .PutDecimal("used_cpu_user", seconds(usage.ru_utime), 6);
}

void Modules(const SharedState&, Section&) {}

std::vector<const ThreadStatistics*> ThreadsOf(const SharedState& shared) {
  std::vector<const ThreadStatistics*> threads;
  for (const auto& thread : shared.threads) threads.push_back(&thread->statistics());
  return threads;
}

void CommandStats(const SharedState& shared, Section& section) {
  for (const auto& [name, totals] : SumCommands(ThreadsOf(shared))) {
    const double micros = static_cast<double>(totals.nanos) / 1000;
    char text[192];
    std::snprintf(text, sizeof(text),
                  "calls=%llu,usec=%.0f,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu",
                  static_cast<unsigned long long>(totals.calls), micros,
                  totals.calls == 0 ? 0.0 : micros / static_cast<double>(totals.calls),
                  static_cast<unsigned long long>(totals.rejected),
                  static_cast<unsigned long long>(totals.failed));
    section.Put("cmdstat_" + name, text);
  }
}

void ErrorStats(const SharedState& shared, Section& section) {
  for (const auto& [code, count] : shared.errors.Get()) {
    section.Put("errorstat_" + code, "count=" + std::to_string(count));
  }
}

void Cluster(const SharedState&, Section& section) { section.Put("cluster_enabled", false); }

void Starling(const SharedState& shared, Section& section) {
  const std::vector<MemberInfo> members = shared.runtime.Members();
  const std::optional<ClusterRecord> cluster = shared.runtime.Cluster();
  section.Put("node_name", shared.store.name())
      .Put("node_address", shared.runtime.address())
      .Put("cluster_name", shared.runtime.options().cluster)
      .Put("cluster_id", cluster ? NodeId{cluster->id}.ToString() : "none")
      .Put("members", uint64_t{members.size()});
  const LeaseInfo lease = shared.runtime.Lease();
  section.Put("lease_mode", NameOf(lease.mode))
      .Put("lease_epoch", lease.view.epoch)
      .Put("lease_holder", lease.view.holder)
      .Put("lease_leading", lease.view.leading)
      .Put("lease_valid_ms", static_cast<uint64_t>(lease.valid_for.count()))
      .Put("majority_rounds", shared.orders->majority_rounds())
      .Put("voters", JoinNames(lease.voters))
      .Put("voters_version", VersionText(lease.voters_version));
  for (size_t i = 0; i < members.size(); ++i) {
    const MemberInfo& member = members[i];
    section.Put("member" + std::to_string(i),
                "name=" + member.name + ",address=" + member.address +
                    ",state=" + MemberStateName(member.state) +
                    ",connected=" + (member.connected || member.self ? "1" : "0"));
  }
}

void KeyspaceSection(const SharedState& shared, Section& section) {
  const Keyspace& keyspace = shared.store.keyspace();
  for (int database = 0; database < kDatabases; ++database) {
    const size_t keys = keyspace.Size(static_cast<uint8_t>(database));
    if (keys == 0) continue;
    section.Put("db" + std::to_string(database),
                "keys=" + std::to_string(keys) + ",expires=" +
                    std::to_string(keyspace.SizeWithDeadline(static_cast<uint8_t>(database))) +
                    ",avg_ttl=0");
  }
}

struct SectionRow {
  const char* name;
  const char* title;
  bool by_default;
  void (*write)(const SharedState& shared, Section& section);
};

constexpr SectionRow kSections[] = {
    {"server", "Server", true, &Server},
    {"clients", "Clients", true, &Clients},
    {"memory", "Memory", true, &Memory},
    {"persistence", "Persistence", true, &Persistence},
    {"stats", "Stats", true, &Stats},
    {"replication", "Replication", true, &Replication},
    {"cpu", "CPU", true, &Cpu},
    {"modules", "Modules", true, &Modules},
    {"commandstats", "Commandstats", false, &CommandStats},
    {"errorstats", "Errorstats", true, &ErrorStats},
    {"cluster", "Cluster", true, &Cluster},
    {"starling", "Starling", true, &Starling},
    {"keyspace", "Keyspace", true, &KeyspaceSection},
};

bool Wanted(const SectionRow& row, const std::vector<std::string>& sections) {
  if (sections.empty()) return row.by_default;
  return std::any_of(sections.begin(), sections.end(), [&](const std::string& name) {
    return name == row.name || name == "all" || name == "everything" ||
           (name == "default" && row.by_default);
  });
}

}  // namespace

std::string InfoText(const SharedState& shared, const std::vector<std::string>& sections) {
  std::string text;
  for (const SectionRow& row : kSections) {
    if (!Wanted(row, sections)) continue;
    if (!text.empty()) text.append("\r\n");
    text.append("# ").append(row.title).append("\r\n");
    Section section(text);
    row.write(shared, section);
  }
  return text;
}

}  // namespace starling
