/// Frames of peer messages: the one place that knows peer.capnp.
///
/// Stateless and thread-safe. Decoding takes bytes from the network: every length, count and
/// enumeration is checked against limits.h, memory grows with the input only, foreign exceptions
/// end here, and the error names what was wrong (I11).
#pragma once

#include <string>
#include <string_view>

#include "replication/peer_message.h"
#include "starling/result.h"

namespace starling {

/// Encodes for a link that speaks `version`. Views are read during the call only. The result may
/// exceed a frame: fragments.h cuts it.
std::string EncodePeerMessage(const PeerMessage& message,
                              uint16_t version = kProtocolRange.current);

struct DecodedMessage {
  uint16_t version = 0;  ///< As the sender marked it.
  PeerMessage message;   ///< Payload views borrow from the decoded bytes.
};

/// kCorruption: not a message, or one beyond the limits.
Result<DecodedMessage> DecodePeerMessage(std::string_view bytes);

/// What a voter persists (Store::PutRecord), in the same schema. Errors: kCorruption.
std::string EncodeLeaseRecord(const LeaseRecord& record);
Result<LeaseRecord> DecodeLeaseRecord(std::string_view bytes);

/// The cluster record as it is persisted, in the same schema.
std::string EncodeClusterRecord(const ClusterRecord& record);
Result<ClusterRecord> DecodeClusterRecord(std::string_view bytes);

}  // namespace starling
