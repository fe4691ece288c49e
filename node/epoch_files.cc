#include "node/epoch_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "node/little_endian.h"
#include "storage/crc32c.h"

namespace starling {
namespace {

constexpr std::string_view kPrefix = "epoch-";
constexpr size_t kStampBytes = 16;
constexpr size_t kFrameHead = 9;  // length, checksum, kind
/// The stamp and the holder are in these.
constexpr size_t kHeadBytes = 4096;
/// An epoch's records are let go with it; more than this is no epoch of ours.
constexpr size_t kMaxBytes = size_t{4} << 30;
/// Longer than a tick of the clock that times of files are read from: what changes a folder within
/// one tick of another change may leave its time as it was.
constexpr std::chrono::milliseconds kSettled{100};

std::string NameOf(uint64_t epoch) { return std::string(kPrefix) + std::to_string(epoch); }

std::string StampOf(Instant now) {
  std::string stamp;
  AppendLittleEndian(stamp, static_cast<uint64_t>(now.count()), 8);
  AppendLittleEndian(stamp, ~static_cast<uint64_t>(now.count()), 8);
  return stamp;
}

/// Name, session, boot and process, a line each; names are plain and boot ids are one line.
std::string TextOf(const EpochHolder& holder) {
  return holder.name + "\n" + std::to_string(holder.session) + "\n" + holder.boot_id + "\n" +
         OwnProcessLine();
}

std::optional<std::pair<EpochHolder, std::string>> ParseHolder(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (lines.size() != 4) return std::nullopt;
  EpochHolder holder;
  holder.name = lines[0];
  const auto [end, error] =
      std::from_chars(lines[1].data(), lines[1].data() + lines[1].size(), holder.session);
  if (error != std::errc() || end != lines[1].data() + lines[1].size()) return std::nullopt;
  holder.boot_id = lines[2];
  return std::pair(holder, std::string(lines[3]));
}

}  // namespace

Error EpochFiles::Failed(uint64_t epoch, const char* step) const {
  return Error{Code::kIo,
               folder_->path + "/" + NameOf(epoch) + ": " + step + ": " + std::strerror(errno)};
}

Result<std::vector<uint64_t>> EpochFiles::Epochs() {
  if (!InPlace(*folder_)) {
    return Error{Code::kIo, folder_->path + ": it was removed, or another folder stands there"};
  }
  // A descriptor of its own, since reading a directory moves its place.
  const int copy = openat(folder_->descriptor.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = copy < 0 ? nullptr : fdopendir(copy);
  if (directory == nullptr) {
    const Error error{Code::kIo, folder_->path + ": listing: " + std::strerror(errno)};
    if (copy >= 0) close(copy);
    return error;
  }
  std::vector<uint64_t> epochs;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name(entry->d_name);
    if (!name.starts_with(kPrefix)) continue;
    uint64_t epoch = 0;
    const auto [end, error] =
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), epoch);
    if (error == std::errc() && NameOf(epoch) == name) epochs.push_back(epoch);
  }
  closedir(directory);
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

