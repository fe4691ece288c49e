#include "replication/joining.h"

#include <charconv>
#include <utility>

#include "replication/peer_codec.h"
#include "replication/reissue.h"

namespace starling {

Status Joining::Load() {
  auto record = store_.GetRecord(record_names::kHidden);
  if (!record) return record.error();
  if (!*record) return {};
  std::set<Origin> hidden;
  std::string_view text = **record;
  while (!text.empty()) {
    uint64_t incarnation = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), incarnation);
    if (error != std::errc{}) return Error{Code::kCorruption, "record of hidden streams"};
    hidden.insert(Origin{store_.id(), incarnation});
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (!text.empty()) text.remove_prefix(1);
  }
  list_.Hide(hidden);
  return {};
}

Status Joining::Hide(const std::set<Origin>& origins) {
  std::set<Origin> hidden = list_.hidden();
  hidden.insert(origins.begin(), origins.end());
  std::string text;
  for (const Origin& origin : hidden) {
    text += (text.empty() ? "" : ",") + std::to_string(origin.incarnation);
  }
  if (Status status = store_.PutRecord(record_names::kHidden, text); !status) return status;
  list_.Hide(hidden);
  return {};
}

Status Joining::Complete(const WalkReceiver::Taken& taken) {
  const ClusterRecord record = *target_;
  VersionVector accepted;
  for (const std::string& piece : taken.pieces) {
    auto decoded = DecodedBatch::Decode(piece);
    if (!decoded) return decoded.error();
    accepted.MergeFrom(decoded->vector());
  }
  // From here on every own stamp is after all that the state holds.
  for (const VersionVector::Entry& entry : accepted.entries()) store_.clock().Observe(entry.upto);
  if (Status status = store_.journal().Commit(); !status) return status;
  if (Status status = store_.RaiseIncarnation("entering a cluster"); !status) return status;

  Reissue reissue;
  reissue.Capture(store_.keyspace(), store_.id(), store_.origin(), accepted);
  for (const std::string& piece : taken.pieces) {
    auto decoded = DecodedBatch::Decode(piece);
    if (!decoded) return decoded.error();
    reissue.Compare(*decoded);
  }
  // Covered there and absent there: that takes the own old writes out, in the same step.
  VersionVector own;
  std::set<Origin> hidden;
  const VersionVector held = store_.vector();
  for (const VersionVector::Entry& entry : held.entries()) {
    if (entry.origin.node != store_.id() || entry.origin == store_.origin()) continue;
    if (entry.upto > accepted.Get(entry.origin)) own.Raise(entry.origin, entry.upto);
    if (accepted.Get(entry.origin).none()) hidden.insert(entry.origin);
  }
  std::vector<std::string> pieces = taken.pieces;
  pieces.push_back(EncodeChunk({}, own));
  if (Status status = Hide(hidden); !status) return status;
  if (Status status = store_.ApplyWalk(pieces, /*whole_state=*/true); !status) return status;
  const size_t again = reissue.Write(store_.keyspace());
  if (Status status = store_.journal().Commit(); !status) return status;
  Status status = store_.PutRecord(record_names::kCluster, EncodeClusterRecord(record));
  if (!status) return status;
  target_.reset();
  log_->info("event=state_taken cluster={} pieces={} written_again={}", record.id,
             taken.pieces.size(), again);
  return {};
}

}  // namespace starling
