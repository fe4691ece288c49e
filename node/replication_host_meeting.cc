// The replication host's meeting folder: who is there, and its vote.
#include <algorithm>

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include "node/replication_host.h"
#include "storage/host_identity.h"

namespace starling {
namespace {

constexpr auto kFirstScans = std::chrono::milliseconds(200);
constexpr int kFirstScanCount = 15;
constexpr auto kLaterScans = std::chrono::milliseconds(1000);

}  // namespace

Status ReplicationHost::OpenMeetingFolder() {
  Result<std::unique_ptr<MeetingFolder>> meeting =
      MeetingFolder::Open(options_.meeting_folder_path, options_.cluster, log_);
  if (!meeting) return meeting.error();
  meeting_ = *std::move(meeting);
  if (Status published = meeting_->Publish(options_.name, address_); !published) return published;

  const std::optional<ClusterRecord> own = replicator_->cluster();
  const ClusterRecord candidate = own ? *own
                                  : options_.known_cluster
                                      ? *options_.known_cluster
                                      : NewClusterRecord(options_.name, SortedVoters());
  Result<ClusterRecord> record = meeting_->EnsureCluster(candidate);
  if (!record) return record.error();
  if (own && own->id != record->id) {
    log_->error(
        "this node is in another cluster than the one that meets here, and stays alone: "
        "folder={} cluster={:016x} own_cluster={:016x} advice=use another --cluster name, or an "
        "empty "
        "data folder to join the one that meets here",
        meeting_->path(), record->id, own->id);
  }
  if (!own) WarnOfOtherVoters(*record);
  OpenEpochs(record->id);
  ScanMeetingFolder();
  ScheduleScan();
  WatchFolder();
  return {};
}

std::vector<std::string> ReplicationHost::SortedVoters() const {
  std::vector<std::string> voters = options_.voters;
  std::sort(voters.begin(), voters.end());
  return voters;
}

void ReplicationHost::WarnOfOtherVoters(const ClusterRecord& record) {
  if (options_.voters.empty() || record.voters == SortedVoters()) return;
  log_->warn("the cluster was created with other voters, which stay: cluster={:016x} voters={}",
             record.id,
             record.voters.empty() ? "the meeting folder"
                                   : fmt::format("{}", fmt::join(record.voters, ",")));
}

void ReplicationHost::WatchFolder() {
  watch_ = std::make_unique<FolderWatch>(io_, meeting_->path(), [this] {
    ScanMeetingFolder();
    EndBurst();
  });
}

void ReplicationHost::OpenEpochs(uint64_t cluster) {
  const Result<std::string> boot = BootId();
  if (!boot) {
    log_->error("the meeting folder cannot vote, nobody leads here: reason={}",
                boot.error().message);
    return;
  }
  BeginBurst();
  followed_ = meeting_->folder();
  epochs_cluster_ = cluster;
  epochs_ = std::make_unique<EpochFiles>(followed_, options_.appendfsync == AppendFsync::kAlways,
                                         [this] { lease_.StopLeading(); });
  replicator_->UseEpochFolder(*epochs_, cluster, *boot, Now(), effects_);
  CarryOut();
}

void ReplicationHost::FollowFolder(const std::optional<ClusterRecord>& record) {
  if (epochs_ == nullptr || meeting_->folder() == followed_) return;
  followed_ = meeting_->folder();
  // Another cluster's epochs are none of ours, which are over then.
  if (record && record->id == epochs_cluster_) epochs_->Move(followed_);
  // Not within the watch's own call.
  asio::post(io_, [this] { WatchFolder(); });
}

void ReplicationHost::ScanMeetingFolder() {
  Result<MeetingFolder::View> view = meeting_->Scan();
  if (!view) {
    // Once per outage: the next look comes in a second.
    if (!std::exchange(scan_failed_, true)) {
      log_->warn("the meeting folder cannot be read: reason={}", view.error().message);
    }
    return;
  }
  scan_failed_ = false;
  BeginBurst();
  FollowFolder(view->record);
  replicator_->OnMeetingFolder(view->addresses, view->record, Now(), effects_);
  replicator_->OnEpochFolder(Now(), effects_);
  CarryOut();
}

void ReplicationHost::ScheduleScan() {
  scan_timer_.expires_after(scans_ < kFirstScanCount ? kFirstScans : kLaterScans);
  scan_timer_.async_wait([this](const asio::error_code& error) {
    if (error) return;
    ++scans_;
    ScanMeetingFolder();
    EndBurst();
    ScheduleScan();
  });
}

}  // namespace starling
