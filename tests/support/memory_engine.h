/// A disk in memory that can lose what was not synced, and an Engine on it.
///
/// A MemoryDisk outlives the engines that are opened on it one after another. It knows of every
/// write whether it would survive: `Crash` throws away what the kind of crash throws away, as
/// RocksDB under starling would (rocks_engine.cc): `log` lives in the operating system's page
/// cache, so it survives the process but not the power; `state` lives in the process until it is
/// flushed, so each crash may take what was not; `meta` is durable when its write returns. Families
/// lose independently of each other, each keeps a prefix of its writes. How long that prefix is
/// comes from the disk's seed: the same calls give the same disk (I14).
///
/// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "storage/batch_codec.h"
#include "storage/engine.h"

namespace starling {

enum class CrashKind : uint8_t {
  kKill,       ///< The process ends (kill -9): every append that returned is there.
  kPowerLoss,  ///< The machine ends: what was not synced may be gone, the tail may be torn.
};

class MemoryEngine;

class MemoryDisk {
 public:
  explicit MemoryDisk(uint64_t seed = 1) : random_(seed) {}
  /// An engine that is still open goes on as after Crash.
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  /// Opens the disk. kUnavailable while another engine has it open, kIo after FailOpen.
  Result<std::unique_ptr<Engine>> Open();

  // --- what can happen to a disk ---
  /// Ends the open engine's life now. Its owner may still call it: it then works on a copy that
  /// nobody will see, so a process can be taken down at any call and thrown away afterwards.
  void Crash(CrashKind kind);
  /// Crashes at the `calls`-th write, sync or flush from now (1: the next), before it takes effect
  /// or, with `after`, once it has. crashed() tells when it has happened.
  void CrashAt(uint64_t calls, CrashKind kind, bool after);
  /// Whether the engine opened last has been crashed.
  bool crashed() const;
  /// Every write fails as on a full disk from the `after`-th write on (0: the next), until
  /// HasSpace(). `unknown`: appends say kUnknownOutcome, and every other one has happened.
  void RunFull(uint64_t after, bool unknown = false);
  void HasSpace();
  /// Whether the next write fails so.
  bool full() const;
  /// The last `records` log appends become unreadable; the next open cuts and reports them.
  void CorruptLogTail(size_t records);
  /// A new disk in the place of this one: everything is gone.
  void Wipe();
  /// This disk's bytes on another one, as `cp -a` of the folder makes it: what was written, synced.
  std::unique_ptr<MemoryDisk> Copy(uint64_t seed) const;
  /// The backup written into `folder`, as a disk; null when there is none.
  std::unique_ptr<MemoryDisk> OpenBackup(const std::string& folder, uint64_t seed) const;

  // --- looking at it ---
  /// Called under the disk's lock for each record appended, before the append returns.
  using AppendObserver = std::function<void(const Engine::LogRecord&)>;
  void SetAppendObserver(AppendObserver observer);
  /// The record's bytes, null when the log does not hold it.
  SharedBytes FindLog(const Origin& origin, Stamp upto) const;
  /// Up to where the log of `origin` has been dropped.
  Stamp DroppedUpto(const Origin& origin) const;
  uint64_t log_bytes() const;
  /// Whether an append of the present life was written although it was told to have failed.
  bool holds_unknown() const;
  size_t state_entries() const;

 private:
  friend class MemoryEngine;

  /// Everything an engine reads.
  struct Image {
    std::map<Origin, std::map<Stamp, SharedBytes>> log;
    std::map<Origin, Stamp> dropped;
    std::map<std::string, std::string> state;
    std::map<std::string, std::string> meta;
    std::map<std::string, std::shared_ptr<const Image>> backups;
  };
  struct LogEntry {
    Origin origin;
    Stamp upto;
    SharedBytes bytes;  ///< Null: everything of origin at or below upto was dropped.
  };
  using LogWrite = std::vector<LogEntry>;
  using StateWrites = std::vector<Engine::StateWrite>;

  static void Apply(Image& image, const LogWrite& write);
  static void Apply(Image& image, const StateWrites& writes);
  void CrashLocked(CrashKind kind);
  void LoseStateTail();
  void LoseLogTail();
  /// Counts a call towards CrashAt; true when the crash happens before the call takes effect.
  bool CrashesBefore();
  void CrashAfter();
  /// kIo or kUnknownOutcome when full; `happened`: do it all the same.
  Status CheckSpace(bool append, bool& happened);

  std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();  // shared with the engine
  std::mt19937_64 random_;
  Image now_;      // what the process sees
  Image durable_;  // what was synced or flushed; meta and backups live in now_ alone
  std::vector<LogWrite> log_tail_;       // appended and dropped since the last sync
  std::vector<StateWrites> state_tail_;  // written since the last flush
  std::vector<Engine::Damage> damage_;   // for the next open
  MemoryEngine* open_ = nullptr;
  bool crashed_ = false;
  uint64_t crash_in_ = 0;  // calls until the crash; 0: none planned
  CrashKind crash_kind_ = CrashKind::kKill;
  bool crash_after_ = false;
  std::optional<uint64_t> full_in_;  // writes that still succeed
  bool full_unknown_ = false;
  bool holds_unknown_ = false;
  AppendObserver observer_;
};

/// Opens `disk`; MemoryDisk::Open as a function beside OpenRocksEngine.
inline Result<std::unique_ptr<Engine>> OpenMemoryEngine(MemoryDisk& disk) { return disk.Open(); }

}  // namespace starling
