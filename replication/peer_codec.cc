#include "replication/peer_codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstring>
#include <utility>

#include "replication/limits.h"
#include "replication/peer.capnp.h"
#include "replication/peer_codec_parts.h"

namespace starling {
namespace {

using wire::BuildOrigin;
using wire::BuildVector;
using wire::Malformed;
using wire::ReadOrigin;
using wire::ReadVector;
using wire::Require;

// --- building ---

capnp::Text::Reader TextOf(std::string_view text) {
  // Text wants a terminating zero, which std::string has; only whole strings come here.
  return capnp::Text::Reader(text.data(), text.size());
}

template <typename List>
void BuildTexts(List list, const std::vector<std::string>& texts) {
  for (size_t i = 0; i < texts.size(); ++i) list.set(i, TextOf(texts[i]));
}

template <typename List>
void BuildNumbers(List list, const std::vector<uint64_t>& numbers) {
  for (size_t i = 0; i < numbers.size(); ++i) list.set(i, numbers[i]);
}

void BuildRecord(wire::PeerClusterRecord::Builder builder, const ClusterRecord& record) {
  builder.setId(record.id);
  BuildTexts(builder.initFirstMembers(record.first_members.size()), record.first_members);
  BuildTexts(builder.initVoters(record.voters.size()), record.voters);
}

/// Fills the union's field for one kind of message; collects payloads.
struct Build {
  wire::PeerMessage::Builder root;
  std::vector<std::string_view>& payload;

