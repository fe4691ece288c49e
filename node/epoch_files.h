/// The epochs of a shared folder as files: `epoch-<number>`, one an epoch (epoch_folder.h).
///
/// A file begins with the boot-time stamp of its last renewal, which is overwritten in place, and
/// its complement; frames follow, each with length and CRC-32C: who holds it, the snapshot, the
/// records. What is torn ends what can be read. The holder keeps it locked (flock(2)) as long as it
/// lives; since children inherit that, its process stands in the file too. Not thread-safe.
#pragma once

#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/lock_file.h"
#include "replication/epoch_folder.h"

namespace starling {

class EpochFiles final : public EpochFolder {
 public:
  /// `folder` is on a file system whose locks and exclusive creation are those of this host.
  /// `synced`: appends reach the disk before they return (`appendfsync always`).
  /// `before_given_back` is called before any process can see that the lease was given back.
  EpochFiles(std::shared_ptr<const Folder> folder, bool synced,
             std::function<void()> before_given_back = {})
      : folder_(std::move(folder)),
        synced_(synced),
        before_given_back_(std::move(before_given_back)) {}

  /// Another folder stands at the place of the one before: what was held there is over.
  void Move(std::shared_ptr<const Folder> folder);

  Result<std::vector<uint64_t>> Epochs() override;
  Status Create(uint64_t epoch, const EpochHolder& holder, Instant now) override;
  Result<EpochContent> Read(uint64_t epoch) override;
  Result<EpochContent> ReadHead(uint64_t epoch) override;
  bool HasEnded(const EpochHolder& holder) override;
  Status AppendSnapshot(std::string_view snapshot) override;
  Status Append(std::string_view record) override;
  Status Renew(Instant now) override;
  Result<bool> IsNewest() override;
  void Abandon() override;
  void DropEarlier() override;

 private:
  enum class Frame : char { kHolder = 1, kSnapshot = 2, kRecord = 3 };
  struct LastRead {
    uint64_t epoch = 0;
    EpochHolder holder;
    std::string process;
  };
  /// The newest epoch, as the folder was last listed.
  struct Listing {
    timespec changed{};                           // the folder, as it was listed
    std::chrono::steady_clock::time_point since;  // it has been seen like that
    bool settled = false;                         // whatever changes shows in `changed`
    uint64_t newest = 0;
  };

  /// Listed anew where the folder may have changed.
  Result<uint64_t> Newest();
  EpochContent Parse(uint64_t epoch, std::string_view bytes);
  Error Failed(uint64_t epoch, const char* step) const;
  Status AppendFrame(Frame kind, std::string_view bytes);
  static std::string Framed(Frame kind, std::string_view bytes);

  std::shared_ptr<const Folder> folder_;
  bool synced_;
  std::function<void()> before_given_back_;
  uint64_t epoch_ = 0;  // the one that is held open
  Descriptor file_;
  int64_t end_ = 0;  // of what is whole in it
  LastRead last_read_;
  std::optional<Listing> listing_;
};

}  // namespace starling
