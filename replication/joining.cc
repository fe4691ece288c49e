#include "replication/joining.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "replication/peer_codec.h"
#include "replication/voter_change.h"

namespace starling {
namespace {

/// A state that lacks something of what counts is refused so many times, one a second, and as long
/// as not every member has shown that it lacks it: mostly another is about to bring it there. It
/// may also be lost with whoever alone had it.
constexpr int kLackingStates = 10;
/// So often the log says for whom that waits.
constexpr int kLackingWarned = 60;

/// A line per stream, `<incarnation> <upto>`; of another node's, its id follows.
std::string CapsText(const std::map<Origin, Stamp>& caps, NodeId self) {
  std::string text;
  for (const auto& [origin, upto] : caps) {
    text += std::to_string(origin.incarnation) + " " + std::to_string(upto.value);
    if (origin.node != self) text += " " + std::to_string(origin.node.value);
    text += "\n";
  }
  return text;
}

/// What CapsText has written; nullopt: something else.
std::optional<std::map<Origin, Stamp>> ParseCaps(const std::string& text, NodeId self) {
  std::map<Origin, Stamp> caps;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Origin origin{self, 0};
    uint64_t upto = 0;
    if (!(words >> origin.incarnation >> upto)) return std::nullopt;
    if (!words.eof() && !(words >> origin.node.value)) return std::nullopt;
    if (!words.eof()) return std::nullopt;
    caps[origin] = Stamp{upto};
  }
  return caps;
}

}  // namespace

Status Joining::Load() {
  for (const bool anew : {true, false}) {
    const auto again = store_.GetRecord(anew ? record_names::kAnew : record_names::kReentry);
    if (!again) return again.error();
    if (!*again || (*again)->empty()) continue;
    const auto record = DecodeClusterRecord(**again);
    if (!record) return record.error();
    target_ = *record;
    anew_ = anew;
  }
  const auto ended = store_.GetRecord(record_names::kEnded);
  if (!ended) return ended.error();
  if (uint64_t incarnation = 0; *ended && std::istringstream(**ended) >> incarnation) {
    ended_ = incarnation;
  }
  auto record = store_.GetRecord(record_names::kCaps);
  if (!record) return record.error();
  if (!*record) return {};
  const auto caps = ParseCaps(**record, store_.id());
  if (!caps) return Error{Code::kCorruption, "record of capped streams"};
  list_.Cap(*caps);
  return {};
}

Status Joining::NoteEnd(uint64_t incarnation) {
  if (ended_ && *ended_ >= incarnation) return {};
  Status status = store_.PutRecord(record_names::kEnded, std::to_string(incarnation));
  if (status) ended_ = incarnation;
  return status;
}

Status Joining::WantAgain(const ClusterRecord& record) {
  Status status = store_.PutRecord(record_names::kReentry, EncodeClusterRecord(record));
  if (!status) return status;
  target_ = record;
  anew_ = false;
  return {};
}

Status Joining::WantAnew(const ClusterRecord& record) {
  if (target_) return {};
  Status status = store_.PutRecord(record_names::kAnew, EncodeClusterRecord(record));
  if (!status) return status;
  target_ = record;
  anew_ = true;
  return {};
}

VersionVector Joining::HeldBeyond(const MemberList& theirs) const {
  VersionVector beyond;
  const VersionVector held = store_.vector();
  for (const VersionVector::Entry& entry : held.entries()) {
    const Origin& origin = entry.origin;
    if (origin.node == store_.id() || entry.upto == VersionVector::kOver) continue;
    const auto name = theirs.names().find(origin.node);
    const auto end =
        name == theirs.names().end() ? theirs.ends().end() : theirs.ends().find(name->second);
    if (end == theirs.ends().end() || entry.upto <= theirs.AcceptedUpto(origin)) continue;
    // It may have begun anew since, which that state does not know yet.
    const uint64_t begin = list_.IsMember(name->second) ? list_.BeginOf(name->second) : 0;
    if (begin > end->second.incarnation && origin.incarnation > begin) continue;
    beyond.Set(origin, entry.upto);
  }
  return beyond;
}

void Joining::ExpectNothingOf(const std::vector<std::string>& names) {
  for (const std::string& name : names) lacking_.insert(NodeId::FromName(name));
}

