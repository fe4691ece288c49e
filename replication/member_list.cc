#include "replication/member_list.h"

#include <openssl/sha.h>

#include <algorithm>

#include "replication/vector_text.h"

namespace starling {
namespace {

constexpr std::string_view kKey = "members";
constexpr std::string_view kBegin = "begin/";
constexpr std::string_view kEnd = "end/";
constexpr std::string_view kEnding = "ending/";
constexpr std::string_view kOver = "over/";
/// After all stamps.
constexpr Stamp kEndOfStamps{~uint64_t{0}};

/// `<incarnation>` and its streams.
std::string EndText(const MemberList::End& end) {
  return std::to_string(end.incarnation) + StreamsText(end.streams);
}

std::optional<MemberList::End> ParseEnd(std::string_view text) {
  const auto incarnation = TakeNumber(text);
  if (!incarnation) return std::nullopt;
  auto streams = ParseStreams(text);
  if (!streams) return std::nullopt;
  return MemberList::End{*incarnation, *std::move(streams)};
}

/// `<incarnation>,<unnamed>,<at>` and its streams.
std::string OverText(const MemberList::Over& over) {
  return std::to_string(over.incarnation) + "," + std::to_string(over.unnamed) + "," +
         std::to_string(over.at.value) + StreamsText(over.streams);
}

std::optional<MemberList::Over> ParseOver(std::string_view text) {
  const auto incarnation = TakeNumber(text);
  if (!incarnation || !TakeChar(text, ',')) return std::nullopt;
  const auto unnamed = TakeNumber(text);
  if (!unnamed || !TakeChar(text, ',')) return std::nullopt;
  const auto at = TakeNumber(text);
  if (!at) return std::nullopt;
  auto streams = ParseStreams(text);
  if (!streams) return std::nullopt;
  return MemberList::Over{*incarnation, *unnamed, *std::move(streams), Stamp{*at}};
}

/// Payloads are read as texts whatever they are kept as: an incarnation is a number to the
/// keyspace.
std::string TextOf(const Value& payload) {
  if (payload.kind == Value::Kind::kNumber) return payload.number.ToString();
  return std::string(payload.bytes);
}

uint64_t DigestOf(const std::string& text) {
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash);
  uint64_t digest = 0;
  for (int i = 0; i < 8; ++i) digest = digest << 8 | hash[i];
  return digest;
}

}  // namespace

bool MemberList::Refresh(const std::optional<ClusterRecord>& record) {
  std::map<std::string, uint64_t> begins;
  std::map<std::string, End> ends;
  std::map<std::string, End> endings;
  std::map<std::string, Over> overs;
  if (record) {
    for (const std::string& name : record->first_members) begins[name] = 0;
  }
  const KeyRef key = keyspace_.Ref(kClusterDatabase, kKey);
  {
    Access access = keyspace_.Lock(key);
    access.ForEachElement(key, ElementType::kHash, [&](std::string_view id, const Value& payload) {
      const std::string text = TextOf(payload);
      std::string_view rest = text;
      if (id.starts_with(kBegin)) {
        if (const auto begin = TakeNumber(rest)) {
          uint64_t& known = begins[std::string(id.substr(kBegin.size()))];
          known = std::max(known, *begin);
        }
      } else if (id.starts_with(kEnd)) {
        if (auto end = ParseEnd(text)) ends[std::string(id.substr(kEnd.size()))] = *std::move(end);
      } else if (id.starts_with(kEnding)) {
        if (auto end = ParseEnd(text)) {
          endings[std::string(id.substr(kEnding.size()))] = *std::move(end);
        }
      } else if (id.starts_with(kOver)) {
        if (auto over = ParseOver(text)) {
          overs[std::string(id.substr(kOver.size()))] = *std::move(over);
        }
      }
    });
  }
  std::string canonical = record ? std::to_string(record->id) : "none";
  members_.clear();
  names_.clear();
  for (const auto& [name, begin] : begins) {
    canonical += "|" + std::to_string(name.size()) + ":" + name + "=" + std::to_string(begin);
    names_[NodeId::FromName(name)] = name;
    const auto end = ends.find(name);
    if (end == ends.end() || begin > end->second.incarnation) members_.push_back(name);
  }
  for (const auto& [name, end] : ends) {
    canonical += "|" + std::to_string(name.size()) + ":" + name + "!" + EndText(end);
  }
  for (const auto& [name, over] : overs) {
    canonical += "|" + std::to_string(name.size()) + ":" + name + "~" + OverText(over);
  }
  begins_ = std::move(begins);
  ends_ = std::move(ends);
  overs_ = std::move(overs);
  std::erase_if(endings, [this](const auto& ending) {
    return HasEndedSince(ending.first, ending.second.incarnation);
  });
  endings_ = std::move(endings);
  CountStopped();
  const uint64_t digest = DigestOf(canonical);
  const bool changed = digest != digest_;
  digest_ = digest;
  return changed;
}

