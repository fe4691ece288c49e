#include "tests/sim/sliding_window.h"

#include <malloc.h>

#include <algorithm>
#include <cstdio>

#include "storage/score.h"
#include "tests/sim/checkers/quiescence.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kNodes = 3;
constexpr Duration kTick = milliseconds(10);
constexpr int kRequestsPerTick = 10;  // a thousand a second
constexpr int64_t kWindowMillis = 1000;
constexpr int64_t kExpireMillis = 2000;
constexpr int kSmallWindows = 20;
constexpr uint64_t kCheckpointLogBytes = 1 << 20;
constexpr size_t kListLength = 100;
constexpr int kTenths = 10;

// The bounds, each by what makes it (I9).
//
// Elements: a second of 900 requests, and those whose removal is on its way; of 100 to windows that
// expire after two seconds, and are deleted as late as that again; three seconds of fields; the
// list.
constexpr size_t kElements = 1000 + 400 + 300 + kListLength + 50;
// A removed element is a tombstone until each member has told that it holds the removal and that
// its own stream has passed it: members tell of both once a second. So two seconds of removals, of
// 1000 members, 100 fields and 200 list elements each, and half of that again for what more than
// one node removed.
constexpr size_t kTombstones = 3 * 1300;
// Tables and buffers that stand empty, and what an indexed element costs while tables grow.
constexpr size_t kMemory = (256 << 10) + (kElements + kTombstones) * 300;
// The interval before the last checkpoint is kept for peers that lag; and what came since, and
// while one was written.
constexpr uint64_t kLog = 2 * kCheckpointLogBytes + (kCheckpointLogBytes >> 2);
// On disk lies what lived or was a tombstone at the last checkpoint.
constexpr size_t kRecords = kElements + kTombstones;
// A later tenth's maximum over the second's, in percent: one table that doubles is a step of a
// fifth of the keyspace.
constexpr size_t kFlatPercent = 150;
// What the stream checker keeps of each batch for ever: a tree's node. Not the nodes' memory.
constexpr size_t kCheckerBytes = 64;

class SlidingWindow {
 public:
  explicit SlidingWindow(const SlidingWindowOptions& options)
      : options_(options), random_(options.seed ^ 0x511de), world_(ChooseWorld(options)) {}

  SlidingWindowReport Go() {
    world_.StartAll();
    if (!world_.RunUntil([&] { return world_.Formed(); }, seconds(30))) {
      world_.Fail("forming", "the nodes are not in one cluster after 30 s");
    }
    ends_ = world_.now() + options_.time;
    TickOn();
    for (int tenth = 0; tenth < kTenths && !world_.failed(); ++tenth) RunTenth();
    CheckFlat();
    Settle();
    report_.violation = world_.violation();
    report_.events = world_.scheduler().events();
    report_.hash = world_.trace().hash();
    return report_;
  }

 private:
  static WorldOptions ChooseWorld(const SlidingWindowOptions& options) {
    WorldOptions world;
    world.seed = options.seed;
    world.nodes = kNodes;
    world.clock_spread = milliseconds(50);
    world.checkpoint_log_bytes = kCheckpointLogBytes;
    return world;
  }

  // --- the load ---

  void TickOn() {
    if (world_.failed() || world_.now() >= ends_) return;
    SimNode* const node = world_.PickServing(random_);
    // Committed at once, and without the ledger: it would remember each of millions.
    if (node != nullptr) {
      node->Input([&](Replicator&, Instant, Effects&) { Tick(node->store()); });
    }
    world_.scheduler().After(kTick, [this] { TickOn(); });
  }

  void Tick(Store& store) {
    Keyspace& keyspace = store.keyspace();
    for (int i = 0; i < kRequestsPerTick; ++i) {
      // One in ten goes to a small window, of which each second has others: the old ones expire.
      const std::string name = i > 0 ? "window"
                                     : "window-" + std::to_string(world_.now() / seconds(1)) + "-" +
                                           std::to_string(random_.Below(kSmallWindows));
      Request(keyspace, name);
    }
    CountField(keyspace);
    PushAndPop(keyspace);
    const Status status = store.journal().Commit();
    if (!status.ok()) world_.Fail("I10", "a commit fails: " + status.error().message);
  }

  /// What a limiter sends for one request, at the clock of the node that it asks.
  void Request(Keyspace& keyspace, const std::string& name) {
    const KeyRef key = keyspace.Ref(0, name);
    Access access = keyspace.Lock(key);
    const int64_t now = keyspace.NowMillis();
    const size_t old = access.CountBelow(key, static_cast<double>(now - kWindowMillis), true);
    report_.removed += access.RemoveRange(key, ElementType::kSortedSet, 0, old);
    ScoreText text;
    access.AddElement(key, ElementType::kSortedSet, "request-" + std::to_string(report_.requests++),
                      ScoreValue(static_cast<double>(now), text));
    access.SetDeadline(key, now + kExpireMillis);
  }

  /// HINCRBY of a field of this second, HDEL of one of two seconds ago.
  void CountField(Keyspace& keyspace) {
    const KeyRef key = keyspace.Ref(0, "fields");
    Access access = keyspace.Lock(key);
    const int64_t second = world_.now() / seconds(1);
    const uint64_t field = random_.Below(100);
    const auto name = [&](int64_t of) { return std::to_string(of) + "-" + std::to_string(field); };
    const auto sum = access.IncrementElement(key, ElementType::kHash, name(second), 1);
    if (!sum.ok()) world_.Fail("I2", "a field refuses 1 more: " + sum.error().message);
    // All of that second that are left, so that none stays behind.
    std::vector<std::string> old;
    access.ForEachElement(key, ElementType::kHash, [&](std::string_view id, const Value&) {
      if (std::stoll(std::string(id)) <= second - 2) old.emplace_back(id);
    });
    for (const std::string& id : old) access.RemoveElement(key, ElementType::kHash, id);
  }

