// The claims of a shard: merged, shown, and found again when their time is up.
#include <algorithm>

#include "storage/shard.h"

namespace starling {

int64_t Shard::BootMillis() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time_.Monotonic()).count();
}

int64_t Shard::ClaimMillis() const {
  return claim_rules_.timed_from_arrival ? BootMillis() : time_.WallMillis();
}

int64_t Shard::ArrivalMillis(Stamp stamp) const {
  return claim_rules_.timed_from_arrival ? BootMillis() : stamp.millis();
}

int64_t Shard::next_lapse() const {
  if (lapses_.empty()) return Claim::kNoLapse;
  return lapses_.begin()->first - ClaimMillis() + BootMillis();
}

KeyView Shard::View(const LoadedEntry& entry, int64_t now_millis) const {
  KeyView view = ViewOf(entry);
  if (!view.claimed) return view;
  const int64_t lapses_at = entry.state.claim->LapsesAt();
  // Held until its end is written: a time that is up shows as up now, never as passed.
  if (lapses_at != Claim::kNoLapse) {
    view.deadline_millis = now_millis + std::max<int64_t>(lapses_at - ClaimMillis(), 0);
  }
  return view;
}

bool Shard::MergeClaim(LoadedEntry& entry, const Item& item, OriginIndex origin) {
  const Version version{item.stamp, origin};
  Claim*& claim = entry.state.claim;
  const bool was_ended = claim != nullptr && claim->ended;
  if (speculation != nullptr && claim != nullptr && Later(version, claim->version, origins_)) {
    CopyRememberedClaim(entry);
  }
  const size_t bytes = claim == nullptr ? 0 : claim->memory_bytes();
  if (claim == nullptr) claim = new Claim;
  if (!claim->Merge(version, item, origins_, ArrivalMillis(item.stamp))) return false;
  space_.outside_bytes += claim->memory_bytes() - bytes;
  maybe_replaced_ += was_ended ? 1 : 0;
  if (claim->ended) AddTombstone(entry.key.hash, Tombstone::Kind::kClaim, version);
  return true;
}

void Shard::CopyRememberedClaim(LoadedEntry& entry) {
  ShardUndo::Entry& saved = Remembered(entry);
  if (saved.claim != entry.state.claim) return;
  saved.claim_replaced = true;
  entry.state.claim = new Claim(*saved.claim);
  space_.outside_bytes += entry.state.claim->memory_bytes();
}

void Shard::RestoreClaim(LoadedEntry& entry, std::unique_ptr<Claim> claim) {
  claim->arrived_millis = ArrivalMillis(claim->version.stamp);
  space_.outside_bytes += claim->memory_bytes();
  if (claim->ended) AddTombstone(entry.key.hash, Tombstone::Kind::kClaim, claim->version);
  entry.state.accessed_seconds = std::max(
      entry.state.accessed_seconds, static_cast<uint32_t>(claim->version.stamp.millis() / 1000));
  entry.state.claim = claim.release();
}

void Shard::CountClaim(LoadedEntry& entry) {
  Claim* const claim = entry.state.claim;
  if (claim == nullptr) return;
  live_claims_ += static_cast<size_t>(!claim->ended) - static_cast<size_t>(claim->counted);
  claim->counted = !claim->ended;
  if (speculation == nullptr || live_claims_ > 0) ShowClaims();
  const int64_t lapses_at = claim->LapsesAt();
  if (lapses_at == claim->indexed_millis) return;
  UnindexClaim(entry);
  if (lapses_at != Claim::kNoLapse) lapses_.emplace(lapses_at, entry.key.hash);
  claim->indexed_millis = lapses_at;
}

void Shard::UnindexClaim(const LoadedEntry& entry) {
  const int64_t indexed = entry.state.claim->indexed_millis;
  if (indexed != Claim::kNoLapse) lapses_.erase(lapses_.find({indexed, entry.key.hash}));
}

void Shard::DropClaim(LoadedEntry& entry) {
  Claim* const claim = entry.state.claim;
  if (claim == nullptr) return;
  UnindexClaim(entry);
  entry.state.claim = nullptr;
  live_claims_ -= claim->counted ? 1 : 0;
  if (speculation == nullptr) ShowClaims();
  space_.outside_bytes -= claim->memory_bytes();
  delete claim;
}

int64_t Shard::RemainingMillis(const Claim& claim) const {
  if (claim.LapsesAt() == Claim::kNoLapse) return 0;
  return std::max<int64_t>(claim.LapsesAt() - ClaimMillis(), 1);
}

std::vector<std::string> Shard::ClaimedKeys(uint8_t database) const {
  std::vector<std::string> names;
  if (live_claims_ == 0) return names;
  table_.ForEach([&](Handle handle) {
    const LoadedEntry entry = LoadHandle(handle);
    if (entry.key.database == database && entry.state.HasLiveClaim()) {
      names.emplace_back(entry.key.name);
    }
  });
  return names;
}

void Shard::VisitLapsed(size_t limit, const std::function<void(const LoadedEntry&)>& visit) const {
  const int64_t now = ClaimMillis();
  for (const auto& [lapses_at, hash] : lapses_) {
    if (lapses_at >= now) return;
    for (const Handle handle : FindByHash(hash)) {
      const LoadedEntry entry = LoadHandle(handle);
      if (!entry.state.HasLiveClaim() || entry.state.claim->LapsesAt() != lapses_at) continue;
      if (limit-- == 0) return;
      visit(entry);
    }
  }
}

}  // namespace starling
