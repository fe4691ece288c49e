/// The small parts of the server: input buffer, admission, pause, latency record, tallies.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "server/admission.h"
#include "server/client_pause.h"
#include "server/input_buffer.h"
#include "server/latency_monitor.h"
#include "server/statistics.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

void Receive(InputBuffer& buffer, std::string_view bytes, size_t missing = 0) {
  while (!bytes.empty()) {
    InputBuffer::Space space = buffer.Prepare(missing);
    const size_t count = std::min(space.size, bytes.size());
    std::memcpy(space.data, bytes.data(), count);
    buffer.Commit(count);
    bytes.remove_prefix(count);
  }
}

TEST(InputBuffer, KeepsWhatIsNotConsumed) {
  InputBuffer buffer;
  Receive(buffer, "hello world");
  buffer.Consume(6);
  EXPECT_EQ(buffer.view(), "world");
  Receive(buffer, "!");
  EXPECT_EQ(buffer.view(), "world!");
}

TEST(InputBuffer, GrowsByWhatCameAndNotByWhatWasAnnounced) {
  InputBuffer buffer;
  Receive(buffer, "$536870912\r\n");
  (void)buffer.Prepare(size_t{512} << 20);
  EXPECT_LE(buffer.capacity(), 2 * InputBuffer::kFirstBytes);
  Receive(buffer, std::string(100'000, 'x'), size_t{512} << 20);
  EXPECT_LE(buffer.capacity(), 4 * 100'000u);
}

TEST(InputBuffer, ReadsMoreAtOnceFromAConnectionThatFillsIt) {
  InputBuffer buffer;
  Receive(buffer, std::string(InputBuffer::kFirstBytes, 'x'));
  buffer.Consume(InputBuffer::kFirstBytes);
  EXPECT_GT(buffer.Prepare(0).size, InputBuffer::kFirstBytes);
}

TEST(InputBuffer, GivesALargeRequestsMemoryBackBeforeTheNextOneComes) {  // I9
  InputBuffer buffer;
  Receive(buffer, std::string(1 << 20, 'x'));
  buffer.Consume((1 << 20) - 1);
  buffer.Rest();
  EXPECT_EQ(buffer.view(), "x");
  buffer.Consume(1);
  buffer.Rest();
  EXPECT_LE(buffer.capacity(), InputBuffer::kIdleBytes);
}

TEST(Admission, ServesOnlyTheOwnHostWithoutAPassword) {
  Settings settings;
  EXPECT_TRUE(RefusalFor(settings, true, 0).empty());
  EXPECT_TRUE(RefusalFor(settings, false, 0).starts_with("-DENIED "));
  EXPECT_TRUE(RefusalFor(settings, false, 0).ends_with("\r\n"));
  settings.requirepass = "secret";
  EXPECT_TRUE(RefusalFor(settings, false, 0).empty());
  settings.requirepass.clear();
  settings.protected_mode = false;
  EXPECT_TRUE(RefusalFor(settings, false, 0).empty());
}

TEST(Admission, RefusesClientsAboveTheMaximum) {
  Settings settings;
  settings.maxclients = 2;
  EXPECT_TRUE(RefusalFor(settings, true, 1).empty());
  EXPECT_EQ(RefusalFor(settings, true, 2), "-ERR max number of clients reached\r\n");
}

TEST(ClientPause, HoldsCommandsUntilItsEnd) {
  ClientPause pause;
  EXPECT_FALSE(pause.Holds(kWrite, seconds(1)));
  pause.Begin(seconds(10), seconds(1), false);
  EXPECT_TRUE(pause.Holds(0, seconds(9)));
  EXPECT_FALSE(pause.Holds(0, seconds(10)));
  EXPECT_FALSE(pause.active());
}

TEST(ClientPause, CanHoldWritesAlone) {
  ClientPause pause;
  pause.Begin(seconds(10), seconds(1), true);
  EXPECT_FALSE(pause.Holds(kReadOnly, seconds(2)));
  EXPECT_TRUE(pause.Holds(kWrite, seconds(2)));
  pause.End();
  EXPECT_FALSE(pause.Holds(kWrite, seconds(2)));
}

TEST(ClientPause, OnlyBecomesLongerAndStricterWhileItLasts) {
  ClientPause pause;
  pause.Begin(seconds(10), seconds(1), false);
  pause.Begin(seconds(5), seconds(2), true);
  EXPECT_TRUE(pause.Holds(kReadOnly, seconds(9)));
  pause.Begin(seconds(20), seconds(11), true);
  EXPECT_FALSE(pause.Holds(kReadOnly, seconds(12)));
}

TEST(LatencyMonitor, KeepsTheSlowestOfASecondAndTheWorstEver) {
  LatencyMonitor monitor;
  monitor.Record("command", 100, milliseconds(7));
  monitor.Record("command", 100, milliseconds(9));
  monitor.Record("command", 101, milliseconds(3));
  std::vector<LatencyEvent> events = monitor.Events();
  ASSERT_EQ(events.size(), 1u);
  ASSERT_EQ(events[0].samples.size(), 2u);
  EXPECT_EQ(events[0].samples[0].millis, 9);
  EXPECT_EQ(events[0].max_millis, 9);
  EXPECT_EQ(monitor.Reset({"nothing"}), 0);
  EXPECT_EQ(monitor.Reset({}), 1);
  EXPECT_TRUE(monitor.Events().empty());
}

TEST(LatencyMonitor, IsBounded) {
  LatencyMonitor monitor;
  for (int i = 0; i < 1000; ++i) monitor.Record("command", i, milliseconds(1));
  EXPECT_EQ(monitor.Events()[0].samples.size(), LatencyMonitor::kSamples);
  for (int i = 0; i < 1000; ++i) monitor.Record(std::to_string(i), 1, milliseconds(1));
  EXPECT_EQ(monitor.Events().size(), LatencyMonitor::kEvents);
}

TEST(ErrorTallies, CountByCodeAndAreBounded) {
  ErrorTallies errors;
  errors.Count("-WRONGTYPE Operation against\r\n");
  errors.Count("-ERR syntax error\r\n");
  errors.Count("-ERR other\r\n");
  EXPECT_EQ(errors.Get(), (std::map<std::string, uint64_t>{{"ERR", 2}, {"WRONGTYPE", 1}}));
  for (int i = 0; i < 1000; ++i) errors.Count("-E" + std::to_string(i) + "\r\n");
  EXPECT_EQ(errors.Get().size(), ErrorTallies::kMaxCodes);
  EXPECT_EQ(errors.total(), 1003u);
}

TEST(CommandTallies, CountEachCommandApart) {
  CommandTable table;
  ThreadStatistics statistics(table);
  for (const CommandSpec* command : table.all()) statistics.commands.Of(*command).calls.Add(1);
  statistics.commands.Of(*table.Find("GET")).calls.Add(2);
  std::map<std::string, CommandTotals> totals = SumCommands({&statistics});
  EXPECT_EQ(totals.size(), table.all().size());
  EXPECT_EQ(totals["get"].calls, 3u);
  EXPECT_EQ(totals["client|list"].calls, 1u);
  statistics.Reset();
  EXPECT_TRUE(SumCommands({&statistics}).empty());
}

}  // namespace
}  // namespace starling
