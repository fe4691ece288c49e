// The public API in process: what a service that links starling pays per call, with the flush
// thread running as in production.

#include <benchmark/benchmark.h>

#include "bench/workload.h"
#include "starling/starling.h"

namespace starling {
namespace {

/// A node by itself that keeps nothing on disk.
Result<Node> OpenAlone() {
  NodeOptions options;
  options.name = "bench";
  options.ephemeral = true;
  options.meeting_folder = false;
  options.leave_timeout = std::chrono::milliseconds(0);
  return Node::Open(options);
}

void CounterAdd(benchmark::State& state) {
  Result<Node> node = OpenAlone();
  if (!node) {
    state.SkipWithError(node.error().message.c_str());
    return;
  }
  Counter counter = node->GetCounter("hits");
  for (auto _ : state) {
    counter.Add();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(CounterAdd)->UseRealTime();

/// Over a million keys, in an order that no cache can guess.
void KvOverAMillionKeys(benchmark::State& state, bool write) {
  Result<Node> node = OpenAlone();
  if (!node) {
    state.SkipWithError(node.error().message.c_str());
    return;
  }
  Kv kv = node->kv();
  const std::vector<std::string>& keys = BenchmarkKeys();
  for (const std::string& key : keys) {
    (void)kv.Set(key, "a value of some bytes");
  }
  (void)node->Sync();
  size_t next = 0;
  std::string value;
  for (auto _ : state) {
    const std::string& key = keys[next];
    next = next + 1 == keys.size() ? 0 : next + 1;
    if (write) {
      benchmark::DoNotOptimize(kv.Set(key, "another value of bytes"));
    } else {
      benchmark::DoNotOptimize(kv.Get(key, value));
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(KvOverAMillionKeys, read, false)->UseRealTime();
BENCHMARK_CAPTURE(KvOverAMillionKeys, write, true)->UseRealTime();

}  // namespace
}  // namespace starling
