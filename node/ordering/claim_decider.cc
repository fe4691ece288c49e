#include "node/ordering/claim_decider.h"

#include <algorithm>

#include "replication/epoch_record.h"
#include "storage/held_shards.h"
#include "storage/speculation.h"

namespace starling {
namespace {

/// Claims that are ended at once; the next ones when those are.
constexpr size_t kLapsesAtOnce = 256;
/// What could not be ended, since a record that has to be decided first writes to it, is looked at
/// again after this time.
constexpr std::chrono::milliseconds kLookAgain{5};

}  // namespace

void ClaimDecider::SetLease(const LeaseView& lease) {
  if (lease.epoch != lease_.epoch || !lease.leading) {
    waiting_.clear();
    lapses_upto_ = {};
    wanted_ = {};
  }
  const bool goes_on = lease.leading && !lease_.leading;
  lease_ = lease;
  if (!goes_on) return;
  // After a pause that nobody used the same epoch goes on, and no later one judges what it left.
  for (const Records::Undecided& record : keyspace_.records().undecided()) {
    const bool own = record.origin == keyspace_.origin();
    if (own && record.id.epoch == lease_.epoch) Add({record.id, record.stamp});
  }
}

bool ClaimDecider::Decided(uint64_t epoch, Stamp upto) const {
  if (!Begun(epoch)) return false;
  if (!rules_.answers_wait_for_majority) return true;
  return std::none_of(waiting_.begin(), waiting_.end(),
                      [&](const auto& written) { return written.stamp <= upto; });
}

std::optional<Stamp> ClaimDecider::TakeWanted() {
  Stamp last;
  for (const Records::Written& written : waiting_) last = std::max(last, written.stamp);
  if (last <= wanted_ || !lease_.leading) return std::nullopt;
  wanted_ = last;
  return last;
}

bool ClaimDecider::Decide(Stamp upto) {
  std::vector<RecordId> ids;
  std::erase_if(waiting_, [&](const Records::Written& written) {
    if (written.stamp > upto) return false;
    ids.push_back(written.id);
    return true;
  });
  if (lapses_upto_ <= upto) lapses_upto_ = {};
  if (ids.empty()) return false;
  keyspace_.records().Decide(ids, true);
  return true;
}

ClaimDecider::Earlier ClaimDecider::DecideEarlier() {
  Records& records = keyspace_.records();
  if (!records.AnyUndecided() || !Begun(lease_.epoch)) return {};
  std::vector<Records::Undecided> earlier = records.undecided();
  std::erase_if(earlier, [&](const auto& record) { return record.id.epoch >= lease_.epoch; });
  if (earlier.empty()) return {};  // nearly always: those that wait are of this epoch
  const EpochRecords known = ReadEpochRecords(keyspace_);
  const EpochRecords epochs = rules_.judged_by_lineage ? LineageOf(known, lease_.epoch) : known;
  // Every epoch since began with it, and a majority holds it now; or one began without: whatever
  // that one told is true only if the record never was (COUNTEREXAMPLES 24). One that is known of
  // only now, since its holder died alone with its record, does not count: an epoch after it may
  // have decided without it.
  const auto counts = [&](const Records::Undecided& record) {
    return !rules_.older_are_void ||
           std::all_of(epochs.upper_bound(record.id.epoch), epochs.end(), [&](const auto& epoch) {
             return epoch.second.vector.Covers(record.origin, record.stamp);
           });
  };
  std::vector<RecordId> counted;
  std::vector<RecordId> late;
  for (const Records::Undecided& record : earlier) {
    (counts(record) ? counted : late).push_back(record.id);
  }
  if (!counted.empty()) records.Decide(counted, true);
  if (!late.empty()) records.Decide(late, false);
  return {counted.size(), late.size()};
}

std::optional<std::chrono::nanoseconds> ClaimDecider::NextLapse() const {
  // One round of them at a time.
  if (!Begun(lease_.epoch) || lapses_upto_ != Stamp{}) return std::nullopt;
  const auto next = keyspace_.NextLapse();
  if (!next) return std::nullopt;
  return std::max<std::chrono::nanoseconds>(*next, look_again_);
}

void ClaimDecider::EndLapsed(std::chrono::nanoseconds now) {
  const auto next = NextLapse();
  if (!next || *next > now) return;
  look_again_ = now + kLookAgain;
  Records& records = keyspace_.records();
  for (const Keyspace::LapsedClaim& lapsed : keyspace_.LapsedClaims(kLapsesAtOnce)) {
    const KeyRef key = keyspace_.Ref(lapsed.database, lapsed.key);
    const HeldShards held(keyspace_, std::vector<KeyRef>{key, records.key()});
    if (records.IsReserved(key)) continue;  // its end, or another write, is on its way
    Speculation speculation(keyspace_);
    if (!keyspace_.Lock(key).EndClaim(key, lapsed.token)) continue;
    const auto written = records.Write(lease_.epoch, speculation.TakeItems());
    if (!written) return;  // too many wait
    Add(*written);
    lapses_upto_ = written->stamp;
  }
}

}  // namespace starling
