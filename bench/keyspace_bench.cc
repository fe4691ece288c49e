// The keyspace by itself: stamps, and commands' reads and writes over a million keys, without the
// journal. One thread; what is dirty is dropped now and then as a flush would do it.

#include <benchmark/benchmark.h>

#include "bench/workload.h"
#include "storage/hybrid_clock.h"
#include "storage/keyspace.h"
#include "storage/pending.h"
#include "storage/time_source.h"

namespace starling {
namespace {

constexpr size_t kWritesPerFlush = 1024;

/// A keyspace with the million keys in it.
class FilledKeyspace {
 public:
  explicit FilledKeyspace(bool counters) : clock_(time_), keyspace_({}, clock_) {
    keyspace_.SetOrigin(Origin{NodeId::FromName("bench"), 1});
    for (const std::string& name : BenchmarkKeys()) {
      const KeyRef key = keyspace_.Ref(0, name);
      if (counters) {
        (void)keyspace_.Lock(key).Increment(key, 1);
      } else {
        keyspace_.Lock(key).SetString(key, "a value of some bytes");
      }
      FlushNowAndThen();  // takes all locks: none may be held here
    }
  }

  Keyspace& operator*() { return keyspace_; }
  Keyspace* operator->() { return &keyspace_; }

  KeyRef NextKey() {
    const std::vector<std::string>& keys = BenchmarkKeys();
    next_ = next_ + 1 == keys.size() ? 0 : next_ + 1;
    return keyspace_.Ref(0, keys[next_]);
  }

  void FlushNowAndThen() {
    if (++unflushed_ == kWritesPerFlush) {
      unflushed_ = 0;
      benchmark::DoNotOptimize(keyspace_.CloseGeneration());
    }
  }

 private:
  SystemTimeSource time_;
  HybridClock clock_;
  Keyspace keyspace_;
  size_t next_ = 0;
  size_t unflushed_ = 0;
};

void StampDraw(benchmark::State& state) {
  SystemTimeSource time;
  HybridClock clock(time);
  for (auto _ : state) {
    benchmark::DoNotOptimize(clock.Draw());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(StampDraw);

void KeyspaceGet(benchmark::State& state) {
  FilledKeyspace keyspace(false);
  std::string buffer;
  for (auto _ : state) {
    const KeyRef key = keyspace.NextKey();
    Access access = keyspace->Lock(key);
    benchmark::DoNotOptimize(access.Find(key)->Text(buffer));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(KeyspaceGet);

void KeyspaceSet(benchmark::State& state) {
  FilledKeyspace keyspace(false);
  for (auto _ : state) {
    const KeyRef key = keyspace.NextKey();
    keyspace->Lock(key).SetString(key, "another value of bytes");
    keyspace.FlushNowAndThen();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(KeyspaceSet);

void KeyspaceIncrement(benchmark::State& state) {
  FilledKeyspace keyspace(true);
  for (auto _ : state) {
    const KeyRef key = keyspace.NextKey();
    benchmark::DoNotOptimize(keyspace->Lock(key).Increment(key, 1));
    keyspace.FlushNowAndThen();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(KeyspaceIncrement);

/// As a session does it for the commands of one read: all keys are prefetched, then incremented.
void KeyspaceIncrementPrefetched(benchmark::State& state) {
  FilledKeyspace keyspace(true);
  std::vector<KeyRef> keys(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    for (KeyRef& key : keys) {
      key = keyspace.NextKey();
      keyspace->Prefetch(key);
    }
    for (const KeyRef& key : keys) {
      benchmark::DoNotOptimize(keyspace->Lock(key).Increment(key, 1));
      keyspace.FlushNowAndThen();
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(KeyspaceIncrementPrefetched)->Arg(16)->Arg(64);

}  // namespace
}  // namespace starling
