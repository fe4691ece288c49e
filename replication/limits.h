/// Every maximum of the replication protocols in one place (I9, I11).
///
/// Constants only. A peer that passes one of them is refused by name; a local queue that reaches
/// one stops taking and lets anti-entropy do the work later.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace starling::limits {

using namespace std::chrono_literals;

// --- frames ---
/// The largest frame a transport carries. Small, so that control frames overtake bulk soon.
inline constexpr size_t kFrameBytes = 512 << 10;
/// Messages beyond this are cut into fragments of this size.
inline constexpr size_t kFragmentBytes = 256 << 10;
/// The largest reassembled message: a value of 512 MB in its batch, with its neighbours.
inline constexpr size_t kMessageBytes = size_t{1536} << 20;
/// What a transport must be able to queue on one link: one such message beside the windows below.
inline constexpr size_t kQueuedBytes = kMessageBytes + (size_t{64} << 20);
/// The structured part of a message (all but batches, chunks and fragments).
inline constexpr size_t kHeaderBytes = 4 << 20;
/// Frames that a link may hold before its handshake is done.
inline constexpr size_t kHandshakeFrameBytes = 8 << 10;

// --- texts and lists inside messages ---
inline constexpr size_t kNameBytes = 255;
inline constexpr size_t kAddressBytes = 300;
inline constexpr size_t kReasonBytes = 1000;
inline constexpr size_t kNonceBytes = 32;
inline constexpr size_t kMacBytes = 32;
inline constexpr size_t kVectorEntries = 65'535;
inline constexpr size_t kMembers = 1'024;
inline constexpr size_t kGossipUpdates = 16;
inline constexpr size_t kBatchesPerFrame = 4'096;

