#include "tests/support/memory_engine.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"

namespace starling {

namespace {

Error NoSpace(bool unknown) {
  return {unknown ? Code::kUnknownOutcome : Code::kIo, "memory disk: no space left on device"};
}

SharedBytes Share(std::string_view bytes) { return std::make_shared<const std::string>(bytes); }

}  // namespace

class MemoryEngine final : public Engine {
 public:
  MemoryEngine(MemoryDisk& disk, std::shared_ptr<std::mutex> mutex, std::vector<Damage> damage)
      : disk_(&disk), mutex_(std::move(mutex)), damage_(std::move(damage)) {}
  ~MemoryEngine() override;

  Status AppendLog(const std::vector<LogRecord>& records, const std::vector<MetaWrite>& meta,
                   bool sync) override;
  Status SyncLog() override;
  Status ReadLog(const Origin& origin, Stamp after, const LogVisitor& visit) override;
  Result<std::vector<Origin>> LogOrigins() override;
  Status DropLog(const Origin& origin, Stamp upto) override;
  uint64_t LogBytes() override;
  Status WriteState(const std::vector<StateWrite>& writes) override;
  Status FlushState() override;
  Status ReadState(const StateVisitor& visit) override;
  Status PutMeta(std::string_view name, std::string_view value) override;
  Result<std::optional<std::string>> GetMeta(std::string_view name) override;
  const std::vector<Damage>& damage() const override { return damage_; }
  Status Backup(const std::string& folder) override;

 private:
  friend class MemoryDisk;

  MemoryDisk::Image& image() { return disk_ != nullptr ? disk_->now_ : *ghost_; }
  /// Runs `alive` on the disk, or only `apply` on the copy once the disk has crashed under us.
  template <typename Apply, typename Persist>
  Status Write(bool append, const Apply& apply, const Persist& persist);

