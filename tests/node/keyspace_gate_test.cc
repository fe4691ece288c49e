// The gate around the keyspace: who is inside, who waits, and for how long.
#include "node/keyspace_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace starling {
namespace {

using namespace std::chrono_literals;

/// Lets threads run until `done` holds.
template <typename Condition>
void Await(Condition done) {
  while (!done()) std::this_thread::yield();
}

/// Until another thread has begun to close it.
void AwaitClosed(KeyspaceGate& gate) {
  Await([&] {
    if (!gate.EnterAtOnce()) return true;
    gate.Leave();
    return false;
  });
}

TEST(KeyspaceGate, LetsAnyNumberInWhileItIsOpen) {
  KeyspaceGate gate;
  EXPECT_TRUE(gate.Enter());
  EXPECT_TRUE(gate.EnterAtOnce());
  EXPECT_FALSE(gate.busy());
  gate.Leave();
  gate.Leave();
}

TEST(KeyspaceGate, ClosesOnceNobodyIsInside) {
  KeyspaceGate gate;
  ASSERT_TRUE(gate.Enter());
  std::atomic<bool> closed = false;
  std::thread closer([&] {
    gate.Close();
    closed = true;
  });
  EXPECT_FALSE(closed);
  gate.Leave();
  closer.join();
  EXPECT_TRUE(closed);
  EXPECT_FALSE(gate.EnterAtOnce());
  gate.Open();
  EXPECT_TRUE(gate.EnterAtOnce());
  gate.Leave();
}

TEST(KeyspaceGate, TellsThatItIsBusyOnceItIsClosedForLonger) {
  KeyspaceGate gate;
  gate.SetPatience(1ms);
  gate.Close();
  EXPECT_FALSE(gate.Enter());
  EXPECT_TRUE(gate.busy());
  EXPECT_FALSE(gate.Enter()) << "at once, now";
  gate.Open();
  EXPECT_FALSE(gate.busy());
  EXPECT_TRUE(gate.Enter());
  gate.Leave();
}

TEST(KeyspaceGate, IsNeverBusyForThePatient) {
  KeyspaceGate gate;
  gate.SetPatience(0ms);
  gate.Close();
  EXPECT_FALSE(gate.EnterAhead(1ms));
  EXPECT_FALSE(gate.busy());
  gate.Open();
}

TEST(KeyspaceGate, IsNotBusyBeforeTheOneWhoClosesItIsAlone) {
  KeyspaceGate gate;
  gate.SetPatience(1ms);
  ASSERT_TRUE(gate.Enter());
  std::thread closer([&] { gate.Close(); });
  AwaitClosed(gate);
  std::thread waits([&] { EXPECT_FALSE(gate.Enter()); });
  Await([&] { return gate.wanted(); });
  EXPECT_FALSE(gate.busy());
  EXPECT_TRUE(gate.EnterAhead(0ms)) << "who others inside may wait for";
  gate.Leave();
  gate.Leave();
  closer.join();
  waits.join();
  EXPECT_TRUE(gate.busy());
  gate.Open();
}

TEST(KeyspaceGate, ANewPatienceCountsForThoseWhoWaitAlready) {
  KeyspaceGate gate;
  gate.SetPatience(0ms);
  gate.Close();
  std::thread waits([&] { EXPECT_FALSE(gate.Enter()); });
  Await([&] { return gate.wanted(); });
  gate.SetPatience(1ms);
  waits.join();
  gate.Open();
}

TEST(KeyspaceGate, LetsThoseInWhoWaitBeforeItClosesAgain) {
  KeyspaceGate gate;
  gate.SetPatience(0ms);
  for (int round = 0; round < 200; ++round) {
    gate.Close();
    std::atomic<bool> came = false;
    std::thread waits([&] {
      ASSERT_TRUE(gate.Enter());
      came = true;
      gate.Leave();
    });
    Await([&] { return gate.wanted(); });
    gate.Open();
    gate.Close();
    EXPECT_TRUE(came);
    gate.Open();
    waits.join();
  }
}

TEST(KeyspaceGate, CallsInWhoCouldNotWait) {
  KeyspaceGate gate;
  int called = 0;
  gate.SetCall([&] { ++called; });
  gate.Close();
  gate.Open();
  EXPECT_EQ(called, 0) << "nobody asked for it";
  gate.Close();
  EXPECT_FALSE(gate.EnterAhead(0ms));
  EXPECT_TRUE(gate.wanted());
  gate.Open();
  EXPECT_EQ(called, 1);
  std::atomic<bool> closed = false;
  std::thread closer([&] {
    gate.Close();
    closed = true;
  });
  EXPECT_FALSE(closed) << "the one who was called is inside";
  gate.Leave();
  closer.join();
  gate.Open();
  EXPECT_EQ(called, 1);
}

TEST(KeyspaceGate, KeepsWhoClosesItAlone) {
  KeyspaceGate gate;
  std::atomic<bool> end = false;
  std::atomic<int> inside = 0;
  std::atomic<uint64_t> visits = 0;
  std::vector<std::thread> visitors;
  for (int i = 0; i < 4; ++i) {
    visitors.emplace_back([&, i] {
      while (!end) {
        const bool entered = i % 2 == 0 ? gate.Enter() : gate.EnterAtOnce();
        if (!entered) continue;
        ++inside;
        ++visits;
        --inside;
        gate.Leave();
      }
    });
  }
  for (int i = 0; i < 5000; ++i) {
    gate.Close();
    ASSERT_EQ(inside, 0);
    gate.Open();
  }
  Await([&] { return visits > 1000; });
  end = true;
  for (std::thread& visitor : visitors) visitor.join();
}

}  // namespace
}  // namespace starling
