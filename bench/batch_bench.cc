// Batches: encoding and decoding what one flush holds, by items per batch.

#include <benchmark/benchmark.h>

#include "bench/workload.h"
#include "storage/batch_codec.h"

namespace starling {
namespace {

const BatchHeader kHeader{{NodeId{1}, 1}, Stamp{1}, Stamp{1'000'000}};

std::vector<Item> CounterItems(int64_t count) {
  std::vector<Item> items(static_cast<size_t>(count));
  for (size_t i = 0; i < items.size(); ++i) {
    Item& item = items[i];
    item.part = Part::kSlot;
    item.key = BenchmarkKeys()[i];
    item.origin = kHeader.origin;
    item.stamp = Stamp{i + 2};
    item.at = Stamp{1};
    item.value = Value::OfNumber(Number::FromInt(static_cast<int64_t>(i)));
  }
  return items;
}

void BatchEncode(benchmark::State& state) {
  const std::vector<Item> items = CounterItems(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(EncodeBatch(kHeader, items));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BatchEncode)->Arg(1)->Arg(64)->Arg(1024);

void BatchDecode(benchmark::State& state) {
  const std::string bytes = EncodeBatch(kHeader, CounterItems(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(DecodedBatch::Decode(bytes));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK(BatchDecode)->Arg(1)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace starling
