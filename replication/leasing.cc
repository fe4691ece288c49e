#include "replication/leasing.h"

#include <utility>

#include "replication/joining.h"
#include "replication/peer_codec.h"

namespace starling {
namespace {

constexpr std::string_view kLeaseKey = "lease";
constexpr std::string_view kEpochField = "epoch";

}  // namespace

Leasing::Leasing(Store& store, const MemberList& list, const Links& links, PeerSender& sender,
                 Streams& streams, std::mt19937_64& random, uint64_t session,
                 std::shared_ptr<spdlog::logger> log)
    : store_(store),
      list_(list),
      links_(links),
      sender_(sender),
      streams_(streams),
      log_(std::move(log)),
      lease_({.name = store.name(), .session = session}, *this, random, log_) {
  streams_.SayPromised([this] { return lease_.promised(); });
}

void Leasing::Begin(const ClusterRecord& record, bool created, Instant now) {
  if (begun_) return;
  begun_ = true;
  incarnation_ = store_.origin().incarnation;
  std::optional<LeaseRecord> known;
  if (const auto bytes = store_.GetRecord(record_names::kLease); bytes && *bytes) {
    const auto decoded = DecodeLeaseRecord(**bytes);
    if (decoded) {
      known = *decoded;
    } else {
      log_->error("event=record_unreadable record={} error=\"{}\"", record_names::kLease,
                  decoded.error().message);
    }
  } else if (created) {
    LeaseRecord fresh;
    fresh.incarnation = incarnation_;
    if (Persist(fresh)) known = fresh;
  }
  lease_.Start(known, incarnation_, VoterSet{1, record.voters}, now);
}

void Leasing::NoticeIncarnation(Instant now) {
  if (!begun_ || store_.origin().incarnation == incarnation_) return;
  incarnation_ = store_.origin().incarnation;
  lease_.OnIncarnation(incarnation_, now);
}

void Leasing::OnMessage(NodeId from, const LeaseMessage& message, Instant now) {
  const Hello* hello = links_.HelloOf(from);
  if (!begun_ || hello == nullptr) return;
  lease_.OnMessage({hello->node_name, hello->session}, message, now);
}

/// A voter may hold of an ended stream what does not count any more: only what this node may hold
/// is asked for.
bool Leasing::Holds(const VersionVector& vector) const {
  return streams_.Visible().Covers(list_.Visible(vector));
}

Status Leasing::Persist(const LeaseRecord& record) {
  return store_.PutRecord(record_names::kLease, EncodeLeaseRecord(record));
}

Status Leasing::WriteEpoch(uint64_t epoch) {
  LeaseGrant written;
  written.epoch = epoch;
  written.vector = streams_.Visible();
  Keyspace& keyspace = store_.keyspace();
  {
    const std::string text = EncodePeerMessage(LeaseMessage{written});
    const KeyRef key = keyspace.Ref(kClusterDatabase, kLeaseKey);
    Access access = keyspace.Lock(key);
    access.AddElement(key, ElementType::kHash, std::string(kEpochField), Value::Bytes(text));
  }
  return store_.journal().Commit();
}

void Leasing::Send(const std::string& voter, const LeaseMessage& message) {
  sender_.Send(NodeId::FromName(voter), Lane::kControl, message);
}

void Leasing::Pull(const std::string& voter) { streams_.ReportTo(NodeId::FromName(voter)); }

}  // namespace starling