bool Joining::LacksForLong(const MemberList& theirs, NodeId from) {
  lacking_.insert(from);
  ++refused_;
  std::vector<std::string> others;
  for (const std::string& name : theirs.members()) {
    const bool shown = name == store_.name() || lacking_.contains(NodeId::FromName(name));
    if (!shown) others.push_back(name);
  }
  if (!others.empty() && refused_ % kLackingWarned == kLackingStates) {
    log_->warn(
        "event=not_entered node={} waits_for=\"{}\" detail=\"of streams that have ended "
        "nobody else holds all that counts; who does not come back is to be forgotten\"",
        store_.name(), JoinNames(others));
  }
  return others.empty() && refused_ > kLackingStates;
}

bool Joining::Lacks(const MemberList& theirs, const VersionVector& accepted,
                    const VersionVector& beyond) const {
  const auto former = theirs.ends().find(store_.name());
  const bool ended = ended_ && former != theirs.ends().end();
  if (ended && !accepted.Covers(former->second.streams)) return true;
  for (const VersionVector::Entry& entry : beyond.entries()) {
    if (!accepted.Covers(entry.origin, theirs.AcceptedUpto(entry.origin))) return true;
  }
  // What was over here is replaced by what the state has of it.
  const VersionVector held = store_.vector();
  return std::ranges::any_of(theirs.overs(), [&](const auto& each) {
    const NodeId id = NodeId::FromName(each.first);
    const MemberList::Over& over = each.second;
    const bool all = accepted.Covers(over.streams) && accepted.OverUpTo(id) >= over.unnamed;
    return held.OverUpTo(id) != 0 && !all;
  });
}

Status Joining::CheckBegun(const MemberList& theirs, NodeId from, const VersionVector& accepted,
                           const VersionVector& beyond) {
  const bool since = !ended_ || theirs.BeginOf(store_.name()) > *ended_;
  if (theirs.IsMember(store_.name()) && since) {
    if (!Lacks(theirs, accepted, beyond) || LacksForLong(theirs, from)) return {};
    return Error{Code::kUnavailable, "that member does not hold all that counts of ended streams"};
  }
  const MemberList::End* end = theirs.EndOf(store_.name());
  if (end != nullptr && store_.origin().incarnation <= end->incarnation) {
    const auto raised =
        store_.RaiseIncarnation("the former one has ended", /*stamps=*/0, end->incarnation);
    if (!raised) return raised.error();
  }
  return Error{Code::kUnavailable, "this node has not begun in the state that it was given"};
}

bool Joining::StreamsGoOn(const MemberList& theirs) const {
  const VersionVector held = store_.vector();
  return std::ranges::all_of(held.entries(), [&](const VersionVector::Entry& entry) {
    const bool settled = entry.origin.node != store_.id() || entry.upto == VersionVector::kOver ||
                         list_.caps().contains(entry.origin);
    return settled || entry.upto <= theirs.AcceptedUpto(entry.origin);
  });
}

std::optional<MemberList::End> Joining::CutShort(const MemberList& theirs,
                                                 const VersionVector& accepted) const {
  const auto former = theirs.ends().find(store_.name());
  if (former == theirs.ends().end() || accepted.Covers(former->second.streams)) return std::nullopt;
  MemberList::End end{former->second.incarnation, {}};
  for (const VersionVector::Entry& entry : former->second.streams.entries()) {
    end.streams.Set(entry.origin, std::min(entry.upto, accepted.Get(entry.origin)));
  }
  return end;
}

Result<Joining::Rewritten> Joining::WriteAgain(const std::vector<std::string>& pieces,
                                               const VersionVector& accepted) {
  Keyspace& keyspace = store_.keyspace();
  for (;;) {
    const uint64_t stamps = Reissue::StampsFor(keyspace, store_.id(), accepted);
    const auto between = store_.RaiseIncarnation("entering a cluster", stamps);
    if (!between) return between.error();
    Reissue reissue;
    reissue.Capture(keyspace, store_.id(), store_.origin(), accepted);
    for (const std::string& piece : pieces) {
      auto decoded = DecodedBatch::Decode(piece);
      if (!decoded) return decoded.error();
      reissue.Compare(*decoded);
    }
    auto written = reissue.Write(*between);
    if (written) return Rewritten{between->origin, *std::move(written)};
  }
}