void MemberList::WriteBegin(const std::string& name, uint64_t incarnation) {
  const KeyRef key = keyspace_.Ref(kClusterDatabase, kKey);
  Access access = keyspace_.Lock(key);
  const std::string text = std::to_string(incarnation);
  access.AddElement(key, ElementType::kHash, std::string(kBegin) + name, Value::Bytes(text));
}

void MemberList::WriteEnd(const std::string& name, const End& end) {
  const KeyRef key = keyspace_.Ref(kClusterDatabase, kKey);
  Access access = keyspace_.Lock(key);
  const std::string text = EndText(end);
  access.AddElement(key, ElementType::kHash, std::string(kEnd) + name, Value::Bytes(text));
  access.RemoveElement(key, ElementType::kHash, std::string(kEnding) + name);
}

void MemberList::WriteEnding(const std::string& name, const End& end) {
  const KeyRef key = keyspace_.Ref(kClusterDatabase, kKey);
  Access access = keyspace_.Lock(key);
  const std::string text = EndText(end);
  access.AddElement(key, ElementType::kHash, std::string(kEnding) + name, Value::Bytes(text));
}

void MemberList::RemoveEnding(const std::string& name) {
  const KeyRef key = keyspace_.Ref(kClusterDatabase, kKey);
  keyspace_.Lock(key).RemoveElement(key, ElementType::kHash, std::string(kEnding) + name);
}

void MemberList::WriteOver(const std::string& name, const Over& over) {
  const KeyRef key = keyspace_.Ref(kClusterDatabase, kKey);
  Access access = keyspace_.Lock(key);
  const std::string text = OverText(over);
  access.AddElement(key, ElementType::kHash, std::string(kOver) + name, Value::Bytes(text));
}

bool MemberList::IsMember(std::string_view name) const {
  return std::binary_search(members_.begin(), members_.end(), name);
}

bool MemberList::IsMember(NodeId id) const {
  const auto found = names_.find(id);
  return found != names_.end() && IsMember(found->second);
}

std::vector<MemberList::Ended> MemberList::HeldBeyondEnds(const VersionVector& held,
                                                          NodeId self) const {
  std::vector<Ended> ended;
  for (const auto& [name, over] : overs_) {
    const Origin last{NodeId::FromName(name), over.incarnation};
    // Of what is not named nothing can be said; it comes with a walk.
    if (last.node == self || held.OverUpTo(last.node) < over.unnamed) continue;
    VersionVector beyond;
    for (const VersionVector::Entry& entry : held.entries()) {
      const bool concerned = entry.origin.node == last.node && entry.origin <= last;
      if (!concerned || entry.upto == VersionVector::kOver) continue;
      const auto cap = caps_.find(entry.origin);
      const Stamp there = cap == caps_.end() ? entry.upto : std::min(entry.upto, cap->second);
      if (there > over.streams.Get(entry.origin)) beyond.Set(entry.origin, entry.upto);
    }
    if (!beyond.empty()) ended.push_back({last, over, std::move(beyond)});
  }
  return ended;
}