  void operator()(const Hello& m) {
    auto b = root.initHello();
    b.setVersion(m.protocol.current);
    b.setMinimum(m.protocol.minimum);
    b.setClusterName(TextOf(m.cluster_name));
    b.setClusterId(m.cluster_id);
    b.setNodeName(TextOf(m.node_name));
    b.setIncarnation(m.incarnation);
    b.setSession(m.session);
    b.setNonce(kj::arrayPtr(reinterpret_cast<const kj::byte*>(m.nonce.data()), m.nonce.size()));
    b.setWallMillis(m.wall_millis);
    b.setClock(m.clock.value);
    b.setAddress(TextOf(m.address));
    b.setMembers(m.members);
    b.setBootId(TextOf(m.boot_id));
    b.setProcess(TextOf(m.process));
  }
  void operator()(const Proof& m) {
    root.setProof(kj::arrayPtr(reinterpret_cast<const kj::byte*>(m.mac.data()), m.mac.size()));
  }
  void operator()(const Refusal& m) {
    auto b = root.initRefusal();
    b.setCode(static_cast<uint8_t>(m.code));
    b.setText(TextOf(m.text));
  }
  void operator()(const Fragment& m) {
    auto b = root.initFragment();
    b.setMessage(m.message);
    b.setIndex(m.index);
    b.setCount(m.count);
    payload.push_back(m.data);
  }
  void operator()(const Batches& m) {
    root.setBatches();
    payload = m.batches;
  }
  void operator()(const Want& m) {
    auto b = root.initWant();
    BuildOrigin(b.initOrigin(), m.origin);
    b.setAfter(m.after.value);
  }
  void operator()(const Report& m) {
    auto b = root.initReport();
    b.setSequence(m.sequence);
    b.setRound(m.round);
    b.setFull(m.full);
    BuildOrigin(b.initOrigin(), m.origin);
    BuildVector(b.initVector(m.vector.entries().size()), m.vector);
    if (!m.floor.empty()) BuildVector(b.initFloor(m.floor.entries().size()), m.floor);
    b.setListDigest(m.list_digest);
    b.setClock(m.clock.value);
    b.setPromised(m.promised);
    b.setLeads(m.leads);
    b.setAsks(m.asks);
  }
  void operator()(const WalkHint&) { root.setWalkHint(); }
  void operator()(const WalkRequest& m) {
    auto b = root.initWalkRequest();
    b.setWalk(m.walk);
    b.setWhole(m.whole);
    BuildVector(b.initCovered(m.covered.entries().size()), m.covered);
  }
  void operator()(const WalkPart& m) {
    auto b = root.initWalkPart();
    b.setWalk(m.walk);
    b.setIndex(m.index);
    b.setWhole(m.whole);
    b.setLast(m.last);
    payload = m.pieces;
  }
  void operator()(const WalkCredit& m) {
    auto b = root.initWalkCredit();
    b.setWalk(m.walk);
    b.setReceived(m.received);
  }
  void operator()(const WalkAbort& m) {
    auto b = root.initWalkAbort();
    b.setWalk(m.walk);
    b.setReason(TextOf(m.reason));
  }
  void operator()(const SwimMessage& m) {
    auto b = root.initSwim();
    b.setKind(static_cast<uint8_t>(m.kind));
    b.setSequence(m.sequence);
    b.setTarget(TextOf(m.target));
    auto updates = b.initUpdates(m.updates.size());
    for (size_t i = 0; i < m.updates.size(); ++i) {
      updates[i].setName(TextOf(m.updates[i].name));
      updates[i].setAddress(TextOf(m.updates[i].address));
      updates[i].setIncarnation(m.updates[i].incarnation);
      updates[i].setState(static_cast<uint8_t>(m.updates[i].state));
      updates[i].setBy(TextOf(m.updates[i].by));
    }
  }
  void operator()(const ClusterAnnounce& m) {
    auto b = root.initClusterAnnounce();
    BuildRecord(b.initRecord(), m.record);
    b.setForgotten(m.forgotten);
    b.setEnded(m.ended);
    BuildVector(b.initEnds(m.ends.entries().size()), m.ends);
  }
  void operator()(const CreationOffer& m) { root.initCreationOffer().setExpect(m.expect); }
  void operator()(const CreationProposal& m) {
    BuildRecord(root.initCreationProposal().initRecord(), m.record);
  }
  void operator()(const CreationAccept& m) { root.initCreationAccept().setId(m.id); }
  void operator()(const BeginRequest& m) {
    auto b = root.initBeginRequest();
    b.setName(TextOf(m.name));
    b.setIncarnation(m.incarnation);
  }
  void operator()(const ForgetRequest& m) {
    auto b = root.initForgetRequest();
    BuildTexts(b.initNames(m.names.size()), m.names);
    BuildNumbers(b.initBegun(m.begun.size()), m.begun);
  }
  void operator()(const ForgetReport& m) {
    auto b = root.initForgetReport();
    BuildTexts(b.initNames(m.names.size()), m.names);
    BuildVector(b.initHeld(m.held.entries().size()), m.held);
    BuildNumbers(b.initBegun(m.begun.size()), m.begun);
  }
  void operator()(const LeaseMessage& m) { wire::BuildLease(root.initLease(), m); }
  void operator()(const ForwardingMessage& m) {
    wire::BuildForwarding(root.initForwarding(), m, payload);
  }
};

// --- reading ---

std::string ReadText(capnp::Text::Reader text, size_t limit, const char* what) {
  Require(text.size() <= limit, what);
  return std::string(text.begin(), text.size());
}

std::string ReadData(capnp::Data::Reader data, size_t limit, const char* what) {
  Require(data.size() <= limit, what);
  return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

std::string ReadName(capnp::Text::Reader text) {
  return ReadText(text, limits::kNameBytes, "name too long");
}

template <typename List>
std::vector<std::string> ReadNames(List list) {
  Require(list.size() <= limits::kMembers, "too many names");
  std::vector<std::string> names;
  for (auto name : list) names.push_back(ReadName(name));
  return names;
}

template <typename List>
std::vector<uint64_t> ReadNumbers(List list) {
  Require(list.size() <= limits::kMembers, "too many numbers");
  std::vector<uint64_t> numbers;
  for (const uint64_t number : list) numbers.push_back(number);
  return numbers;
}

ClusterRecord ReadRecord(wire::PeerClusterRecord::Reader reader) {
  ClusterRecord record;
  record.id = reader.getId();
  Require(record.id != 0, "cluster id 0");
  record.first_members = ReadNames(reader.getFirstMembers());
  record.voters = ReadNames(reader.getVoters());
  return record;
}

Hello ReadHello(wire::PeerHello::Reader reader) {
  Hello hello;
  hello.protocol = {reader.getVersion(), reader.getMinimum()};
  hello.cluster_name = ReadName(reader.getClusterName());
  hello.cluster_id = reader.getClusterId();
  hello.node_name = ReadName(reader.getNodeName());
  hello.incarnation = reader.getIncarnation();
  hello.session = reader.getSession();
  hello.nonce = ReadData(reader.getNonce(), limits::kNonceBytes, "nonce too long");
  Require(hello.nonce.size() == limits::kNonceBytes, "nonce too short");
  hello.wall_millis = reader.getWallMillis();
  hello.clock = Stamp{reader.getClock()};
  hello.address = ReadText(reader.getAddress(), limits::kAddressBytes, "address too long");
  hello.members = reader.getMembers();
  hello.boot_id = ReadText(reader.getBootId(), limits::kNameBytes, "boot id too long");
  hello.process = ReadText(reader.getProcess(), limits::kNameBytes, "process too long");
  return hello;
}

Report ReadReport(wire::PeerReport::Reader reader) {
  Report report;
  report.sequence = reader.getSequence();
  report.round = reader.getRound();
  report.full = reader.getFull();
  report.origin = ReadOrigin(reader.getOrigin());
  report.vector = ReadVector(reader.getVector());
  report.floor = ReadVector(reader.getFloor());
  report.list_digest = reader.getListDigest();
  report.clock = Stamp{reader.getClock()};
  report.promised = reader.getPromised();
  report.leads = reader.getLeads();
  report.asks = reader.getAsks();
  return report;
}

MemberState ReadState(uint8_t state) {
  Require(state <= static_cast<uint8_t>(MemberState::kForgotten), "unknown member state");
  return static_cast<MemberState>(state);
}

SwimMessage ReadSwim(wire::PeerMessage::Swim::Reader reader) {
  SwimMessage swim;
  Require(reader.getKind() >= 1 && reader.getKind() <= 5, "unknown kind of swim message");
  swim.kind = static_cast<SwimMessage::Kind>(reader.getKind());
  swim.sequence = reader.getSequence();
  swim.target = ReadName(reader.getTarget());
  Require(reader.getUpdates().size() <= limits::kGossipUpdates, "too many gossip updates");
  for (auto update : reader.getUpdates()) {
    swim.updates.push_back(
        {ReadName(update.getName()),
         ReadText(update.getAddress(), limits::kAddressBytes, "address too long"),
         update.getIncarnation(), ReadState(update.getState()), ReadName(update.getBy())});
  }
  return swim;
}

PeerMessage ReadStructured(wire::PeerMessage::Reader root) {
  switch (root.which()) {
    case wire::PeerMessage::HELLO:
      return ReadHello(root.getHello());
    case wire::PeerMessage::PROOF:
      return Proof{ReadData(root.getProof(), limits::kMacBytes, "proof too long")};
    case wire::PeerMessage::REFUSAL:
      return Refusal{static_cast<RefusalCode>(root.getRefusal().getCode()),
                     ReadText(root.getRefusal().getText(), limits::kReasonBytes, "text too long")};
    case wire::PeerMessage::WANT:
      return Want{ReadOrigin(root.getWant().getOrigin()), Stamp{root.getWant().getAfter()}};
    case wire::PeerMessage::REPORT:
      return ReadReport(root.getReport());
    case wire::PeerMessage::WALK_HINT:
      return WalkHint{};
    case wire::PeerMessage::WALK_REQUEST: {
      auto request = root.getWalkRequest();
      return WalkRequest{request.getWalk(), request.getWhole(), ReadVector(request.getCovered())};
    }
    case wire::PeerMessage::WALK_CREDIT:
      return WalkCredit{root.getWalkCredit().getWalk(), root.getWalkCredit().getReceived()};
    case wire::PeerMessage::WALK_ABORT:
      return WalkAbort{
          root.getWalkAbort().getWalk(),
          ReadText(root.getWalkAbort().getReason(), limits::kReasonBytes, "reason too long")};
    case wire::PeerMessage::SWIM:
      return ReadSwim(root.getSwim());
    case wire::PeerMessage::CLUSTER_ANNOUNCE: {
      auto announce = root.getClusterAnnounce();
      return ClusterAnnounce{ReadRecord(announce.getRecord()), announce.getForgotten(),
                             announce.getEnded(), ReadVector(announce.getEnds())};
    }
    case wire::PeerMessage::CREATION_OFFER:
      return CreationOffer{root.getCreationOffer().getExpect()};
    case wire::PeerMessage::CREATION_PROPOSAL:
      return CreationProposal{ReadRecord(root.getCreationProposal().getRecord())};
    case wire::PeerMessage::CREATION_ACCEPT:
      return CreationAccept{root.getCreationAccept().getId()};
    case wire::PeerMessage::BEGIN_REQUEST:
      return BeginRequest{ReadName(root.getBeginRequest().getName()),
                          root.getBeginRequest().getIncarnation()};
    case wire::PeerMessage::FORGET_REQUEST:
      return ForgetRequest{ReadNames(root.getForgetRequest().getNames()),
                           ReadNumbers(root.getForgetRequest().getBegun())};
    case wire::PeerMessage::FORGET_REPORT:
      return ForgetReport{ReadNames(root.getForgetReport().getNames()),
                          ReadVector(root.getForgetReport().getHeld()),
                          ReadNumbers(root.getForgetReport().getBegun())};
    case wire::PeerMessage::LEASE:
      return wire::ReadLease(root.getLease());
    default:
      throw Malformed{"unknown kind of message"};
  }
}

PeerMessage ReadMessage(wire::PeerMessage::Reader root, std::vector<std::string_view> payload) {
  switch (root.which()) {
    case wire::PeerMessage::FRAGMENT: {
      auto fragment = root.getFragment();
      Require(payload.size() == 1, "a fragment without its one payload");
      return Fragment{fragment.getMessage(), fragment.getIndex(), fragment.getCount(), payload[0]};
    }
    case wire::PeerMessage::BATCHES:
      return Batches{std::move(payload)};
    case wire::PeerMessage::WALK_PART: {
      auto part = root.getWalkPart();
      return WalkPart{part.getWalk(), part.getIndex(), part.getWhole(), part.getLast(),
                      std::move(payload)};
    }
    case wire::PeerMessage::FORWARDING:
      return wire::ReadForwarding(root.getForwarding(), payload);
    default:
      Require(payload.empty(), "a payload where none belongs");
      return ReadStructured(root);
  }
}

/// Cuts `tail` as the lengths say; all of it must be used.
template <typename List>
std::vector<std::string_view> CutPayload(List lengths, std::string_view tail) {
  Require(lengths.size() <= limits::kBatchesPerFrame, "too many payloads");
  std::vector<std::string_view> payload;
  for (const uint64_t length : lengths) {
    Require(length <= tail.size(), "payload shorter than announced");
    payload.push_back(tail.substr(0, length));
    tail.remove_prefix(length);
  }
  Require(tail.empty(), "payload longer than announced");
  return payload;
}

constexpr size_t kPrefix = 4;

/// The structure's words, copied to aligned memory: frames begin anywhere.
kj::Array<capnp::word> AlignedHeader(std::string_view bytes) {
  Require(bytes.size() >= kPrefix, "shorter than its length field");
  uint32_t length = 0;
  std::memcpy(&length, bytes.data(), kPrefix);
  Require(length <= limits::kHeaderBytes, "structure too large");
  Require(length <= bytes.size() - kPrefix, "structure longer than the frame");
  Require(length % sizeof(capnp::word) == 0 && length > 0, "structure of broken words");
  auto words = kj::heapArray<capnp::word>(length / sizeof(capnp::word));
  std::memcpy(words.begin(), bytes.data() + kPrefix, length);
  return words;
}

capnp::ReaderOptions Bounded(size_t words) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 4 * words + 64;
  options.nestingLimit = 8;
  return options;
}

template <typename Function>
auto Guarded(const char* what, Function&& function) -> Result<decltype(function())> {
  std::string reason;
  try {
    return function();
  } catch (const Malformed& malformed) {
    reason = malformed.what;
  } catch (const kj::Exception& exception) {
    reason = std::string(exception.getDescription().cStr());
  }
  return Error{Code::kCorruption, std::string(what) + ": " + reason};
}

}  // namespace

std::string EncodePeerMessage(const PeerMessage& message, uint16_t version) {
  capnp::MallocMessageBuilder builder;
  std::vector<std::string_view> payload;
  auto root = builder.initRoot<wire::PeerMessage>();
  root.setVersion(version);
  std::visit(Build{root, payload}, message);
  size_t total = 0;
  if (!payload.empty()) {
    auto lengths = root.initPayload(payload.size());
    for (size_t i = 0; i < payload.size(); ++i) {
      lengths.set(i, payload[i].size());
      total += payload[i].size();
    }
  }
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(builder);
  const auto header = words.asBytes();
  const uint32_t length = static_cast<uint32_t>(header.size());
  std::string bytes;
  bytes.reserve(kPrefix + length + total);
  bytes.append(reinterpret_cast<const char*>(&length), kPrefix);
  bytes.append(reinterpret_cast<const char*>(header.begin()), length);
  for (const std::string_view piece : payload) bytes.append(piece);
  return bytes;
}

Result<DecodedMessage> DecodePeerMessage(std::string_view bytes) {
  return Guarded("peer message", [&]() -> DecodedMessage {
    const kj::Array<capnp::word> words = AlignedHeader(bytes);
    capnp::FlatArrayMessageReader reader(words, Bounded(words.size()));
    auto root = reader.getRoot<wire::PeerMessage>();
    const std::string_view tail = bytes.substr(kPrefix + words.size() * sizeof(capnp::word));
    return {root.getVersion(), ReadMessage(root, CutPayload(root.getPayload(), tail))};
  });
}

std::string EncodeLeaseRecord(const LeaseRecord& record) {
  // A voter's own words to a recovering one say the same.
  RecoveryReport report;
  report.incarnation = record.incarnation;
  report.promised = record.promised_epoch;
  report.resumed_with = record.resumed_with;
  return EncodePeerMessage(LeaseMessage{report});
}

Result<LeaseRecord> DecodeLeaseRecord(std::string_view bytes) {
  Result<DecodedMessage> decoded = DecodePeerMessage(bytes);
  if (!decoded) return decoded.error();
  if (const auto* lease = std::get_if<LeaseMessage>(&decoded->message)) {
    if (const auto* report = std::get_if<RecoveryReport>(lease)) {
      return LeaseRecord{report->incarnation, report->promised, report->resumed_with};
    }
  }
  return Error{Code::kCorruption, "lease record: holds another message"};
}

std::string EncodeClusterRecord(const ClusterRecord& record) {
  return EncodePeerMessage(CreationProposal{record});
}

Result<ClusterRecord> DecodeClusterRecord(std::string_view bytes) {
  Result<DecodedMessage> decoded = DecodePeerMessage(bytes);
  if (!decoded) return decoded.error();
  if (auto* proposal = std::get_if<CreationProposal>(&decoded->message)) return proposal->record;
  return Error{Code::kCorruption, "cluster record: holds another message"};
}

}  // namespace starling
