#include "storage/version_vector.h"

#include <algorithm>
#include <iterator>

namespace starling {
namespace {

template <typename Entries>
auto LowerBound(Entries& entries, const Origin& origin) {
  return std::lower_bound(
      entries.begin(), entries.end(), origin,
      [](const VersionVector::Entry& entry, const Origin& key) { return entry.origin < key; });
}

/// Drops entries that stand below one of kOver of the same node, and doubles (the first stays).
void Normalize(std::vector<VersionVector::Entry>& entries) {
  const auto covered = [&](const VersionVector::Entry& entry, const VersionVector::Entry& next) {
    return entry.origin.node == next.origin.node &&
           (next.upto == VersionVector::kOver || entry.origin == next.origin);
  };
  std::vector<VersionVector::Entry> kept;
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
    if (kept.empty() || !covered(*it, kept.back())) kept.push_back(*it);
  }
  entries.assign(kept.rbegin(), kept.rend());
}

}  // namespace

Stamp VersionVector::Get(const Origin& origin) const {
  const auto it = LowerBound(entries_, origin);
  if (it == entries_.end() || it->origin.node != origin.node) return Stamp{};
  return it->origin == origin || it->upto == kOver ? it->upto : Stamp{};
}

void VersionVector::Set(const Origin& origin, Stamp upto) {
  const auto it = LowerBound(entries_, origin);
  const bool present = it != entries_.end() && it->origin == origin;
  if (upto.none()) {
    if (present) entries_.erase(it);
    return;
  }
  if (!present && upto != kOver && Get(origin) == kOver) {
    ForgetOver(origin.node);
    return Set(origin, upto);
  }
  if (present) {
    it->upto = upto;
  } else {
    entries_.insert(it, Entry{origin, upto});
  }
  if (upto == kOver) {
    const auto first = LowerBound(entries_, Origin{origin.node, 0});
    entries_.erase(first, LowerBound(entries_, origin));
  }
}

void VersionVector::Raise(const Origin& origin, Stamp upto) {
  if (upto > Get(origin)) Set(origin, upto);
}

void VersionVector::MergeFrom(const VersionVector& other) {
  std::vector<Entry> merged;
  merged.reserve(entries_.size() + other.entries_.size());
  std::merge(entries_.begin(), entries_.end(), other.entries_.begin(), other.entries_.end(),
             std::back_inserter(merged));
  Normalize(merged);
  entries_ = std::move(merged);
}

void VersionVector::IntersectWith(const VersionVector& other) {
  std::vector<Entry> common;
  for (const Entry& entry : entries_) {
    const Stamp lower = std::min(entry.upto, other.Get(entry.origin));
    if (!lower.none()) common.push_back({entry.origin, lower});
  }
  const size_t own = common.size();
  for (const Entry& entry : other.entries_) {
    const Stamp lower = std::min(entry.upto, Get(entry.origin));
    if (!lower.none()) common.push_back({entry.origin, lower});
  }
  std::inplace_merge(common.begin(), common.begin() + static_cast<ptrdiff_t>(own), common.end());
  Normalize(common);
  entries_ = std::move(common);
}

bool VersionVector::Covers(const VersionVector& other) const {
  return std::all_of(other.entries_.begin(), other.entries_.end(),
                     [&](const Entry& entry) { return Covers(entry.origin, entry.upto); });
}

uint64_t VersionVector::OverUpTo(NodeId node) const {
  const auto it = std::find_if(
      LowerBound(entries_, Origin{node, 0}), entries_.end(),
      [&](const Entry& entry) { return entry.origin.node != node || entry.upto == kOver; });
  return it == entries_.end() || it->origin.node != node ? 0 : it->origin.incarnation;
}

void VersionVector::ForgetOver(NodeId node) {
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.origin.node == node && entry.upto == kOver;
  });
}

Stamp VersionVector::Newest() const {
  Stamp newest;
  for (const Entry& entry : entries_) {
    if (entry.upto != kOver) newest = std::max(newest, entry.upto);
  }
  return newest;
}

std::string VersionVector::ToString() const {
  std::string text;
  for (const Entry& entry : entries_) {
    if (!text.empty()) text += ' ';
    text += entry.origin.ToString() + ":" +
            (entry.upto == kOver ? "over" : std::to_string(entry.upto.value));
  }
  return text;
}

}  // namespace starling
