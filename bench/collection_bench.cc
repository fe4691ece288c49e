// Elements of small and large collections through the keyspace, without the journal. One thread;
// what is dirty is dropped now and then as a flush would do it. The argument is the size.

#include <benchmark/benchmark.h>

#include <string>

#include "storage/hybrid_clock.h"
#include "storage/keyspace.h"
#include "storage/pending.h"
#include "storage/time_source.h"

namespace starling {
namespace {

constexpr size_t kWritesPerFlush = 1024;

/// One key with a collection of `state.range(0)` elements.
class OneCollection {
 public:
  OneCollection(ElementType type, const benchmark::State& state)
      : clock_(time_), keyspace_({}, clock_), key_(keyspace_.Ref(0, "key")) {
    keyspace_.SetOrigin(Origin{NodeId::FromName("bench"), 1});
    for (int64_t i = 0; i < state.range(0); ++i) {
      ids_.push_back("element " + std::to_string(i));
      if (type == ElementType::kList) {
        Lock().PushElement(key_, false, Value::Bytes(ids_.back()));
      } else {
        Lock().AddElement(key_, type, ids_.back(), Value::OfNumber(Number::FromInt(i)));
      }
      FlushNowAndThen();
    }
  }

  Access Lock() { return keyspace_.Lock(key_); }
  const KeyRef& key() const { return key_; }
  /// In an order that no cache can guess.
  const std::string& NextId() {
    next_ = (next_ + 7919) % ids_.size();
    return ids_[next_];
  }
  void FlushNowAndThen() {
    if (++unflushed_ < kWritesPerFlush) return;
    unflushed_ = 0;
    const auto generation = keyspace_.CloseGeneration();
    (void)keyspace_.FreeStable({Everything(generation->upto), generation->upto}, SIZE_MAX);
  }

 private:
  VersionVector Everything(Stamp upto) const {
    VersionVector vector;
    vector.Set(keyspace_.origin(), upto);
    return vector;
  }

  SystemTimeSource time_;
  HybridClock clock_;
  Keyspace keyspace_;
  KeyRef key_;
  std::vector<std::string> ids_;
  size_t next_ = 0;
  size_t unflushed_ = 0;
};

void HashIncrementField(benchmark::State& state) {
  OneCollection hash(ElementType::kHash, state);
  for (auto _ : state) {
    const std::string& id = hash.NextId();
    benchmark::DoNotOptimize(hash.Lock().IncrementElement(hash.key(), ElementType::kHash, id, 1));
    hash.FlushNowAndThen();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(HashIncrementField)->Arg(20)->Arg(100'000);

void SortedSetIncrementScore(benchmark::State& state) {
  OneCollection scores(ElementType::kSortedSet, state);
  for (auto _ : state) {
    const std::string& id = scores.NextId();
    benchmark::DoNotOptimize(scores.Lock().IncrementScore(scores.key(), id, 100));
    scores.FlushNowAndThen();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SortedSetIncrementScore)->Arg(20)->Arg(100'000);

void SortedSetRank(benchmark::State& state) {
  OneCollection scores(ElementType::kSortedSet, state);
  for (auto _ : state) {
    const std::string& id = scores.NextId();
    benchmark::DoNotOptimize(scores.Lock().RankOf(scores.key(), ElementType::kSortedSet, id));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SortedSetRank)->Arg(20)->Arg(100'000);

/// A queue: one end in, the other out.
void ListPushAndPop(benchmark::State& state) {
  OneCollection list(ElementType::kList, state);
  for (auto _ : state) {
    {
      Access access = list.Lock();
      access.PushElement(list.key(), false, Value::Bytes("an element"));
      access.RemoveRange(list.key(), ElementType::kList, 0, 1);
    }
    list.FlushNowAndThen();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ListPushAndPop)->Arg(20)->Arg(100'000);

}  // namespace
}  // namespace starling
