#include "replication/joining.h"

#include <sstream>
#include <utility>

#include "replication/peer_codec.h"
#include "replication/reissue.h"

namespace starling {

Status Joining::Load() {
  auto record = store_.GetRecord(record_names::kCaps);
  if (!record) return record.error();
  if (!*record) return {};
  std::map<Origin, Stamp> caps;
  std::istringstream words(**record);
  uint64_t incarnation = 0;
  uint64_t upto = 0;
  while (words >> incarnation >> upto) caps[Origin{store_.id(), incarnation}] = Stamp{upto};
  if (!words.eof()) return Error{Code::kCorruption, "record of capped streams"};
  list_.Cap(caps);
  return {};
}

Status Joining::Cap(const std::map<Origin, Stamp>& caps) {
  std::map<Origin, Stamp> all = list_.caps();
  for (const auto& [origin, upto] : caps) all[origin] = upto;
  std::string text;
  for (const auto& [origin, upto] : all) {
    text += std::to_string(origin.incarnation) + " " + std::to_string(upto.value) + "\n";
  }
  if (Status status = store_.PutRecord(record_names::kCaps, text); !status) return status;
  list_.Cap(all);
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
  std::map<Origin, Stamp> caps;
  const VersionVector held = store_.vector();
  for (const VersionVector::Entry& entry : held.entries()) {
    if (entry.origin.node != store_.id() || entry.origin == store_.origin()) continue;
    const Stamp counts = accepted.Get(entry.origin);
    if (entry.upto <= counts) continue;
    own.Raise(entry.origin, entry.upto);
    caps[entry.origin] = counts;
  }
  std::vector<std::string> pieces = taken.pieces;
  pieces.push_back(EncodeChunk({}, own));
  if (Status status = Cap(caps); !status) return status;
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
