#include "storage/version_vector.h"

#include <algorithm>

namespace starling {
namespace {

template <typename Entries>
auto LowerBound(Entries& entries, const Origin& origin) {
  return std::lower_bound(
      entries.begin(), entries.end(), origin,
      [](const VersionVector::Entry& entry, const Origin& key) { return entry.origin < key; });
}

/// Walks two sorted vectors side by side; `visit` gets the stamps of each origin, none where
/// absent.
template <typename Visit>
void ForEachOrigin(const std::vector<VersionVector::Entry>& left,
                   const std::vector<VersionVector::Entry>& right, const Visit& visit) {
  auto l = left.begin();
  auto r = right.begin();
  while (l != left.end() || r != right.end()) {
    if (r == right.end() || (l != left.end() && l->origin < r->origin)) {
      visit(l->origin, l->upto, Stamp{});
      ++l;
    } else if (l == left.end() || r->origin < l->origin) {
      visit(r->origin, Stamp{}, r->upto);
      ++r;
    } else {
      visit(l->origin, l->upto, r->upto);
      ++l;
      ++r;
    }
  }
}

}  // namespace

Stamp VersionVector::Get(const Origin& origin) const {
  const auto it = LowerBound(entries_, origin);
  return it != entries_.end() && it->origin == origin ? it->upto : Stamp{};
}

void VersionVector::Set(const Origin& origin, Stamp upto) {
  const auto it = LowerBound(entries_, origin);
  const bool present = it != entries_.end() && it->origin == origin;
  if (upto.none()) {
    if (present) entries_.erase(it);
  } else if (present) {
    it->upto = upto;
  } else {
    entries_.insert(it, Entry{origin, upto});
  }
}

void VersionVector::Raise(const Origin& origin, Stamp upto) {
  if (upto > Get(origin)) Set(origin, upto);
}

void VersionVector::MergeFrom(const VersionVector& other) {
  std::vector<Entry> merged;
  merged.reserve(entries_.size() + other.entries_.size());
  ForEachOrigin(entries_, other.entries_, [&](const Origin& origin, Stamp mine, Stamp theirs) {
    merged.push_back({origin, std::max(mine, theirs)});
  });
  entries_ = std::move(merged);
}

void VersionVector::IntersectWith(const VersionVector& other) {
  std::vector<Entry> common;
  ForEachOrigin(entries_, other.entries_, [&](const Origin& origin, Stamp mine, Stamp theirs) {
    const Stamp lower = std::min(mine, theirs);
    if (!lower.none()) common.push_back({origin, lower});
  });
  entries_ = std::move(common);
}

bool VersionVector::Covers(const VersionVector& other) const {
  bool covers = true;
  ForEachOrigin(entries_, other.entries_, [&](const Origin&, Stamp mine, Stamp theirs) {
    covers = covers && mine >= theirs;
  });
  return covers;
}

std::string VersionVector::ToString() const {
  std::string text;
  for (const Entry& entry : entries_) {
    if (!text.empty()) text += ' ';
    text += entry.origin.ToString() + ":" + std::to_string(entry.upto.value);
  }
  return text;
}

}  // namespace starling