Status Joining::Complete(WalkReceiver::Taken taken) {
  const ClusterRecord record = *target_;
  VersionVector accepted;
  Keyspace aside({.shards = 1}, store_.clock());
  for (const std::string& piece : taken.pieces) {
    auto decoded = DecodedBatch::Decode(piece);
    if (!decoded) return decoded.error();
    accepted.MergeFrom(decoded->vector());
    std::vector<Item> items;
    for (const Item& item : decoded->items()) {
      if (item.database == kClusterDatabase) items.push_back(item);
    }
    aside.Merge(items);
  }
  MemberList theirs(aside);
  theirs.Refresh(target_);
  const VersionVector others = HeldBeyond(theirs);
  if (Status begun = CheckBegun(theirs, taken.from, accepted, others); !begun) return begun;
  // From here on every own stamp is after all that the state holds.
  store_.clock().Observe(accepted.Newest());
  if (Status status = store_.journal().Commit(); !status) return status;
  const bool goes_on = anew_ && !ended_ && StreamsGoOn(theirs);
  Rewritten again;
  if (!goes_on) {
    auto written = WriteAgain(taken.pieces, accepted);
    if (!written) return written.error();
    again = *std::move(written);
  }

  // Covered there and absent there: that takes the own old writes out, in the same step, and what
  // is held of others beyond their ends, which they write again.
  VersionVector own;
  std::map<Origin, Stamp> caps = list_.caps();
  std::erase_if(caps, [&](const auto& cap) {
    return accepted.Get(cap.first) == VersionVector::kOver;  // it says more than the cap
  });
  for (const VersionVector::Entry& entry : others.entries()) {
    const Stamp end = theirs.AcceptedUpto(entry.origin);
    if (!accepted.Covers(entry.origin, end)) continue;
    own.Raise(entry.origin, entry.upto);
    caps[entry.origin] = end;
  }
  const VersionVector held = store_.vector();
  for (const VersionVector::Entry& entry : held.entries()) {
    if (entry.origin.node != store_.id() || entry.origin == store_.origin() || goes_on) continue;
    // That they were over goes with the old state: that state says what counts of them.
    if (entry.upto == VersionVector::kOver) continue;
    const Stamp counts = accepted.Get(entry.origin);
    if (entry.upto <= counts) continue;
    own.Raise(entry.origin, entry.upto);
    caps[entry.origin] = counts;
  }
  const std::vector<MemberList::Ended> ended = list_.HeldBeyondEnds(held, store_.id());
  for (const MemberList::Ended& each : ended) {
    for (const VersionVector::Entry& entry : each.beyond.entries()) {
      own.Raise(entry.origin, entry.upto);
    }
  }
  taken.pieces.push_back(EncodeChunk({}, own));
  const Store::WithWalk with{std::move(again.written.stream),
                             {{record_names::kCluster, EncodeClusterRecord(record)},
                              {record_names::kCaps, CapsText(caps, store_.id())},
                              {record_names::kReentry, ""},
                              {record_names::kAnew, ""},
                              {record_names::kEnded, ""}}};
  if (Status status = store_.ApplyWalk(taken.pieces, /*whole_state=*/true, with); !status) {
    return status;
  }
  list_.Cap(caps);
  for (const MemberList::Ended& each : ended) {
    // Gone with the old state, where the sender held all that there is of these streams.
    if (accepted.Covers(each.over.streams)) store_.MarkOver(each.last, each.over.at);
  }
  cut_short_ = ended_ ? CutShort(theirs, accepted) : std::nullopt;
  took_anew_ = goes_on;
  target_.reset();
  anew_ = false;
  ended_.reset();
  lacking_.clear();
  refused_ = 0;
  // That of an earlier time may be over by now.
  rewritten_ = with.stream.empty() ? std::nullopt : std::optional(again.origin);
  log_->info("event=state_taken cluster={} pieces={} written_again={}", record.id,
             taken.pieces.size(), again.written.items);
  return {};
}

}  // namespace starling
