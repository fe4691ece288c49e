/// What the codecs of peer messages share: origins and vectors, and the parts of a message that
/// have a codec of their own.
///
/// Reading throws Malformed where a limit is passed; DecodePeerMessage catches it. For codecs only:
/// Cap'n Proto's types are seen here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "replication/forwarding_message.h"
#include "replication/lease_message.h"
#include "replication/limits.h"
#include "replication/peer.capnp.h"
#include "storage/origin.h"
#include "storage/version_vector.h"

namespace starling::wire {

/// A limit was passed.
struct Malformed {
  std::string what;
};

inline void Require(bool condition, const char* what) {
  if (!condition) throw Malformed{what};
}

template <typename List>
void BuildVector(List list, const VersionVector& vector) {
  for (size_t i = 0; i < vector.entries().size(); ++i) {
    const VersionVector::Entry& entry = vector.entries()[i];
    list[i].setNode(entry.origin.node.value);
    list[i].setIncarnation(entry.origin.incarnation);
    list[i].setUpto(entry.upto.value);
  }
}

inline void BuildOrigin(PeerOrigin::Builder builder, const Origin& origin) {
  builder.setNode(origin.node.value);
  builder.setIncarnation(origin.incarnation);
}

template <typename List>
VersionVector ReadVector(List list) {
  Require(list.size() <= limits::kVectorEntries, "vector too long");
  VersionVector vector;
  for (auto entry : list) {
    vector.Raise(Origin{NodeId{entry.getNode()}, entry.getIncarnation()}, Stamp{entry.getUpto()});
  }
  return vector;
}

inline Origin ReadOrigin(PeerOrigin::Reader reader) {
  return Origin{NodeId{reader.getNode()}, reader.getIncarnation()};
}

void BuildLease(PeerLease::Builder builder, const LeaseMessage& message);
/// Throws Malformed also for an unknown kind or reason.
LeaseMessage ReadLease(PeerLease::Reader reader);

/// Requests and replies are appended to `payload`, which borrows them.
void BuildForwarding(PeerForwarding::Builder builder, const ForwardingMessage& message,
                     std::vector<std::string_view>& payload);
/// As ReadLease; the message borrows from `payload`'s bytes.
ForwardingMessage ReadForwarding(PeerForwarding::Reader reader,
                                 const std::vector<std::string_view>& payload);

}  // namespace starling::wire
