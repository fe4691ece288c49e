/// An engine that a test looks into.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace starling {

/// Passes everything on; a test looks into its syncs, writes of state and reads of the log, and
/// fails syncs.
class WatchedEngine final : public Engine {
 public:
  explicit WatchedEngine(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  Status AppendLog(const std::vector<LogRecord>& records, const std::vector<MetaWrite>& meta,
                   bool sync) override {
    synced_appends += sync ? 1 : 0;
    return engine_->AppendLog(records, meta, sync);
  }
  Status SyncLog() override {
    if (in_sync) in_sync();
    if (fails) return Error{Code::kUnknownOutcome, "the disk does not sync"};
    return engine_->SyncLog();
  }
  Status ReadLog(const Origin& origin, Stamp after, const LogVisitor& visit) override {
    if (in_read) in_read();
    return engine_->ReadLog(origin, after, visit);
  }
  Result<std::vector<Origin>> LogOrigins() override { return engine_->LogOrigins(); }
  Status DropLog(const Origin& origin, Stamp upto) override {
    return engine_->DropLog(origin, upto);
  }
  uint64_t LogBytes() override { return engine_->LogBytes(); }
  Status WriteState(const std::vector<StateWrite>& writes) override {
    if (in_write) in_write(writes);
    return engine_->WriteState(writes);
  }
  Status FlushState() override { return engine_->FlushState(); }
  Status ReadState(const StateVisitor& visit) override { return engine_->ReadState(visit); }
  Status PutMeta(std::string_view name, std::string_view value) override {
    return engine_->PutMeta(name, value);
  }
  Result<std::optional<std::string>> GetMeta(std::string_view name) override {
    return engine_->GetMeta(name);
  }
  const std::vector<Damage>& damage() const override { return engine_->damage(); }
  Status Backup(const std::string& folder) override { return engine_->Backup(folder); }

  size_t synced_appends = 0;
  std::function<void()> in_sync;
  std::function<void(const std::vector<StateWrite>&)> in_write;  // of state
  std::function<void()> in_read;                                 // of the log
  bool fails = false;                                            // to sync

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace starling
