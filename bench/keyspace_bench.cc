// The keyspace by itself: stamps, and commands' reads and writes over a million keys, without the
// journal. One thread; what is dirty is dropped now and then as a flush would do it.

#include <benchmark/benchmark.h>

#include <optional>

#include "bench/workload.h"
#include "storage/held_shards.h"
#include "storage/hybrid_clock.h"
#include "storage/keyspace.h"
#include "storage/pending.h"
#include "storage/speculation.h"
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

/// A transaction of ten SETs that holds their shards; with 1 as a speculation that is kept.
void KeyspaceTransaction(benchmark::State& state) {
  FilledKeyspace keyspace(false);
  std::vector<KeyRef> keys(10);
  for (auto _ : state) {
    for (KeyRef& key : keys) key = keyspace.NextKey();
    {
      const HeldShards held(*keyspace, keys);
      std::optional<Speculation> speculation;
      if (state.range(0) != 0) speculation.emplace(*keyspace);
      for (const KeyRef& key : keys) keyspace->Lock(key).SetString(key, "another value of bytes");
      if (speculation) speculation->Keep();
    }
    for (size_t i = 0; i < keys.size(); ++i) keyspace.FlushNowAndThen();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(KeyspaceTransaction)->Arg(0)->Arg(1);

/// What a sliding window's script does to its sorted set of about twenty members: the oldest goes,
/// it is counted, one comes, its deadline is set. All shards are held, as for a script.
void KeyspaceWindowScript(benchmark::State& state) {
  constexpr ElementType kType = ElementType::kSortedSet;
  FilledKeyspace keyspace(false);
  uint64_t number = 0;
  ScoreText text;
  for (auto _ : state) {
    const std::string name = "window" + std::to_string(number % 1000);
    const KeyRef key = keyspace->Ref(0, name);
    const std::string member = "request" + std::to_string(number++);
    {
      const HeldShards held(*keyspace);
      std::optional<Speculation> speculation;
      if (state.range(0) != 0) speculation.emplace(*keyspace);
      Access access = keyspace->Lock(key);
      const std::optional<KeyView> view = access.Find(key);
      if (view && view->size >= 20) access.RemoveRange(key, kType, 0, 1);
      benchmark::DoNotOptimize(access.Find(key));
      access.AddElement(key, kType, member, ScoreValue(static_cast<double>(number), text));
      access.SetDeadline(key, keyspace->NowMillis() + 60'000);
      if (speculation) speculation->Keep();
    }
    for (int i = 0; i < 3; ++i) keyspace.FlushNowAndThen();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(KeyspaceWindowScript)->Arg(0)->Arg(1);

}  // namespace
}  // namespace starling
