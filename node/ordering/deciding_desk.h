/// The claim desk of the leaseholder's executor: what needs a majority becomes a record.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "node/claim_desk.h"
#include "storage/keyspace.h"
#include "storage/records.h"

namespace starling {

class DecidingDesk final : public ClaimDesk {
 public:
  /// `begun`: a majority has acknowledged the epoch's beginning; before that nothing is decided.
  /// `patterns`: as ClaimDesk's.
  DecidingDesk(Keyspace& keyspace, uint64_t epoch, bool begun,
               const ClaimPatterns* patterns = nullptr)
      : ClaimDesk(Kind::kDecides, patterns),
        records_(keyspace.records()),
        epoch_(epoch),
        begun_(begun),
        applied_when_decided_(keyspace.claim_rules().applied_when_decided) {}

  /// Who asks again by this name is told what `replies`, which outlives the desk, has from `start`
  /// on when the record is written.
  void AnswerAgain(std::string_view by, const std::string& replies, size_t start) {
    again_by_ = by;
    replies_ = &replies;
    start_ = start;
  }

  /// Called where a record is about to be written, with the shards still held: what it does there
  /// is of the same record.
  void BeforeRecord(std::function<void()> join) { join_ = std::move(join); }

  bool Decide(Speculation& speculation, std::string_view& refusal) override;
  /// Whether a claim was seen: the answer counts only while the lease is held.
  bool saw_claim() const { return saw_claim_; }
  /// The key, without its name, that an undecided record writes to: as long as it does, the step is
  /// held back.
  const std::optional<KeyRef>& met() const { return met_; }
  /// What it wrote, and a majority has to hold.
  const std::optional<Records::Written>& written() const { return written_; }

 private:
  RecordNote Note() const;

  Records& records_;
  const uint64_t epoch_;
  const bool begun_;
  const bool applied_when_decided_;
  bool saw_claim_ = false;
  std::string_view again_by_;
  const std::string* replies_ = nullptr;
  size_t start_ = 0;
  std::function<void()> join_;  // perhaps none
  std::optional<KeyRef> met_;
  std::optional<Records::Written> written_;
  std::string error_;
};

}  // namespace starling