Status EpochFiles::Create(uint64_t epoch, const EpochHolder& holder, Instant now) {
  const std::string name = NameOf(epoch);
  Descriptor file(openat(folder_->descriptor.get(), name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) {
    if (errno == EEXIST) return Error{Code::kAlreadyExists, folder_->path + "/" + name + " exists"};
    return Failed(epoch, "creating");
  }
  // Nobody asks for the lock before the holder stands there.
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return Failed(epoch, "locking");
  const std::string begin = StampOf(now) + Framed(Frame::kHolder, TextOf(holder));
  if (!WriteAt(file.get(), begin, 0)) return Failed(epoch, "writing");
  if (synced_ && (fdatasync(file.get()) != 0 || fsync(folder_->descriptor.get()) != 0)) {
    return Failed(epoch, "syncing");
  }
  epoch_ = epoch;
  file_ = std::move(file);
  end_ = static_cast<int64_t>(begin.size());
  return {};
}

void EpochFiles::Move(std::shared_ptr<const Folder> folder) {
  folder_ = std::move(folder);
  file_ = Descriptor();
  epoch_ = 0;
  end_ = 0;
  last_read_ = {};
  listing_.reset();
}

Result<EpochContent> EpochFiles::Read(uint64_t epoch) {
  const Result<std::string> bytes = ReadWhole(*folder_, NameOf(epoch), kMaxBytes);
  if (!bytes) return bytes.error();
  return Parse(epoch, *bytes);
}

Result<EpochContent> EpochFiles::ReadHead(uint64_t epoch) {
  const Descriptor file(openat(folder_->descriptor.get(), NameOf(epoch).c_str(),
                               O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) {
    const bool missing = errno == ENOENT;
    const Error error = Failed(epoch, "opening");
    return missing ? Error{Code::kNotFound, error.message} : error;
  }
  std::string head(kHeadBytes, '\0');
  const ssize_t size = pread(file.get(), head.data(), head.size(), 0);
  if (size < 0) return Failed(epoch, "reading");
  head.resize(static_cast<size_t>(size));
  EpochContent content = Parse(epoch, head);
  content.snapshot.reset();
  content.records.clear();
  return content;
}

EpochContent EpochFiles::Parse(uint64_t epoch, std::string_view bytes) {
  EpochContent content;
  std::string_view rest = bytes;
  if (rest.size() < kStampBytes) return content;
  const uint64_t stamp = LittleEndian(rest.substr(0, 8));
  // A stamp that is no stamp counts as one from the future: the reader waits a lease.
  content.renewed = Instant(LittleEndian(rest.substr(8, 8)) == ~stamp ? static_cast<int64_t>(stamp)
                                                                      : Instant::max().count());
  rest.remove_prefix(kStampBytes);
  while (rest.size() >= kFrameHead) {
    const uint64_t size = LittleEndian(rest.substr(0, 4));
    if (rest.size() - kFrameHead < size) break;
    const std::string_view body = rest.substr(kFrameHead - 1, size + 1);
    if (Crc32c(body) != LittleEndian(rest.substr(4, 4))) break;
    const std::string_view payload = body.substr(1);
    const auto kind = static_cast<Frame>(body[0]);
    if (kind == Frame::kHolder && !content.holder) {
      const auto parsed = ParseHolder(payload);
      if (!parsed) break;
      content.holder = parsed->first;
      last_read_ = {epoch, parsed->first, parsed->second};
    } else if (kind == Frame::kSnapshot) {
      content.snapshot = payload;
      content.records.clear();
    } else if (kind == Frame::kRecord) {
      content.records.emplace_back(payload);
    }
    rest.remove_prefix(kFrameHead + size);
  }
  return content;
}

bool EpochFiles::HasEnded(const EpochHolder& holder) {
  if (last_read_.holder != holder) return false;
  if (ProcessHasEnded(last_read_.process)) return true;
  const Descriptor file(openat(folder_->descriptor.get(), NameOf(last_read_.epoch).c_str(),
                               O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  return file.valid() && flock(file.get(), LOCK_SH | LOCK_NB) == 0;
}

std::string EpochFiles::Framed(Frame kind, std::string_view bytes) {
  std::string body(1, static_cast<char>(kind));
  body.append(bytes);
  std::string frame;
  frame.reserve(kFrameHead + bytes.size());
  AppendLittleEndian(frame, bytes.size(), 4);
  AppendLittleEndian(frame, Crc32c(body), 4);
  return frame + body;
}

Status EpochFiles::AppendFrame(Frame kind, std::string_view bytes) {
  if (!file_.valid()) return Error{Code::kUnavailable, "no epoch was created by this process"};
  if (bytes.size() > UINT32_MAX) {
    return Error{Code::kLimitExceeded, "more than 4 GiB in one record of an epoch"};
  }
  const std::string frame = Framed(kind, bytes);
  if (!WriteAt(file_.get(), frame, end_)) {
    const Error error = Failed(epoch_, "appending");
    if (ftruncate(file_.get(), end_) == 0) return error;
    return Error{Code::kUnknownOutcome, error.message};
  }
  if (synced_ && fdatasync(file_.get()) != 0) {
    return Error{Code::kUnknownOutcome, Failed(epoch_, "syncing").message};
  }
  end_ += static_cast<int64_t>(frame.size());
  return {};
}

Status EpochFiles::AppendSnapshot(std::string_view snapshot) {
  return AppendFrame(Frame::kSnapshot, snapshot);
}

Status EpochFiles::Append(std::string_view record) { return AppendFrame(Frame::kRecord, record); }

Status EpochFiles::Renew(Instant now) {
  if (!file_.valid()) return Error{Code::kUnavailable, "no epoch was created by this process"};
  if (now == Instant{} && before_given_back_) before_given_back_();
  if (!WriteAt(file_.get(), StampOf(now), 0)) return Failed(epoch_, "renewing");
  return {};
}

Result<bool> EpochFiles::IsNewest() {
  if (!file_.valid() || !InPlace(*folder_)) return false;
  struct stat held {
  }, named{};
  const int folder = folder_->descriptor.get();
  if (fstat(file_.get(), &held) != 0) return Failed(epoch_, "examining");
  if (fstatat(folder, NameOf(epoch_).c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;  // dropped by a later holder, or by somebody's cleaning up
    return Failed(epoch_, "examining");
  }
  if (held.st_ino != named.st_ino || held.st_dev != named.st_dev) return false;
  struct stat next {};
  if (fstatat(folder, NameOf(epoch_ + 1).c_str(), &next, AT_SYMLINK_NOFOLLOW) == 0) return false;
  if (errno != ENOENT) return Failed(epoch_ + 1, "examining");
  // Any other too, since a folder that was emptied may go on at any number.
  const Result<uint64_t> newest = Newest();
  if (!newest) return newest.error();
  return *newest == epoch_;
}

Result<uint64_t> EpochFiles::Newest() {
  // Each claim asks: to list the folder each time would cost more than all else that is done here.
  const auto now = std::chrono::steady_clock::now();
  struct stat folder {};
  if (fstat(folder_->descriptor.get(), &folder) != 0) {
    return Error{Code::kIo, folder_->path + ": examining: " + std::strerror(errno)};
  }
  const timespec& changed = folder.st_ctim;
  const bool same = listing_ && listing_->changed.tv_sec == changed.tv_sec &&
                    listing_->changed.tv_nsec == changed.tv_nsec;
  if (same && listing_->settled) return listing_->newest;
  const auto since = same ? listing_->since : now;
  const Result<std::vector<uint64_t>> epochs = Epochs();
  if (!epochs) return epochs.error();
  listing_ = Listing{changed, since, now - since >= kSettled, epochs->empty() ? 0 : epochs->back()};
  return listing_->newest;
}

void EpochFiles::Abandon() {
  const Result<bool> newest = IsNewest();
  if (newest && *newest) unlinkat(folder_->descriptor.get(), NameOf(epoch_).c_str(), 0);
  Move(folder_);
}

void EpochFiles::DropEarlier() {
  const Result<std::vector<uint64_t>> epochs = Epochs();
  if (!epochs) return;
  for (const uint64_t epoch : *epochs) {
    if (epoch < epoch_) unlinkat(folder_->descriptor.get(), NameOf(epoch).c_str(), 0);
  }
}

}  // namespace starling