/// How long so many bytes may take on the slowest link that is not taken for dead: 20 MB/s.
constexpr std::chrono::milliseconds TransferTime(size_t bytes) {
  return std::chrono::milliseconds(bytes / 20'000);
}

// --- discovery ---
inline constexpr size_t kKnownAddresses = 4 * kMembers;
inline constexpr size_t kLinks = 2 * kMembers;
inline constexpr auto kHandshakeTime = 5s;
inline constexpr auto kHandshakeResend = 500ms;
inline constexpr auto kDialBackoffFirst = 100ms;
inline constexpr auto kDialBackoffLast = 3s;
/// A link that stood for less was no success: its peer is called again after the next longer pause.
inline constexpr auto kLinkSettled = 1s;
/// A second connection of one node is refused while the first was heard within this time.
inline constexpr auto kLinkFresh = 1500ms;
/// An established link on which nothing came for this long is closed, and its peer called again:
/// members report once a second.
inline constexpr auto kLinkSilent = 20s;

// --- streams ---
/// Bytes pushed to a peer and not yet acknowledged; beyond it anti-entropy takes over.
inline constexpr size_t kInFlightBytes = 8 << 20;
/// Frames pushed and not yet acknowledged: batches that arrive while it is reached travel together.
inline constexpr size_t kInFlightFrames = 16;
/// Bytes of batches that one frame gathers.
inline constexpr size_t kGatherBytes = 192 << 10;
/// Own batches kept in memory, so that gathering does not read the log.
inline constexpr size_t kRecentBytes = 1 << 20;
/// The same while a peer in reach lacks them: what it is behind by is not read from the disk.
inline constexpr size_t kUnheldBytes = 32 << 20;
/// Up to this many peers the origin pushes to all; beyond, to `kPushFanout`, who pass it on.
inline constexpr size_t kPushToAll = 12;
inline constexpr size_t kPushFanout = 4;
inline constexpr auto kRoundInterval = 1s;
/// Who is in no cluster for so long, and finds nobody to enter one by, warns, and warns again.
inline constexpr auto kOutsideFor = 5s;
inline constexpr auto kOutsideAgain = 60s;
/// How long a peer may not have heard that this node has begun anew, before it does so once more.
inline constexpr auto kBeginDisputed = 10s;
/// How often members are asked in between, while somebody waits for what they hold.
inline constexpr auto kAskHoldings = 20ms;
/// Without progress for this long, what was pushed counts as lost.
inline constexpr auto kPushLost = 1500ms;
inline constexpr auto kWantInterval = 100ms;

/// How long a leaving node waits for one other to hold all it wrote.
inline constexpr auto kLeaveTime = 2s;

// --- walks ---
inline constexpr size_t kWalkChunkBytes = 192 << 10;
/// Parts sent and not yet received by the peer.
inline constexpr uint32_t kWalkWindow = 8;
inline constexpr size_t kWalksOut = 4;
inline constexpr size_t kStagedBytes = size_t{64} << 30;
inline constexpr auto kWalkResend = 1s;
inline constexpr auto kWalkIdle = 20s;
/// A walk of which nothing has come for so long is left for another peer that offers one; the next
/// one for twice as long, until one is taken.
inline constexpr auto kWalkStalled = 2s;

// --- lease ---
/// Who is silent is overtaken after it; who stands still for longer loses it. It is renewed four
/// times in that.
inline constexpr auto kLease = 800ms;
/// Voters that have all lost something, so that nobody can tell what, go on without it after this,
/// at least a lease: by then members that have met have compared what they hold.
inline constexpr auto kResumeWait = 2 * kRoundInterval;
/// The part of a lease that its holder does not use: clocks of two nodes may run so much apart.
inline constexpr int kLeaseMargin = 20;
/// Voters whose lease lapses at the same time stand for election within this time of each other.
inline constexpr auto kElectionSpread = 150ms;
/// The same after the kernel has told them of the holder's death: when all have heard of it, and
/// within which time of each other they stand.
inline constexpr auto kDeathHeard = 3ms;
inline constexpr auto kDeathSpread = 20ms;
/// Without a majority by then an election has failed.
inline constexpr auto kElectionTime = 500ms;
/// The same after a voter has promised the epoch to another.
inline constexpr auto kLostElection = 20ms;
/// Who has not answered a candidate or a recovering voter is asked again.
inline constexpr auto kVoteResend = 100ms;
/// Renewals of which the answers are waited for.
inline constexpr size_t kRenewals = 16;
/// What the folder keeps of an epoch beside its first snapshot; beyond it the holder begins
/// another.
inline constexpr size_t kKeptBytes = 64 << 20;
/// A snapshot that is larger cannot be kept: whoever would need it must be forgotten first.
inline constexpr size_t kSnapshotBytes = size_t{3} << 30;
/// Who may not lead (it enters, or cannot write) looks at the folder again so much later.
inline constexpr auto kAbleAgain = 250ms;
/// After the folder has refused a record (a full disk) the next is tried so much later.
inline constexpr auto kKeepRetry = 100ms;

// --- forwarding ---
inline constexpr size_t kOrdersPerMessage = 1'024;
/// Without a leaseholder orders wait for one so long after the last was lost: a lease, an election
/// and what a busy host adds. Then each node goes on by itself.
inline constexpr auto kHolderWait = 4s;
/// An order that was refused is sent again after this.
inline constexpr auto kOrderRetry = 10ms;
/// Orders that wait are looked at so often.
inline constexpr auto kOrderLook = 100ms;
/// An order without an answer for so long is asked for by its id.
inline constexpr auto kOrderAsk = 500ms;
/// The link to the leaseholder may be down for so long before what it was given counts as unknown.
inline constexpr auto kOrderLost = 5s;
/// The same once another holds the lease.
inline constexpr auto kOrderGrace = 1s;
/// Once another holds the lease, who had it and was not heard of for so long is not waited for,
/// though the link stands (it was stopped): members report once a second.
inline constexpr auto kOrderSilent = 1500ms;
/// An answer is given out after this even where the node does not yet hold what it tells of.
inline constexpr auto kAnswerWait = 2s;
/// What the leaseholder keeps for one asking process: requests that run, answers not yet known to
/// have arrived.
inline constexpr size_t kOrderBytes = kMessageBytes;
inline constexpr size_t kAnswerBytes = size_t{64} << 20;
inline constexpr size_t kOrdersKept = 65'536;
/// A process that has been away for so long has given up all it asked for.
inline constexpr auto kAskerKept = 60s;

// --- membership ---
inline constexpr auto kProbePeriod = 300ms;
/// Without an answer for so long, others are asked to ping.
inline constexpr auto kPingTime = 250ms;
/// Without an answer by then, the member is suspected. Above the stalls that a busy host shows.
inline constexpr auto kProbeTime = 600ms;
inline constexpr size_t kIndirectProbes = 3;
/// A suspect that does not refute is dead after this; less for each who suspects it too.
inline constexpr auto kSuspicionShortest = 800ms;
inline constexpr auto kSuspicionLongest = 2000ms;
inline constexpr int kSuspicionConfirmations = 2;
/// A member unheard for this long is probed out of turn.
inline constexpr auto kSilence = 1100ms;
/// A tick later than this beyond its time is an own pause.
inline constexpr auto kOwnPause = 250ms;
inline constexpr int kWorstHealth = 8;
/// How long somebody who is gone and was no member is remembered.
inline constexpr auto kStrangerKept = 10min;
/// An update is told this many times log10 of the members.
inline constexpr int kRetransmits = 4;

}  // namespace starling::limits
