#include "replication/swim.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "replication/limits.h"
#include "tests/replication/recording_sender.h"
#include "tests/replication/transcript.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using Kind = EventEffect::Kind;

/// Swim machines on a network with a delay, that can lose hosts.
class Flock {
 public:
  struct Bird {
    std::string name;
    RecordingSender sender;
    std::mt19937_64 random;
    std::unique_ptr<Swim> swim;
    std::vector<EventEffect> events;
    Instant stalled_until{};
    bool silent = false;
  };

  explicit Flock(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      Bird& bird = birds_[name];
      bird.name = name;
      bird.random.seed(NodeId::FromName(name).value);
      bird.swim =
          std::make_unique<Swim>(Swim::Options{name, name + ":1", 100}, bird.sender, bird.random);
      by_id_[NodeId::FromName(name)] = name;
    }
    for (auto& [name, bird] : birds_) {
      for (const auto& [other, ignored] : birds_) {
        if (other != name) bird.swim->OnLinked(other, other + ":1", now_);
      }
    }
  }

  Bird& operator[](const std::string& name) { return birds_.at(name); }

  void Run(Instant time) {
    const Instant end = now_ + time;
    for (; now_ < end; now_ += 10ms) {
      for (auto& [name, bird] : birds_) {
        if (bird.silent || now_ < bird.stalled_until) continue;
        for (auto& [from, held] : std::exchange(inbox_[name], {})) {
          bird.swim->OnMessage(from, std::get<SwimMessage>(held.message), now_);
        }
        if (bird.swim->NextTimer() <= now_) bird.swim->OnTick(now_);
        for (EventEffect& event : bird.swim->TakeEvents()) bird.events.push_back(event);
      }
      for (auto& [name, bird] : birds_) {
        for (RecordingSender::Sent& sent : bird.sender.Take()) {
          const std::string& to = by_id_.at(sent.to);
          const bool lost = bird.silent || birds_.at(to).silent || cut_.contains({name, to});
          if (!lost) inbox_[to].emplace_back(name, sent.held);
        }
      }
    }
  }

  void Cut(const std::string& a, const std::string& b) {
    cut_.insert({a, b});
    cut_.insert({b, a});
  }

  MemberState State(const std::string& of, const std::string& at) {
    return birds_.at(at).swim->members().at(of).state;
  }
  bool Saw(const std::string& at, Kind kind, const std::string& member) {
    const auto& events = birds_.at(at).events;
    return std::any_of(events.begin(), events.end(), [&](const EventEffect& event) {
      return event.kind == kind && event.member == member;
    });
  }
  Instant now() const { return now_; }

 private:
  Instant now_ = 10s;
  std::map<std::string, Bird> birds_;
  std::map<NodeId, std::string> by_id_;
  std::map<std::string, std::vector<std::pair<std::string, HeldMessage>>> inbox_;
  std::set<std::pair<std::string, std::string>> cut_;
};

TEST(Swim, QuietClusterStaysAlive) {
  Flock flock({"a", "b", "c", "d"});
  flock.Run(30s);
  for (const std::string at : {"a", "b", "c", "d"}) {
    EXPECT_FALSE(flock.Saw(at, Kind::kMemberSuspected, "a")) << at;
    EXPECT_EQ(flock[at].swim->health(), 0) << at;
  }
}

TEST(Swim, StallOfHalfASecondIsNoDeath) {
  Flock flock({"a", "b", "c"});
  for (int i = 0; i < 20; ++i) {
    flock["c"].stalled_until = flock.now() + 500ms;
    flock.Run(1700ms);
  }
  EXPECT_FALSE(flock.Saw("a", Kind::kMemberDown, "c"));
  EXPECT_FALSE(flock.Saw("b", Kind::kMemberDown, "c"));
  // And the stalled one blames itself, not the others.
  EXPECT_FALSE(flock.Saw("c", Kind::kMemberSuspected, "a"));
  EXPECT_FALSE(flock.Saw("c", Kind::kMemberDown, "a"));
}

TEST(Swim, NodeThatNoticesItsOwnPauseSuspectsNobody) {
  Flock flock({"a", "b", "c"});
  flock.Run(1s);
  flock["a"].stalled_until = flock.now() + 10s;
  flock.Run(10s);
  flock["a"].events.clear();
  flock.Run(100ms);
  EXPECT_GT(flock["a"].swim->health(), 0);
  flock.Run(3s);
  EXPECT_FALSE(flock.Saw("a", Kind::kMemberSuspected, "b"));
  EXPECT_FALSE(flock.Saw("a", Kind::kMemberDown, "c"));
}

TEST(Swim, RefutesSuspicionByRaisingIncarnation) {
  Flock flock({"a", "b", "c"});
  flock.Run(100ms);
  const SwimMessage rumour{
      SwimMessage::Kind::kGossip, 0, {}, {{"c", "c:1", 100, MemberState::kSuspect, "b"}}};
  flock["a"].swim->OnMessage("b", rumour, flock.now());
  EXPECT_EQ(flock.State("c", "a"), MemberState::kSuspect);
  flock.Run(500ms);
  EXPECT_EQ(flock.State("c", "a"), MemberState::kAlive);
  EXPECT_GT(flock["a"].swim->members().at("c").incarnation, 100u);
  EXPECT_FALSE(flock.Saw("b", Kind::kMemberDown, "c"));
}

