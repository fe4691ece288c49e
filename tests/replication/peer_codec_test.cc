#include "replication/peer_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "replication/fragments.h"
#include "replication/limits.h"

namespace starling {
namespace {

VersionVector SomeVector() {
  VersionVector vector;
  vector.Set(Origin{NodeId{7}, 1}, Stamp{100});
  vector.Set(Origin{NodeId{9}, 3}, Stamp{~uint64_t{0}});
  return vector;
}

Hello SomeHello() {
  Hello hello;
  hello.cluster_name = "flock";
  hello.cluster_id = 42;
  hello.node_name = "a";
  hello.incarnation = 5;
  hello.session = 77;
  hello.nonce = std::string(limits::kNonceBytes, 'n');
  hello.wall_millis = 1'700'000'000'000;
  hello.clock = Stamp{123};
  hello.address = "host:1";
  hello.members = 3;
  hello.boot_id = "boot";
  hello.process = "process 1 2 3\n";
  return hello;
}

std::vector<PeerMessage> OneOfEach() {
  const ClusterRecord record{42, {"a", "b"}, {"a"}};
  return {SomeHello(),
          Proof{std::string(limits::kMacBytes, 'm')},
          Refusal{RefusalCode::kSecret, "no"},
          Fragment{1, 2, 3, "data"},
          Batches{{"one", "", "three"}},
          Want{Origin{NodeId{7}, 1}, Stamp{9}},
          Report{1, true, true, Origin{NodeId{7}, 1}, SomeVector(), SomeVector(), 5, Stamp{6}, 7, 8,
                 true},
          WalkHint{},
          WalkRequest{8, true, SomeVector()},
          WalkPart{8, 2, true, true, {"chunk", "batch"}},
          WalkCredit{8, 3},
          WalkAbort{8, "why"},
          SwimMessage{SwimMessage::Kind::kPingRequest,
                      4,
                      "b",
                      {{"c", "host:2", 6, MemberState::kSuspect, "a"}}},
          ClusterAnnounce{record, true, 6, SomeVector()},
          CreationOffer{3},
          CreationProposal{record},
          CreationAccept{42},
          BeginRequest{"j", 12},
          ForgetRequest{{"d", "e"}, {3, 4}},
          ForgetReport{{"d", "e"}, SomeVector(), {3, 4}},
          LeaseMessage{LeaseGrant{false, 4, 77, SomeVector()}},
          ForwardingMessage{Orders{5, {{6, 2, "request"}, {7, 3, ""}}}}};
}

std::vector<ForwardingMessage> OneOfEachForwardingMessage() {
  return {Orders{5, {{6, 2, "request"}, {7, 3, ""}}},
          Answers{Origin{NodeId{7}, 1},
                  Stamp{9},
                  {{6, OrderOutcome::kDone, "+OK\r\n"}, {7, OrderOutcome::kForgotten, ""}}},
          ClientsGone{{2, 3}}};
}

std::vector<LeaseMessage> OneOfEachLeaseMessage() {
  return {LeaseRequest{true, 4, 77, 2},
          LeaseGrant{false, 4, 77, SomeVector()},
          LeaseDenial{LeaseDenial::Reason::kVoters, 4, 77, 9},
          LeaseRenewal{4, 12},
          LeaseRenewed{4, 12},
          LeaseResignation{4},
          RecoveryRequest{5},
          RecoveryReport{5, 4, 6, true, {Origin{NodeId{7}, 1}}, SomeVector()}};
}

TEST(PeerCodec, EveryMessageComesBackAsItWas) {
  const std::vector<PeerMessage> messages = OneOfEach();
  ASSERT_EQ(messages.size(), std::variant_size_v<PeerMessage>);
  for (const PeerMessage& message : messages) {
    const std::string bytes = EncodePeerMessage(message);
    const auto decoded = DecodePeerMessage(bytes);
    ASSERT_TRUE(decoded.ok()) << NameOf(message) << ": " << decoded.error().message;
    EXPECT_EQ(decoded->message.index(), message.index());
    EXPECT_EQ(ToString(decoded->message), ToString(message));
    EXPECT_EQ(EncodePeerMessage(decoded->message), bytes) << NameOf(message);
  }
}

TEST(PeerCodec, EveryLeaseMessageComesBackAsItWas) {
  const std::vector<LeaseMessage> messages = OneOfEachLeaseMessage();
  ASSERT_EQ(messages.size(), std::variant_size_v<LeaseMessage>);
  for (const LeaseMessage& message : messages) {
    const std::string bytes = EncodePeerMessage(message);
    const auto decoded = DecodePeerMessage(bytes);
    ASSERT_TRUE(decoded.ok()) << ToString(message) << ": " << decoded.error().message;
    EXPECT_EQ(std::get<LeaseMessage>(decoded->message).index(), message.index());
    EXPECT_EQ(EncodePeerMessage(decoded->message), bytes) << ToString(message);
  }
}

TEST(PeerCodec, EveryForwardingMessageComesBackAsItWas) {
  const std::vector<ForwardingMessage> messages = OneOfEachForwardingMessage();
  ASSERT_EQ(messages.size(), std::variant_size_v<ForwardingMessage>);
  for (const ForwardingMessage& message : messages) {
    const std::string bytes = EncodePeerMessage(message);
    const auto decoded = DecodePeerMessage(bytes);
    ASSERT_TRUE(decoded.ok()) << ToString(message) << ": " << decoded.error().message;
    EXPECT_EQ(ToString(std::get<ForwardingMessage>(decoded->message)), ToString(message));
    EXPECT_EQ(EncodePeerMessage(decoded->message), bytes) << ToString(message);
  }
}

TEST(PeerCodec, AThousandOrdersInOneMessageAreRead) {
  Orders orders;
  for (uint64_t id = 1; id <= limits::kOrdersPerMessage; ++id)
    orders.orders.push_back({id, id, "r"});
  const std::string bytes = EncodePeerMessage(ForwardingMessage{orders});
  const auto decoded = DecodePeerMessage(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
}

TEST(PeerCodec, AVotersRecordComesBackAsItWas) {
  const LeaseRecord record{3, 17, {Origin{NodeId{7}, 1}, Origin{NodeId{8}, 2}}};
  const auto decoded = DecodeLeaseRecord(EncodeLeaseRecord(record));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(*decoded, record);
  EXPECT_FALSE(DecodeLeaseRecord("torn").ok());
  EXPECT_FALSE(DecodeLeaseRecord(EncodePeerMessage(WalkHint{})).ok());
}

TEST(PeerCodec, EveryCutOfAFrameIsAnErrorAndNeverMore) {
  for (const PeerMessage& message : OneOfEach()) {
    const std::string bytes = EncodePeerMessage(message);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::string exact(bytes, 0, size);  // its own allocation: sanitizers see overruns
      const auto decoded = DecodePeerMessage(exact);
      ASSERT_FALSE(decoded.ok()) << NameOf(message) << " cut at " << size;
      EXPECT_EQ(decoded.error().code, Code::kCorruption);
    }
  }
}

TEST(PeerCodec, FlippedBitsNeverCrash) {
  std::mt19937_64 random(1);
  for (const PeerMessage& message : OneOfEach()) {
    const std::string bytes = EncodePeerMessage(message);
    for (int i = 0; i < 300; ++i) {
      std::string broken = bytes;
      for (int flips = 0; flips < 3; ++flips) {
        broken[random() % broken.size()] ^= static_cast<char>(1u << random() % 8);
      }
      const auto decoded = DecodePeerMessage(broken);
      if (!decoded) {
        EXPECT_FALSE(decoded.error().message.empty());
      }
    }
  }
}

TEST(PeerCodec, NamesWhatPassesALimit) {
  Hello hello = SomeHello();
  hello.node_name = std::string(limits::kNameBytes + 1, 'x');
  const auto decoded = DecodePeerMessage(EncodePeerMessage(hello));
  ASSERT_FALSE(decoded.ok());
  EXPECT_NE(decoded.error().message.find("name too long"), std::string::npos);
  SwimMessage swim;
  swim.updates.resize(limits::kGossipUpdates + 1);
  EXPECT_FALSE(DecodePeerMessage(EncodePeerMessage(swim)).ok());
}

TEST(PeerCodec, ClusterRecordSurvivesPersisting) {
  const ClusterRecord record{42, {"a", "b"}, {"a"}};
  const auto decoded = DecodeClusterRecord(EncodeClusterRecord(record));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->id, 42u);
  EXPECT_EQ(decoded->first_members, record.first_members);
  EXPECT_EQ(decoded->voters, record.voters);
  EXPECT_FALSE(DecodeClusterRecord("rubbish").ok());
}

// --- fragments ---

std::vector<std::string> Cut(const std::string& message, uint64_t number = 2) {
  std::vector<std::string> frames;
  CutIntoFrames(message, number, 1, [&](std::string frame) { frames.push_back(std::move(frame)); });
  return frames;
}

Result<std::optional<std::string>> Feed(FragmentAssembler& assembler, const std::string& frame) {
  const auto decoded = DecodePeerMessage(frame);
  return assembler.Add(std::get<Fragment>(decoded->message));
}

TEST(Fragments, SmallMessagesTravelAsTheyAre) {
  EXPECT_EQ(Cut("small"), std::vector<std::string>{"small"});
}

TEST(Fragments, LargeMessagesComeTogetherAgain) {
  const std::string message(limits::kFragmentBytes * 5 + 17, 'q');
  const auto frames = Cut(message);
  ASSERT_EQ(frames.size(), 6u);
  FragmentAssembler assembler;
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_LE(frames[i].size(), limits::kFrameBytes);
    const auto whole = Feed(assembler, frames[i]);
    ASSERT_TRUE(whole.ok());
    EXPECT_EQ(whole->has_value(), i + 1 == frames.size());
    if (*whole) {
      EXPECT_EQ(**whole, message);
    }
  }
}