const MemberList::End* MemberList::EndOf(std::string_view name) const {
  if (IsMember(name)) return nullptr;
  const auto end = ends_.find(std::string(name));
  return end == ends_.end() ? nullptr : &end->second;
}

uint64_t MemberList::BeginOf(const std::string& name) const {
  const auto begin = begins_.find(name);
  return begin == begins_.end() ? 0 : begin->second;
}

/// That it has begun anew is not enough: another wrote that, and where the end is is not known yet.
bool MemberList::HasEndedSince(const std::string& name, uint64_t incarnation) const {
  const auto end = ends_.find(name);
  return end != ends_.end() && end->second.incarnation >= incarnation;
}

bool MemberList::IsStopped(NodeId id) const {
  const auto name = names_.find(id);
  return name != names_.end() && stopped_.contains(name->second);
}

void MemberList::SetAsked(Asked asked) {
  asked_ = std::move(asked);
  CountStopped();
}

void MemberList::SetVoters(const std::vector<std::string>& voters) {
  std::set<std::string> names(voters.begin(), voters.end());
  if (names == voters_) return;
  voters_ = std::move(names);
  CountStopped();
}

void MemberList::CountStopped() {
  std::erase_if(asked_,
                [this](const auto& asked) { return HasEndedSince(asked.first, asked.second); });
  stopped_.clear();
  for (const auto& [name, begin] : asked_) stopped_.insert(name);
  for (const auto& [name, ending] : endings_) stopped_.insert(name);
  for (const std::string& name : voters_) stopped_.erase(name);
}

std::optional<Stamp> MemberList::EndOfStream(const Origin& origin) const {
  const auto name = names_.find(origin.node);
  if (name == names_.end()) return std::nullopt;
  if (const auto cap = caps_.find(origin); cap != caps_.end()) return cap->second;
  const auto over = overs_.find(name->second);
  if (over != overs_.end() && origin.incarnation <= over->second.incarnation) {
    return over->second.streams.Get(origin);
  }
  const auto end = ends_.find(name->second);
  if (end == ends_.end()) return std::nullopt;
  // It begins anew with the incarnation that it has then, and writes as a later one; what it wrote
  // up to there it writes again. Nobody who reported may have known of all of these.
  const uint64_t last = std::max(end->second.incarnation, BeginOf(name->second));
  if (origin.incarnation > last) return std::nullopt;
  return end->second.streams.Get(origin);
}

Stamp MemberList::AcceptedUpto(const Origin& origin) const {
  if (const std::optional<Stamp> end = EndOfStream(origin)) return *end;
  return IsMember(origin.node) ? kEndOfStamps : Stamp{};
}

VersionVector MemberList::Cut(const VersionVector& vector, bool strangers) const {
  VersionVector cut;
  for (const VersionVector::Entry& entry : vector.entries()) {
    if (entry.upto != VersionVector::kOver) {
      const Stamp upto =
          strangers ? EndOfStream(entry.origin).value_or(kEndOfStamps) : AcceptedUpto(entry.origin);
      cut.Set(entry.origin, std::min(entry.upto, upto));
      continue;
    }
    const auto name = names_.find(entry.origin.node);
    const auto over = name == names_.end() ? overs_.end() : overs_.find(name->second);
    const bool known = over != overs_.end() && over->second.incarnation >= entry.origin.incarnation;
    if (known) cut.Set(entry.origin, entry.upto);
  }
  return cut;
}

VersionVector MemberList::Visible(const VersionVector& vector) const {
  return Cut(vector, /*strangers=*/false);
}

VersionVector MemberList::Wanted(const VersionVector& vector) const {
  return Cut(vector, /*strangers=*/true);
}

}  // namespace starling
