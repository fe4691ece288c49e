#include "tests/sim/checkers/stream_checker.h"

#include <functional>

#include "replication/peer_codec.h"
#include "storage/batch_codec.h"
#include "tests/sim/node.h"

namespace starling::sim {

namespace {

std::string Describe(const BatchHeader& header) {
  return header.origin.ToString() + " (" + std::to_string(header.after.value) + ", " +
         std::to_string(header.upto.value) + "]";
}

}  // namespace

void StreamChecker::OnAppend(const std::string& node, NodeId id, const Engine::LogRecord& record) {
  if (record.origin.node.value == 0) return;  // a part of a walk: it has no stream of its own
  const auto header = DecodedBatch::DecodeHeader(record.bytes);
  if (!header.ok()) return report_("I7", node + " logs bytes that do not decode");
  const uint64_t content = std::hash<std::string_view>{}(record.bytes);
  ++batches_;
  if (header->origin.node == id && branched_.contains(header->origin)) return;
  auto& stream = written_[header->origin];
  const auto known = stream.find(header->upto);
  if (known != stream.end() && known->second.content != content) {
    return report_("I7", node + " logs " + Describe(*header) +
                             ", whose origin has logged something else under this name");
  }
  if (header->origin.node != id) {
    if (known == stream.end()) {
      report_("I7", node + " logs " + Describe(*header) + ", which its origin never logged");
    }
    return;
  }
  if (known == stream.end() && !stream.empty() && stream.rbegin()->first != header->after) {
    report_("I6", node + " goes on with " + Describe(*header) + " though its stream ended at " +
                      std::to_string(stream.rbegin()->first.value));
  }
  stream[header->upto] = {header->after, content};
}

void StreamChecker::OnSend(SimNode& node, const SendEffect& send) {
  const auto decoded = DecodePeerMessage(*send.frame);
  if (!decoded.ok()) {
    return report_("I7", node.name() + " sends what nobody can read: " + decoded.error().message);
  }
  const auto* batches = std::get_if<Batches>(&decoded->message);
  if (batches == nullptr) return;
  for (const std::string_view bytes : batches->batches) {
    const auto header = DecodedBatch::DecodeHeader(bytes);
    if (!header.ok()) {
      report_("I7", node.name() + " sends a batch that does not decode");
      continue;
    }
    const SharedBytes logged = node.disk().FindLog(header->origin, header->upto);
    const bool dropped = node.disk().DroppedUpto(header->origin) >= header->upto;
    if (logged == nullptr ? !dropped : *logged != bytes) {
      report_("I7", node.name() + " sends " + Describe(*header) + ", which its log does not hold");
    }
  }
}

}  // namespace starling::sim
