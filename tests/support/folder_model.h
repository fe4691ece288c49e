/// A shared folder that votes, in memory: the files of epochs, and one process's view of them.
///
/// For tests and the simulator, in place of node/epoch_files.h. What was written stays when a
/// process dies, as with files. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "replication/epoch_folder.h"

namespace starling {

/// The folder.
struct FolderModel {
  struct File {
    std::optional<EpochHolder> holder;
    Instant renewed{};
    std::optional<std::string> snapshot;
    std::vector<std::string> records;
    uint64_t writer = 0;  ///< Which creation it was, as an inode tells.
  };
  std::map<uint64_t, File> files;
  std::set<uint64_t> ended;  ///< Sessions of processes that have ended.
  uint64_t creations = 0;
  bool full = false;  ///< No room: appends fail.
};

/// What one process does with it.
class FolderProcess final : public EpochFolder {
 public:
  /// `dead`: whether the process has ended already, whatever it still seems to do.
  FolderProcess(FolderModel& folder, std::function<bool()> dead)
      : folder_(folder), dead_(std::move(dead)) {}
  /// The process has ended: the kernel knows.
  ~FolderProcess() override {
    for (const uint64_t session : sessions_) folder_.ended.insert(session);
  }

  Result<std::vector<uint64_t>> Epochs() override {
    if (dead_()) return Gone();
    std::vector<uint64_t> epochs;
    for (const auto& [epoch, file] : folder_.files) epochs.push_back(epoch);
    return epochs;
  }
  Status Create(uint64_t epoch, const EpochHolder& holder, Instant now) override {
    if (dead_()) return Gone();
    if (folder_.files.contains(epoch)) return Error{Code::kAlreadyExists, "the epoch exists"};
    mine_ = epoch;
    creation_ = ++folder_.creations;
    sessions_.insert(holder.session);
    folder_.files[epoch] = {holder, now, {}, {}, creation_};
    return {};
  }
  Result<EpochContent> Read(uint64_t epoch) override {
    const auto found = folder_.files.find(epoch);
    if (dead_() || found == folder_.files.end()) return Error{Code::kNotFound, "no such epoch"};
    const FolderModel::File& file = found->second;
    return EpochContent{file.holder, file.renewed, file.snapshot, file.records};
  }
  Result<EpochContent> ReadHead(uint64_t epoch) override {
    Result<EpochContent> content = Read(epoch);
    if (content) content = EpochContent{content->holder, content->renewed, {}, {}};
    return content;
  }
  bool HasEnded(const EpochHolder& holder) override {
    return folder_.ended.contains(holder.session);
  }
  Status AppendSnapshot(std::string_view snapshot) override {
    FolderModel::File* file = Mine();
    if (file == nullptr || folder_.full) return Gone();
    file->snapshot = snapshot;
    file->records.clear();
    return {};
  }
  Status Append(std::string_view record) override {
    FolderModel::File* file = Mine();
    if (file == nullptr || folder_.full) return Gone();
    file->records.emplace_back(record);
    return {};
  }
  Status Renew(Instant now) override {
    if (FolderModel::File* file = Mine()) file->renewed = now;
    return {};
  }
  Result<bool> IsNewest() override {
    if (dead_()) return Gone();
    return Mine() != nullptr && folder_.files.rbegin()->first == mine_;
  }
  void Abandon() override {
    const Result<bool> newest = IsNewest();
    if (newest && *newest) folder_.files.erase(mine_);
    mine_ = 0;
  }
  void DropEarlier() override {
    if (dead_()) return;
    folder_.files.erase(folder_.files.begin(), folder_.files.lower_bound(mine_));
  }

 private:
  static Error Gone() { return {Code::kIo, "the folder cannot be written"}; }
  /// Null where it was dropped, or the process has ended.
  FolderModel::File* Mine() {
    const auto found = folder_.files.find(mine_);
    const bool there = found != folder_.files.end() && found->second.writer == creation_;
    return there && !dead_() ? &found->second : nullptr;
  }

  FolderModel& folder_;
  std::function<bool()> dead_;
  uint64_t mine_ = 0;
  uint64_t creation_ = 0;
  std::set<uint64_t> sessions_;
};

}  // namespace starling
