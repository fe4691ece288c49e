#include "replication/handshake_fsm.h"

#include <gtest/gtest.h>

#include "replication/limits.h"
#include "tests/replication/transcript.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using State = HandshakeFsm::State;

/// Two sides of one link; what they say is written down.
struct Pair {
  HandshakeFsm::Options dialler;
  HandshakeFsm::Options acceptor;
  std::unique_ptr<HandshakeFsm> d;
  std::unique_ptr<HandshakeFsm> a;
  std::string text;

  Pair() {
    dialler.role = LinkRole::kDialler;
    acceptor.role = LinkRole::kAcceptor;
    dialler.own = MakeHello("dora", 'd');
    acceptor.own = MakeHello("alma", 'a');
    dialler.secret = acceptor.secret = "feathers";
  }

  static Hello MakeHello(const std::string& name, char nonce) {
    Hello hello;
    hello.cluster_name = "flock";
    hello.node_name = name;
    hello.incarnation = 3;
    hello.session = static_cast<uint64_t>(nonce);
    hello.nonce = std::string(limits::kNonceBytes, nonce);
    hello.address = name + ":1";
    hello.members = 2;
    return hello;
  }

  static void Feed(HandshakeFsm& fsm, const PeerMessage& message, std::vector<PeerMessage>& out) {
    if (const auto* hello = std::get_if<Hello>(&message)) fsm.OnHello(*hello, out);
    if (const auto* proof = std::get_if<Proof>(&message)) fsm.OnProof(*proof, out);
    if (const auto* refusal = std::get_if<Refusal>(&message)) fsm.OnRefusal(*refusal);
  }

  /// Runs to the end. `drop` says which of all messages, by number, is lost.
  void Run(const std::set<int>& drop = {}) {
    d = std::make_unique<HandshakeFsm>(dialler, 0s);
    a = std::make_unique<HandshakeFsm>(acceptor, 0s);
    std::vector<PeerMessage> from_d;
    std::vector<PeerMessage> from_a;
    d->Start(from_d);
    a->Start(from_a);
    int number = 0;
    for (Instant now = 0s; now < 6s; now += 100ms) {
      while (!from_d.empty() || !from_a.empty()) {
        const auto said_d = std::exchange(from_d, {});
        for (const PeerMessage& message : said_d) {
          text += "dora: " + ToString(message) + "\n";
          if (!drop.contains(number++)) Feed(*a, message, from_a);
        }
        const auto said_a = std::exchange(from_a, {});
        for (const PeerMessage& message : said_a) {
          text += "alma: " + ToString(message) + "\n";
          if (!drop.contains(number++)) Feed(*d, message, from_d);
        }
      }
      d->OnTick(now, from_d);
      a->OnTick(now, from_a);
    }
    text += "dora ends " + Outcome(*d) + "\nalma ends " + Outcome(*a) + "\n";
  }

  static std::string Outcome(const HandshakeFsm& fsm) {
    return fsm.established() ? "established, version " + std::to_string(fsm.version())
                             : fsm.reason();
  }
};

TEST(Handshake, EstablishesBetweenMembersThatKnowTheSecret) {
  Pair pair;
  pair.Run();
  EXPECT_TRUE(pair.d->established() && pair.a->established());
  ExpectTranscript("handshake_established", pair.text);
}

TEST(Handshake, SurvivesTheLossOfAnyOneMessage) {
  for (int lost = 0; lost < 4; ++lost) {
    Pair pair;
    pair.Run({lost});
    EXPECT_TRUE(pair.d->established() && pair.a->established()) << pair.text;
  }
}

TEST(Handshake, RefusesAnotherSecretAndTellsThePeer) {
  Pair pair;
  pair.acceptor.secret = "scales";
  pair.Run();
  EXPECT_EQ(pair.d->code(), RefusalCode::kSecret);
  EXPECT_EQ(pair.a->code(), RefusalCode::kSecret);
  ExpectTranscript("handshake_refused_secret", pair.text);
}

TEST(Handshake, NodeWithoutSecretAndNodeWithOneRefuseEachOther) {
  Pair pair;
  pair.dialler.secret = "";
  pair.Run();
  EXPECT_TRUE(pair.d->ended() && pair.a->ended());
}