  MemoryDisk* disk_;  // null once crashed
  std::shared_ptr<std::mutex> mutex_;
  std::unique_ptr<MemoryDisk::Image> ghost_;
  std::vector<Damage> damage_;
};

// --- disk ---

MemoryDisk::~MemoryDisk() {
  const std::lock_guard lock(*mutex_);
  if (open_ != nullptr) CrashLocked(CrashKind::kKill);
}

Result<std::unique_ptr<Engine>> MemoryDisk::Open() {
  const std::lock_guard lock(*mutex_);
  if (open_ != nullptr) {
    return Error{Code::kUnavailable, "memory disk: another engine has it open"};
  }
  auto engine = std::make_unique<MemoryEngine>(*this, mutex_, std::exchange(damage_, {}));
  open_ = engine.get();
  crashed_ = false;
  crash_in_ = 0;
  return std::unique_ptr<Engine>(std::move(engine));
}

void MemoryDisk::Crash(CrashKind kind) {
  const std::lock_guard lock(*mutex_);
  CrashLocked(kind);
}

void MemoryDisk::CrashAt(uint64_t calls, CrashKind kind, bool after) {
  const std::lock_guard lock(*mutex_);
  crash_in_ = calls;
  crash_kind_ = kind;
  crash_after_ = after;
}

bool MemoryDisk::crashed() const {
  const std::lock_guard lock(*mutex_);
  return crashed_;
}

void MemoryDisk::RunFull(uint64_t after, bool unknown) {
  const std::lock_guard lock(*mutex_);
  full_in_ = after;
  full_unknown_ = unknown;
}

bool MemoryDisk::full() const {
  const std::lock_guard lock(*mutex_);
  return full_in_ == uint64_t{0};
}

bool MemoryDisk::holds_unknown() const {
  const std::lock_guard lock(*mutex_);
  return holds_unknown_;
}

void MemoryDisk::HasSpace() {
  const std::lock_guard lock(*mutex_);
  full_in_.reset();
}

void MemoryDisk::CorruptLogTail(size_t records) {
  const std::lock_guard lock(*mutex_);
  // The log's order over origins is its order of appending, which only the tail still knows; what
  // was synced is cut per origin from its end.
  for (; records > 0; --records) {
    Origin newest;
    Stamp highest;
    for (const auto& [origin, stream] : now_.log) {
      if (!stream.empty() && stream.rbegin()->first > highest) {
        newest = origin;
        highest = stream.rbegin()->first;
      }
    }
    if (highest.none()) return;
    const auto last = std::prev(now_.log[newest].end());
    damage_.assign(1, {"memory.log", log_tail_.size(), last->second->size(), "checksum mismatch"});
    now_.log[newest].erase(last);
    durable_.log[newest].erase(highest);
    for (LogWrite& write : log_tail_) {
      std::erase_if(write, [&](const LogEntry& entry) {
        return entry.bytes != nullptr && entry.origin == newest && entry.upto == highest;
      });
    }
  }
}

void MemoryDisk::Wipe() {
  const std::lock_guard lock(*mutex_);
  if (open_ != nullptr) CrashLocked(CrashKind::kPowerLoss);
  now_ = {};
  durable_ = {};
  log_tail_.clear();
  state_tail_.clear();
  damage_.clear();
  full_in_.reset();
}

std::unique_ptr<MemoryDisk> MemoryDisk::Copy(uint64_t seed) const {
  auto copy = std::make_unique<MemoryDisk>(seed);
  const std::lock_guard lock(*mutex_);
  copy->now_ = now_;
  copy->now_.state = durable_.state;
  copy->durable_ = copy->now_;
  copy->damage_ = damage_;
  return copy;
}

std::unique_ptr<MemoryDisk> MemoryDisk::OpenBackup(const std::string& folder, uint64_t seed) const {
  const std::lock_guard lock(*mutex_);
  const auto found = now_.backups.find(folder);
  if (found == now_.backups.end()) return nullptr;
  auto disk = std::make_unique<MemoryDisk>(seed);
  disk->now_ = *found->second;
  disk->durable_ = *found->second;
  return disk;
}

void MemoryDisk::SetAppendObserver(AppendObserver observer) {
  const std::lock_guard lock(*mutex_);
  observer_ = std::move(observer);
}

SharedBytes MemoryDisk::FindLog(const Origin& origin, Stamp upto) const {
  const std::lock_guard lock(*mutex_);
  const auto stream = now_.log.find(origin);
  if (stream == now_.log.end()) return nullptr;
  const auto found = stream->second.find(upto);
  return found == stream->second.end() ? nullptr : found->second;
}

Stamp MemoryDisk::DroppedUpto(const Origin& origin) const {
  const std::lock_guard lock(*mutex_);
  const auto found = now_.dropped.find(origin);
  return found == now_.dropped.end() ? Stamp{} : found->second;
}

uint64_t MemoryDisk::log_bytes() const {
  const std::lock_guard lock(*mutex_);
  uint64_t bytes = 0;
  for (const auto& [origin, stream] : now_.log) {
    for (const auto& [upto, record] : stream) bytes += record->size();
  }
  return bytes;
}

size_t MemoryDisk::state_entries() const {
  const std::lock_guard lock(*mutex_);
  return now_.state.size();
}

void MemoryDisk::Apply(Image& image, const LogWrite& write) {
  for (const LogEntry& entry : write) {
    auto& stream = image.log[entry.origin];
    if (entry.bytes != nullptr) {
      stream[entry.upto] = entry.bytes;
      continue;
    }
    stream.erase(stream.begin(), stream.upper_bound(entry.upto));
    if (stream.empty()) image.log.erase(entry.origin);
    Stamp& dropped = image.dropped[entry.origin];
    dropped = std::max(dropped, entry.upto);
  }
}

void MemoryDisk::Apply(Image& image, const StateWrites& writes) {
  for (const Engine::StateWrite& write : writes) {
    if (write.value) {
      image.state[write.key] = *write.value;
    } else if (write.prefix) {
      auto end = image.state.lower_bound(write.key);
      while (end != image.state.end() && end->first.starts_with(write.key)) ++end;
      image.state.erase(image.state.lower_bound(write.key), end);
    } else {
      image.state.erase(write.key);
    }
  }
}

void MemoryDisk::LoseStateTail() {
  const size_t kept = state_tail_.empty() ? 0 : random_() % (state_tail_.size() + 1);
  for (size_t i = 0; i < kept; ++i) Apply(durable_, state_tail_[i]);
  state_tail_.clear();
  now_.state = durable_.state;
}

void MemoryDisk::LoseLogTail() {
  const size_t kept = log_tail_.empty() ? 0 : random_() % (log_tail_.size() + 1);
  for (size_t i = 0; i < kept; ++i) Apply(durable_, log_tail_[i]);
  // Half of the time the first lost record is half written, which the next open can see.
  if (kept < log_tail_.size() && random_() % 2 == 0) {
    uint64_t dropped = 0;
    for (const LogEntry& entry : log_tail_[kept]) {
      if (entry.bytes != nullptr) dropped += entry.bytes->size() / 2;
    }
    damage_.assign(1, {"memory.log", kept, dropped, "the last record is cut off"});
  }
  log_tail_.clear();
  now_.log = durable_.log;
  now_.dropped = durable_.dropped;
}

void MemoryDisk::CrashLocked(CrashKind kind) {
  if (open_ != nullptr) {
    open_->ghost_ = std::make_unique<Image>(now_);
    open_->disk_ = nullptr;
    open_ = nullptr;
  }
  crashed_ = true;
  crash_in_ = 0;
  holds_unknown_ = false;
  LoseStateTail();
  if (kind == CrashKind::kPowerLoss) LoseLogTail();
}

bool MemoryDisk::CrashesBefore() {
  if (crash_in_ != 1 || crash_after_) return false;
  CrashLocked(crash_kind_);
  return true;
}

void MemoryDisk::CrashAfter() {
  if (crash_in_ == 0 || --crash_in_ != 0) return;
  CrashLocked(crash_kind_);
}

Status MemoryDisk::CheckSpace(bool append, bool& happened) {
  happened = true;
  if (!full_in_) return {};
  if (*full_in_ > 0) {
    --*full_in_;
    return {};
  }
  const bool unknown = append && full_unknown_;
  happened = unknown && random_() % 2 == 0;
  holds_unknown_ |= happened;
  return NoSpace(unknown);
}

// --- engine ---

MemoryEngine::~MemoryEngine() {
  const std::lock_guard lock(*mutex_);
  if (disk_ == nullptr) return;
  disk_->open_ = nullptr;
  disk_->LoseStateTail();
}

template <typename Apply, typename Persist>
Status MemoryEngine::Write(bool append, const Apply& apply, const Persist& persist) {
  const std::lock_guard lock(*mutex_);
  if (disk_ == nullptr || disk_->CrashesBefore()) {
    apply(*ghost_);
    return {};
  }
  bool happened = false;
  const Status space = disk_->CheckSpace(append, happened);
  if (happened) {
    apply(disk_->now_);
    persist(*disk_);
  }
  disk_->CrashAfter();
  return space;
}

Status MemoryEngine::AppendLog(const std::vector<LogRecord>& records,
                               const std::vector<MetaWrite>& meta, bool sync) {
  // What is not synced may be lost, while `meta` is taken for durable at once.
  STARLING_CHECK(meta.empty() || sync);
  MemoryDisk::LogWrite write;
  for (const LogRecord& record : records) {
    write.push_back({record.origin, record.upto, Share(record.bytes)});
  }
  return Write(
      true,
      [&](MemoryDisk::Image& image) {
        MemoryDisk::Apply(image, write);
        for (const MetaWrite& one : meta) image.meta[one.name] = one.value;
      },
      [&](MemoryDisk& disk) {
        if (disk.observer_) {
          for (const LogRecord& record : records) disk.observer_(record);
        }
        disk.log_tail_.push_back(write);
        if (!sync) return;
        for (const auto& unsynced : disk.log_tail_) MemoryDisk::Apply(disk.durable_, unsynced);
        disk.log_tail_.clear();
      });
}

Status MemoryEngine::SyncLog() {
  const auto nothing = [](MemoryDisk::Image&) {};
  return Write(false, nothing, [](MemoryDisk& disk) {
    for (const auto& unsynced : disk.log_tail_) MemoryDisk::Apply(disk.durable_, unsynced);
    disk.log_tail_.clear();
  });
}

Status MemoryEngine::ReadLog(const Origin& origin, Stamp after, const LogVisitor& visit) {
  std::vector<std::pair<Stamp, SharedBytes>> found;
  {
    const std::lock_guard lock(*mutex_);
    const auto stream = image().log.find(origin);
    if (stream != image().log.end()) {
      found.assign(stream->second.upper_bound(after), stream->second.end());
    }
  }
  for (const auto& [upto, bytes] : found) {
    if (!visit({origin, upto, *bytes})) break;
  }
  return {};
}

Result<std::vector<Origin>> MemoryEngine::LogOrigins() {
  const std::lock_guard lock(*mutex_);
  std::vector<Origin> origins;
  for (const auto& [origin, stream] : image().log) {
    if (!stream.empty()) origins.push_back(origin);
  }
  return origins;
}

Status MemoryEngine::DropLog(const Origin& origin, Stamp upto) {
  const MemoryDisk::LogWrite write{{origin, upto, nullptr}};
  return Write(
      false, [&](MemoryDisk::Image& image) { MemoryDisk::Apply(image, write); },
      [&](MemoryDisk& disk) { disk.log_tail_.push_back(write); });
}

uint64_t MemoryEngine::LogBytes() {
  const std::lock_guard lock(*mutex_);
  uint64_t bytes = 0;
  for (const auto& [origin, stream] : image().log) {
    for (const auto& [upto, record] : stream) bytes += record->size();
  }
  return bytes;
}

Status MemoryEngine::WriteState(const std::vector<StateWrite>& writes) {
  return Write(
      false, [&](MemoryDisk::Image& image) { MemoryDisk::Apply(image, writes); },
      [&](MemoryDisk& disk) { disk.state_tail_.push_back(writes); });
}

Status MemoryEngine::FlushState() {
  const auto nothing = [](MemoryDisk::Image&) {};
  return Write(false, nothing, [](MemoryDisk& disk) {
    for (const auto& unflushed : disk.state_tail_) MemoryDisk::Apply(disk.durable_, unflushed);
    disk.state_tail_.clear();
  });
}

Status MemoryEngine::ReadState(const StateVisitor& visit) {
  std::vector<std::pair<std::string, std::string>> entries;
  {
    const std::lock_guard lock(*mutex_);
    entries.assign(image().state.begin(), image().state.end());
  }
  for (const auto& [key, value] : entries) {
    if (Status status = visit(key, value); !status.ok()) return status;
  }
  return {};
}

Status MemoryEngine::PutMeta(std::string_view name, std::string_view value) {
  return Write(
      false, [&](MemoryDisk::Image& image) { image.meta[std::string(name)] = value; },
      [](MemoryDisk&) {});
}

Result<std::optional<std::string>> MemoryEngine::GetMeta(std::string_view name) {
  const std::lock_guard lock(*mutex_);
  const auto found = image().meta.find(std::string(name));
  if (found == image().meta.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

Status MemoryEngine::Backup(const std::string& folder) {
  {
    const std::lock_guard lock(*mutex_);
    if (image().backups.contains(folder)) {
      return Error{Code::kAlreadyExists, "backup folder " + folder + " exists"};
    }
  }
  return Write(
      false,
      [&](MemoryDisk::Image& image) {
        auto copy = std::make_shared<MemoryDisk::Image>(image);
        copy->backups.clear();
        image.backups[folder] = std::move(copy);
      },
      [](MemoryDisk&) {});
}

}  // namespace starling
