// The journal over RocksDB: what one group commit costs, by writes per commit, on disk
// (appendfsync everysec) and in memory (appendonly no).

#include <unistd.h>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

#include "bench/workload.h"
#include "storage/journal.h"
#include "storage/pending.h"

namespace starling {
namespace {

/// A folder that is gone when the benchmark is.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "starling-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      std::perror(name.c_str());
      std::exit(1);
    }
    path_ = name;
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  std::string path() const { return (path_ / "data").string(); }

 private:
  std::filesystem::path path_;
};

void JournalCommit(benchmark::State& state, bool on_disk) {
  ScratchFolder folder;
  auto engine = OpenRocksEngine({on_disk ? folder.path() : ""});
  if (!engine) {
    state.SkipWithError(engine.error().message.c_str());
    return;
  }
  SystemTimeSource time;
  HybridClock clock(time);
  Keyspace keyspace({}, clock);
  const Origin origin{NodeId::FromName("bench"), 1};
  keyspace.SetOrigin(origin);
  Journal journal(keyspace, **engine, AppendFsync::kEverySecond, Stamp{},
                  std::make_shared<spdlog::logger>("bench"));
  const std::vector<std::string>& keys = BenchmarkKeys();
  size_t next = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) {
      const KeyRef key = keyspace.Ref(0, keys[next++ % keys.size()]);
      benchmark::DoNotOptimize(keyspace.Lock(key).Increment(key, 1));
    }
    if (Status status = journal.Commit(); !status) {
      state.SkipWithError(status.error().message.c_str());
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(JournalCommit, disk, true)->Arg(1)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(JournalCommit, memory, false)->Arg(1)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace starling
