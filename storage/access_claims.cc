// Claims as the leaseholder writes them: granted, rewritten, ended (claim.h).
#include <algorithm>

#include "storage/access_parts.h"
#include "storage/keyspace_impl.h"
#include "storage/records.h"
#include "storage/speculation.h"

namespace starling {

bool Access::HasLiveClaim(const KeyRef& key) { return ClaimToken(key).has_value(); }

std::optional<Stamp> Access::ClaimToken(const KeyRef& key) {
  const Shard& shard = ShardOf(key);
  if (shard.live_claims() == 0) return std::nullopt;
  const KeyState state = shard.FindRaw(key).state;
  if (!state.HasLiveClaim()) return std::nullopt;
  return state.claim->token;
}

void Access::NoteMet(const Shard& shard, const LoadedEntry& entry) {
  const Keyspace::Impl& impl = *keyspace_.impl_;
  if (impl.records->IsReserved(entry.key) && impl.claim_rules.undecided_hold_back) {
    shard.speculation->Meet(entry.key);
  }
  if (!entry.state.HasLiveClaim()) return;
  shard.speculation->touched_claim_ = true;
  // Its end has to be written, by whoever looks for lapsed claims, before anything else is.
  if (shard.IsLapsed(*entry.state.claim)) shard.speculation->blocked_ = true;
}

void Access::WriteClaim(LoadedEntry& entry, Item& item) {
  Shard& shard = ShardOf(entry.key);
  // Nobody but a majority grants, changes or ends a claim: outside of a speculation it is our bug.
  STARLING_CHECK(shard.speculation != nullptr);
  shard.speculation->touched_claim_ = true;
  shard.speculation->changed_claim_ = true;
  Write(entry, item);
}

std::optional<Stamp> Access::Claim(const KeyRef& key, std::string_view text, int64_t ttl_millis) {
  STARLING_CHECK(ttl_millis >= 0);
  LoadedEntry entry = LoadForWrite(key);
  std::optional<Stamp> token;
  if (ViewOf(entry).type == KeyType::kNone) {
    Item item = ItemOf(Part::kClaim, key);
    item.value = Value::Bytes(text);
    item.deadline_millis = std::min(ttl_millis, Stamp::kMaxMillis);
    WriteClaim(entry, item);
    token = item.stamp;
  }
  Keep(entry);
  return token;
}

void Access::RewriteClaim(LoadedEntry& entry, std::string_view text, int64_t ttl_millis) {
  Item item = ItemOf(Part::kClaim, entry.key);
  item.at = entry.state.claim->token;
  item.value = Value::Bytes(text);
  item.deadline_millis = std::min(ttl_millis, Stamp::kMaxMillis);
  WriteClaim(entry, item);
}

void Access::RewriteClaim(LoadedEntry& entry, std::string_view text) {
  // What remains, not what it began with: else a window that is rewritten never ends
  // (COUNTEREXAMPLES 39).
  const bool remaining = keyspace_.impl_->claim_rules.rewrites_keep_the_time;
  const auto& claim = *entry.state.claim;
  RewriteClaim(entry, text,
               remaining ? ShardOf(entry.key).RemainingMillis(claim) : claim.ttl_millis);
}

void Access::WriteClaimEnd(LoadedEntry& entry) {
  Item item = ItemOf(Part::kClaim, entry.key);
  item.at = entry.state.claim->token;
  item.removed = true;
  WriteClaim(entry, item);
}

bool Access::EndLiveClaim(LoadedEntry& entry) {
  if (!entry.state.HasLiveClaim()) return false;
  WriteClaimEnd(entry);
  if (!keyspace_.impl_->claim_rules.ends_cut_the_key) return true;
  // Nothing that lay under it comes to light.
  Item cut = ItemOf(Part::kCut, entry.key);
  Write(entry, cut);
  return true;
}

bool Access::EndClaim(const KeyRef& key, Stamp token) {
  Shard& shard = ShardOf(key);
  STARLING_CHECK(shard.speculation != nullptr);
  const bool blocked = shard.speculation->blocked_;
  LoadedEntry entry = LoadForWrite(key);
  shard.speculation->blocked_ = blocked;  // a lapsed one is what this is for
  const bool held = entry.state.HasLiveClaim() && entry.state.claim->token == token;
  if (held) EndLiveClaim(entry);
  Keep(entry);
  return held;
}

void Access::RewriteString(const KeyRef& key, std::string_view text, bool keep_ttl) {
  LoadedEntry entry = LoadForWrite(key);
  if (!entry.state.HasLiveClaim()) {
    Keep(entry);  // the deletion of what had expired
    return SetString(key, text, keep_ttl);
  }
  if (keep_ttl) {
    RewriteClaim(entry, text);
  } else {
    RewriteClaim(entry, text, 0);
  }
  Keep(entry);
}

void Access::SetClaimDeadline(LoadedEntry& entry, int64_t deadline_millis) {
  const int64_t ttl = deadline_millis - NowMillis();
  if (ttl <= 0) {
    EndLiveClaim(entry);
    return;
  }
  const std::string text = entry.state.claim->text;  // it is about to be replaced
  RewriteClaim(entry, text, ttl);
}

void Access::EndClaims(uint8_t database) {
  for (const auto& shard : keyspace_.impl_->shards) {
    for (const std::string& name : shard->ClaimedKeys(database)) {
      LoadedEntry entry = LoadForWrite(keyspace_.Ref(database, name));
      WriteClaimEnd(entry);  // the database's cut is the key's as well
      Keep(entry);
    }
  }
}

bool Keyspace::IsClaimed(const KeyRef& key) {
  if (impl_->records->IsReserved(key)) return true;
  return impl_->shards[impl_->ShardIndex(key.hash)]->MayHaveClaims() && Lock(key).HasLiveClaim(key);
}

bool Keyspace::HasLiveClaims(uint8_t database) const {
  return std::any_of(impl_->shards.begin(), impl_->shards.end(), [&](const auto& shard) {
    std::lock_guard lock(shard->mutex);
    return !shard->ClaimedKeys(database).empty();
  });
}

}  // namespace starling