  /// LPUSH of two elements, RPOP of what is beyond the length.
  void PushAndPop(Keyspace& keyspace) {
    const KeyRef key = keyspace.Ref(0, "list");
    Access access = keyspace.Lock(key);
    for (int i = 0; i < 2; ++i) access.PushElement(key, true, Value::Bytes("element"));
    const size_t length = access.Find(key)->size;
    if (length > kListLength) {
      access.RemoveRange(key, ElementType::kList, kListLength, length - kListLength);
    }
  }

  // --- what it leaves ---

  void RunTenth() {
    const Duration time = options_.time;
    const Instant end = world_.now() + time / kTenths;
    WindowFigures most;
    while (world_.now() < end && !world_.failed()) {
      world_.RunFor(seconds(1));
      Measure(most);
    }
    report_.tenths.push_back(most);
    CheckBound("tombstones", most.tombstones, kTombstones);
    CheckBound("elements", most.elements, kElements);
    CheckBound("bytes of keyspace", most.memory_bytes, kMemory);
    CheckBound("bytes of log", most.log_bytes, kLog);
    CheckBound("records on disk", most.state_records, kRecords);
  }

  void Measure(WindowFigures& most) {
    const auto raise = [](auto& figure, auto to) { figure = std::max<decltype(to)>(figure, to); };
    for (int i = 0; i < world_.size(); ++i) {
      Store& store = world_.node(i).store();
      const MemoryDisk& disk = world_.node(i).disk();
      raise(most.memory_bytes, store.keyspace().memory_bytes());
      raise(most.tombstones, store.keyspace().tombstones());
      raise(most.elements, Elements(store.keyspace()));
      raise(most.log_bytes, disk.log_bytes());
      raise(most.state_records, disk.state_entries());
    }
    const size_t checker = world_.streams().remembered() * kCheckerBytes;
    const size_t heap = mallinfo2().uordblks;  // 0 where a sanitizer allocates
    raise(most.heap_bytes, heap - std::min(heap, checker));
  }

  static size_t Elements(Keyspace& keyspace) {
    size_t elements = 0;
    uint64_t cursor = 0;
    do {
      cursor = keyspace.Scan(0, cursor, 1000,
                             [&](std::string_view, const KeyView& view) { elements += view.size; });
    } while (cursor != 0);
    return elements;
  }

  void CheckBound(const char* what, uint64_t reached, uint64_t bound) {
    if (reached <= bound) return;
    world_.Fail("I9", "tenth " + std::to_string(report_.tenths.size()) + " has " +
                          std::to_string(reached) + " " + what + ", more than " +
                          std::to_string(bound));
  }

  /// The first tenth is for starting; no later one may exceed the second by much.
  void CheckFlat() {
    if (world_.failed()) return;
    const WindowFigures& early = report_.tenths[1];
    for (size_t i = 2; i < report_.tenths.size(); ++i) {
      const WindowFigures& later = report_.tenths[i];
      CheckGrowth("bytes of keyspace", later.memory_bytes, early.memory_bytes);
      CheckGrowth("tombstones", later.tombstones, early.tombstones);
      CheckGrowth("bytes of log", later.log_bytes, early.log_bytes);
      CheckGrowth("records on disk", later.state_records, early.state_records);
      CheckGrowth("bytes of heap", later.heap_bytes, early.heap_bytes);
    }
  }

  void CheckGrowth(const char* what, uint64_t later, uint64_t early) {
    if (later <= early * kFlatPercent / 100) return;
    world_.Fail("I9", std::string(what) + " grow: " + std::to_string(early) +
                          " in the second tenth, " + std::to_string(later) + " in a later one");
  }

  /// Once nobody writes: all agree, keys expire, and nothing waits any more.
  void Settle() {
    if (world_.failed()) return;
    world_.RunFor(seconds(8));
    std::string why;
    const auto settled = [&] {
      why = WhyNotAgreed(world_);
      if (why.empty()) why = WhyNotSmall(world_);
      return why.empty();
    };
    if (!world_.RunUntil(settled, seconds(60), milliseconds(500))) {
      world_.Fail("I9", "60 s after the load " + why);
    }
  }

  SlidingWindowOptions options_;
  Random random_;
  World world_;
  Instant ends_{0};
  SlidingWindowReport report_;
};

}  // namespace

SlidingWindowReport RunSlidingWindow(const SlidingWindowOptions& options) {
  return SlidingWindow(options).Go();
}

std::string DescribeFigures(const SlidingWindowReport& report) {
  std::string text =
      "tenth  elements  tombstones  keyspace KiB  records on disk  log KiB  heap KiB\n";
  for (size_t i = 0; i < report.tenths.size(); ++i) {
    const WindowFigures& figures = report.tenths[i];
    char line[128];
    std::snprintf(line, sizeof line, "%5zu %9zu %11zu %13zu %16zu %8zu %9zu\n", i + 1,
                  figures.elements, figures.tombstones, figures.memory_bytes >> 10,
                  figures.state_records, static_cast<size_t>(figures.log_bytes >> 10),
                  figures.heap_bytes >> 10);
    text += line;
  }
  return text;
}

}  // namespace starling::sim