TEST(Swim, RefutesItsOwnDeath) {
  Flock flock({"a", "b"});
  flock["a"].swim->OnMessage(
      "b", {SwimMessage::Kind::kGossip, 0, {}, {{"b", "b:1", 100, MemberState::kDead, {}}}},
      flock.now());
  EXPECT_EQ(flock.State("b", "a"), MemberState::kDead);
  flock.Run(1s);
  flock["a"].swim->OnLinked("b", "b:1", flock.now());
  flock.Run(500ms);
  EXPECT_EQ(flock.State("b", "a"), MemberState::kAlive);
}

TEST(Swim, MemberReachableThroughOthersIsAlive) {
  Flock flock({"a", "b", "c"});
  flock.Cut("a", "b");
  flock["a"].swim->OnUnlinked("b", flock.now());
  flock["b"].swim->OnUnlinked("a", flock.now());
  flock.Run(20s);
  EXPECT_FALSE(flock.Saw("a", Kind::kMemberDown, "b"));
  EXPECT_FALSE(flock.Saw("b", Kind::kMemberDown, "a"));
}

TEST(Swim, RefusedRedialIsDeathAtOnceAndEverybodyHears) {
  Flock flock({"a", "b", "c", "d"});
  flock.Run(1s);
  flock["d"].silent = true;
  flock["a"].swim->OnUnlinked("d", flock.now());
  flock["a"].swim->OnRefused("d", flock.now());
  EXPECT_EQ(flock.State("d", "a"), MemberState::kDead);
  flock.Run(300ms);
  EXPECT_EQ(flock.State("d", "b"), MemberState::kDead);
  EXPECT_EQ(flock.State("d", "c"), MemberState::kDead);
}

TEST(Swim, RefusedDialOfALinkedMemberMeansNothing) {
  Flock flock({"a", "b"});
  flock["a"].swim->OnRefused("b", flock.now());
  EXPECT_EQ(flock.State("b", "a"), MemberState::kAlive);
}

TEST(Swim, LeavingIsToldApartFromDying) {
  Flock flock({"a", "b", "c"});
  flock.Run(1s);
  flock["c"].swim->Leave();
  flock.Run(200ms);
  flock["c"].silent = true;
  flock.Run(5s);
  EXPECT_TRUE(flock.Saw("a", Kind::kMemberLeft, "c"));
  EXPECT_FALSE(flock.Saw("a", Kind::kMemberDown, "c"));
}

TEST(Swim, UnhealthyNodeGivesOthersMoreTime) {
  Flock flock({"a", "b", "c", "d"});
  flock.Run(1s);
  for (const std::string gone : {"b", "c", "d"}) flock[gone].silent = true;
  flock.Run(1500ms);
  EXPECT_GT(flock["a"].swim->health(), 0);
}

TEST(Swim, AFullTableTakesNoStrangers) {
  RecordingSender sender;
  std::mt19937_64 random(1);
  Swim swim({"a", "a:1", 1}, sender, random);
  for (size_t i = 0; i < limits::kMembers + 100; ++i) {
    swim.OnMessage("x",
                   {SwimMessage::Kind::kGossip,
                    0,
                    {},
                    {{"n" + std::to_string(i), "n:1", 1, MemberState::kAlive, {}}}},
                   1s);
  }
  EXPECT_EQ(swim.members().size(), limits::kMembers);
}

TEST(Swim, ProbesAndSuspicionReadAsExpected) {
  RecordingSender sender;
  std::mt19937_64 random(3);
  Swim swim({"a", "a:1", 100}, sender, random);
  const std::map<NodeId, std::string> names{{NodeId::FromName("b"), "b"},
                                            {NodeId::FromName("c"), "c"}};
  swim.OnLinked("b", "b:1", 1s);
  swim.OnLinked("c", "c:1", 1s);
  std::string text = "links stand\n" + sender.Text(names);
  for (Instant now = 1s; now < 5s; now += 50ms) {
    swim.OnTick(now);
    swim.OnHeard("c", now);
    std::string said;
    for (const RecordingSender::Sent& sent : sender.Take()) {
      const auto& message = std::get<SwimMessage>(sent.held.message);
      said += "-> " + names.at(sent.to) + ": " + ToString(message) + "\n";
      const bool answers = names.at(sent.to) == "c";
      if (!answers) continue;
      if (message.kind == SwimMessage::Kind::kPing) {
        swim.OnMessage("c", {SwimMessage::Kind::kAck, message.sequence, "c", {}}, now);
      } else if (message.kind == SwimMessage::Kind::kPingRequest) {
        swim.OnMessage("c", {SwimMessage::Kind::kNack, message.sequence, {}, {}}, now);
      }
    }
    for (const EventEffect& event : swim.TakeEvents()) {
      said += "** " + event.member + ": " + event.detail +
              (event.kind == Kind::kMemberDown ? " (down)" : "") + "\n";
    }
    if (said.empty()) continue;
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(now - 1s).count();
    text += std::to_string(at) + " ms\n" + said;
  }
  ExpectTranscript("swim_silent_member", text);
}

}  // namespace
}  // namespace starling