TEST(Handshake, RefusesAnotherClusterName) {
  Pair pair;
  pair.acceptor.own.cluster_name = "herd";
  pair.Run();
  EXPECT_EQ(pair.d->code(), RefusalCode::kClusterName);
  ExpectTranscript("handshake_refused_cluster_name", pair.text);
}

TEST(Handshake, RefusesAnotherClusterIdAndSaysHowToJoin) {
  Pair pair;
  pair.dialler.own.cluster_id = 1;
  pair.acceptor.own.cluster_id = 2;
  pair.Run();
  EXPECT_EQ(pair.a->code(), RefusalCode::kClusterId);
  EXPECT_NE(pair.a->reason().find("empty data folder"), std::string::npos);
}

TEST(Handshake, AdmitsANodeOfNoClusterToOneOfSome) {
  Pair pair;
  pair.acceptor.own.cluster_id = 2;
  pair.Run();
  EXPECT_TRUE(pair.d->established());
}

TEST(Handshake, NeighbouringVersionsSpeakTheOlderOne) {
  Pair pair;
  pair.dialler.own.protocol = {2, 1};  // a newer one, as version 2 will be
  pair.Run();
  EXPECT_TRUE(pair.d->established() && pair.a->established());
  EXPECT_EQ(pair.d->version(), 1);
  EXPECT_EQ(pair.a->version(), 1);

  Pair newer;
  newer.dialler.own.protocol = {3, 2};
  newer.acceptor.own.protocol = {2, 1};
  newer.Run();
  EXPECT_EQ(newer.a->version(), 2);
}

TEST(Handshake, VersionsThatDoNotOverlapAreRefused) {
  Pair pair;
  pair.dialler.own.protocol = {3, 2};
  pair.Run();
  EXPECT_EQ(pair.d->code(), RefusalCode::kVersion);
  EXPECT_EQ(pair.a->code(), RefusalCode::kVersion);
  ExpectTranscript("handshake_refused_version", pair.text);
}

TEST(Handshake, TheHostsRefusalReachesThePeer) {
  Pair pair;
  pair.acceptor.admit = [](const Hello&) {
    return Refusal{RefusalCode::kClockSkew, "your clock is ahead"};
  };
  pair.Run();
  EXPECT_EQ(pair.d->reason(), "refused by the peer (clock-skew): your clock is ahead");
}

TEST(Handshake, AReflectedProofProvesNothing) {
  Pair pair;
  HandshakeFsm d(pair.dialler, 0s);
  std::vector<PeerMessage> out;
  d.Start(out);
  // An impostor without the secret plays our own hello and proof back at us.
  Hello mirrored = pair.dialler.own;
  mirrored.node_name = "alma";
  d.OnHello(mirrored, out);
  ASSERT_TRUE(std::holds_alternative<Proof>(out.back()));
  const Proof own = std::get<Proof>(out.back());
  d.OnProof(own, out);
  EXPECT_EQ(d.code(), RefusalCode::kSecret);
}

TEST(Handshake, AProofOfAnEarlierLinkProvesNothing) {
  Pair first;
  first.Run();
  Pair second;
  second.acceptor.own.nonce = std::string(limits::kNonceBytes, 'x');
  HandshakeFsm d(second.dialler, 0s);
  std::vector<PeerMessage> out;
  d.OnHello(second.acceptor.own, out);
  d.OnProof(
      Proof{MakeProof("feathers", LinkRole::kAcceptor, first.dialler.own, first.acceptor.own)},
      out);
  EXPECT_EQ(d.code(), RefusalCode::kSecret);
}

TEST(Handshake, EndsWhenThePeerSaysNothing) {
  Pair pair;
  HandshakeFsm d(pair.dialler, 0s);
  std::vector<PeerMessage> out;
  d.Start(out);
  for (Instant now = 0s; now <= 5s; now += 100ms) d.OnTick(now, out);
  EXPECT_TRUE(d.ended());
  EXPECT_EQ(d.NextTimer(), Instant::max());
}

}  // namespace
}  // namespace starling