TEST(Fragments, AHoleDropsTheMessageAndTheNextOneIsTaken) {
  const std::string message(limits::kFragmentBytes * 4, 'q');
  const auto first = Cut(message, 2);
  const auto second = Cut(message, 4);
  FragmentAssembler assembler;
  for (const size_t i : {0u, 2u, 3u}) {
    const auto whole = Feed(assembler, first[i]);
    ASSERT_TRUE(whole.ok());
    EXPECT_FALSE(whole->has_value());
  }
  std::optional<std::string> came;
  for (const std::string& frame : second) {
    auto whole = Feed(assembler, frame);
    ASSERT_TRUE(whole.ok());
    if (*whole) came = *std::move(*whole);
    const auto doubled = Feed(assembler, frame);  // a duplicate changes nothing
    ASSERT_TRUE(doubled.ok());
    EXPECT_FALSE(doubled->has_value());
  }
  EXPECT_EQ(came, message);
}

TEST(Fragments, AFragmentOutsideItsMessageIsAnError) {
  FragmentAssembler assembler;
  EXPECT_FALSE(assembler.Add(Fragment{1, 3, 3, "x"}).ok());
  EXPECT_FALSE(assembler.Add(Fragment{1, 0, 0, "x"}).ok());
}

}  // namespace
}  // namespace starling
