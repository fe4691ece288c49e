// The lease by a shared folder: processes that are killed or stand still inside any call to it.
#include "replication/folder_lease.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// What happens to a process inside a call.
struct Killed {};

/// One host: its folder, its clock, its processes. Each process counts upwards: a number is its
/// state, and a record.
class FolderWorld {
 public:
  struct Options {
    uint64_t seed = 1;
    int processes = 3;
    bool confirms = true;  ///< Replies wait for Confirm; false: the rule is left out.
    bool empties =
        false;  ///< Somebody removes the files now and then: what only they kept is gone.
    FolderLeaseRules rules = {};
  };

  explicit FolderWorld(Options options) : options_(options), random_(options.seed) {
    for (int i = 0; i < options.processes; ++i) {
      processes_.push_back(std::make_unique<Process>(*this, "p" + std::to_string(i)));
      Start(i);
    }
  }

  bool Chance(int per_mille) { return static_cast<int>(random_() % 1000) < per_mille; }
  int Draw() { return static_cast<int>(random_() % processes_.size()); }

  void Run(Instant time, bool faults) {
    faults_ = faults;
    for (const Instant end = now_ + time; now_ < end && violation_.empty();) Step(-1);
    faults_ = false;
  }

  void Start(int i) { processes_[i]->Start(++sessions_); }
  void Kill(int i) { processes_[i]->End(); }
  bool Up(int i) const { return processes_[i]->lease != nullptr; }
  void StartAll() {
    for (int i = 0; i < options_.processes; ++i) {
      if (!Up(i)) Start(i);
    }
  }
  /// Who has confirmed the lease within the last step; -1: nobody.
  int Holder() {
    for (int i = 0; i < options_.processes; ++i) {
      Process& process = *processes_[i];
      if (process.lease && process.lease->Holding(now_) && process.lease->Confirm(now_)) return i;
    }
    return -1;
  }
  bool RunUntil(const std::function<bool()>& done, Instant time) {
    for (const Instant end = now_ + time; now_ < end;) {
      if (done()) return true;
      Step(-1);
    }
    return done();
  }
  FolderLease& lease(int i) { return *processes_[i]->lease; }
  Instant now() const { return now_; }
  uint64_t acknowledged() const { return acknowledged_.size(); }
  uint64_t epochs() const { return files_.empty() ? 0 : files_.rbegin()->first; }
  size_t files() const { return files_.size(); }
  const std::string& violation() const { return violation_; }
  void EmptyFolder() {
    files_.clear();
    acknowledged_.clear();
  }
  void FillDisk(bool full) { full_ = full; }
  void Reboot() {
    for (int i = 0; i < options_.processes; ++i) Kill(i);
    ++boots_;
    now_ = seconds(1);
    StartAll();
  }
  void StandStill(int i, Instant time) { processes_[i]->stands_until = now_ + time; }

 private:
  struct File {
    std::optional<EpochHolder> holder;
    Instant renewed{};
    std::optional<std::string> snapshot;
    std::vector<std::string> records;
    uint64_t creation = 0;  // as an inode tells
  };

  /// A process, its view of the folder, and what it counts.
  struct Process final : EpochFolder, FolderLeaseHost {
    Process(FolderWorld& in, std::string called) : world(in), name(std::move(called)) {}

    void Start(uint64_t session) {
      number = 0;
      mine = 0;
      session_ = session;
      lease = std::make_unique<FolderLease>(
          FolderLease::Options{.self = {name, session, "boot " + std::to_string(world.boots_)},
                               .created = session == 1,
                               .rules = world.options_.rules},
          *this, *this, std::make_shared<spdlog::logger>(name));
    }
    void End() {
      if (lease) world.ended_.insert(session_);
      lease.reset();
    }

    // --- EpochFolder: each call may be the last, or take long ---
    Result<std::vector<uint64_t>> Epochs() override {
      world.Interrupt(*this);
      std::vector<uint64_t> epochs;
      for (const auto& [epoch, file] : world.files_) epochs.push_back(epoch);
      world.Interrupt(*this);
      return epochs;
    }
    Status Create(uint64_t epoch, const EpochHolder& holder, Instant now) override {
      world.Interrupt(*this);
      if (world.files_.contains(epoch)) return Error{Code::kAlreadyExists, "epoch"};
      mine = epoch;
      creation = ++world.creations_;
      world.files_[epoch].creation = creation;
      world.Interrupt(*this);
      if (File* file = Mine()) {
        file->holder = holder;
        file->renewed = now;
      }
      world.Interrupt(*this);
      return {};
    }
    Result<EpochContent> Read(uint64_t epoch) override {
      world.Interrupt(*this);
      const auto found = world.files_.find(epoch);
      if (found == world.files_.end()) return Error{Code::kNotFound, "epoch"};
      const File file = found->second;
      world.Interrupt(*this);
      return EpochContent{file.holder, file.renewed, file.snapshot, file.records};
    }
    Result<EpochContent> ReadHead(uint64_t epoch) override {
      Result<EpochContent> content = Read(epoch);
      if (content) {
        content->snapshot.reset();
        content->records.clear();
      }
      return content;
    }
    bool HasEnded(const EpochHolder& holder) override {
      return world.ended_.contains(holder.session);
    }
    Status AppendSnapshot(std::string_view snapshot) override {
      world.Interrupt(*this);
      if (world.full_) return Error{Code::kIo, "full"};
      if (File* file = Mine()) {
        file->snapshot = snapshot;
        file->records.clear();
      }
      world.Interrupt(*this);
      return {};
    }
    Status Append(std::string_view record) override {
      world.Interrupt(*this);
      if (world.full_) return Error{world.Chance(300) ? Code::kUnknownOutcome : Code::kIo, "full"};
      if (File* file = Mine()) file->records.emplace_back(record);
      world.Interrupt(*this);
      return {};
    }
    Status Renew(Instant now) override {
      world.Interrupt(*this);
      if (File* file = Mine()) file->renewed = now;
      return {};
    }
    Result<bool> IsNewest() override {
      world.Interrupt(*this);
      return Mine() != nullptr && world.files_.rbegin()->first == mine;
    }
    void Abandon() override {
      world.Interrupt(*this);
      if (*IsNewest()) world.files_.erase(mine);
      mine = 0;
    }
    void DropEarlier() override {
      world.files_.erase(world.files_.begin(), world.files_.lower_bound(mine));
    }

    // --- FolderLeaseHost ---
    Result<std::string> Snapshot() override { return std::to_string(number); }
    Status TakeOver(const EpochContent& earlier) override {
      number = std::max<uint64_t>(number, std::stoull(*earlier.snapshot));
      for (const std::string& record : earlier.records) {
        number = std::max<uint64_t>(number, std::stoull(record));
      }
      return {};
    }
    uint64_t KnownEpoch() override { return known; }
    Status WriteEpoch(uint64_t epoch) override {
      known = epoch;
      return {};
    }

    /// Null where the file was dropped: it is written to and nobody sees it.
    File* Mine() {
      const auto found = world.files_.find(mine);
      const bool there = found != world.files_.end() && found->second.creation == creation;
      return there ? &found->second : nullptr;
    }

    FolderWorld& world;
    std::string name;
    std::unique_ptr<FolderLease> lease;
    uint64_t number = 0;
    uint64_t mine = 0;
    uint64_t creation = 0;
    uint64_t known = 0;  // on its disk
    Instant stands_until{};

   private:
    uint64_t session_ = 0;
  };

  /// Inside a call of `process`: it dies, or stands still while the others go on.
  void Interrupt(Process& process) {
    if (!faults_ || depth_ > 2) return;
    if (Chance(1)) throw Killed{};
    if (!Chance(4)) return;
    ++depth_;
    process.stands_until = Instant::max();
    const Instant end =
        now_ +
        milliseconds(random_() % static_cast<uint64_t>(3 * limits::kLease / milliseconds(1)));
    while (now_ < end && violation_.empty()) Step(-1);
    process.stands_until = {};
    --depth_;
  }

  void Step(int) {
    now_ += milliseconds(1 + random_() % 20);
    CheckHolders();
    if (options_.empties && faults_ && now_ > emptied_ + kBetweenEmptyings && Chance(2)) {
      emptied_ = now_;
      EmptyFolder();
    }
    const int i = Draw();
    Process& process = *processes_[i];
    if (!process.lease) {
      if (faults_ && Chance(20)) Start(i);
      return;
    }
    if (now_ < process.stands_until) return;
    try {
      process.lease->OnTick(now_);
      Count(process);
      if (faults_ && Chance(2)) process.lease->Resign();
      if (faults_ && Chance(3)) throw Killed{};
    } catch (const Killed&) {
      process.End();
    }
  }

  /// Reads are answered by the clock alone: at most one process may go by its own.
  void CheckHolders() {
    const Process* holder = nullptr;
    for (const auto& process : processes_) {
      if (!process->lease || !process->lease->Holding(now_)) continue;
      if (holder != nullptr) violation_ = holder->name + " and " + process->name + " both answer";
      holder = process.get();
    }
  }

  /// A client's increment, which must be above all that was acknowledged before it began.
  void Count(Process& process) {
    const Instant began = now_;
    if (!process.lease->Holding(began)) return;
    const uint64_t floor = acknowledged_.empty() ? 0 : *acknowledged_.rbegin();
    const uint64_t number = process.number + 1;
    if (!process.lease->Keep(std::to_string(number), began)) return;
    process.number = number;
    if (options_.confirms && !process.lease->Confirm(now_)) return;
    if (number <= floor) {
      violation_ = process.name + " counts " + std::to_string(number) + " after " +
                   std::to_string(floor) + " was acknowledged";
    }
    if (!acknowledged_.insert(number).second) {
      violation_ = std::to_string(number) + " was acknowledged twice";
    }
  }

  /// A process that stood still must not have missed all that stood in the folder meanwhile.
  static constexpr Instant kBetweenEmptyings = seconds(10);

  Options options_;
  std::mt19937_64 random_;
  Instant emptied_{};
  Instant now_ = seconds(1);
  bool faults_ = false;
  bool full_ = false;
  int depth_ = 0;
  int boots_ = 1;
  uint64_t sessions_ = 0;
  uint64_t creations_ = 0;
  std::map<uint64_t, File> files_;
  std::set<uint64_t> ended_;  // sessions
  std::vector<std::unique_ptr<Process>> processes_;
  std::set<uint64_t> acknowledged_;
  std::string violation_;
};

TEST(FolderLease, OneProcessHasItAtOnce) {
  FolderWorld world({.processes = 1});
  ASSERT_TRUE(world.RunUntil([&] { return world.Holder() == 0; }, milliseconds(400)));
  EXPECT_EQ(world.lease(0).epoch(), 1u);
}

TEST(FolderLease, AfterADeathTheOthersGoOnAtOnce) {
  FolderWorld world({});
  ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, seconds(1)));
  world.Kill(world.Holder());
  EXPECT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, milliseconds(600)));
}

TEST(FolderLease, WhoStandsStillStopsTheOthersForOneLeaseAtMost) {
  FolderWorld world({});
  ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, seconds(1)));
  const int stopped = world.Holder();
  world.StandStill(stopped, seconds(60));
  const auto another = [&] { return world.Holder() >= 0 && world.Holder() != stopped; };
  EXPECT_TRUE(world.RunUntil(another, limits::kLease + milliseconds(600)));
  EXPECT_FALSE(world.lease(stopped).Confirm(world.now()));
}

TEST(FolderLease, AHostThatStandsStillCostsNobodyTheLease) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    FolderWorld world({.seed = seed});  // some have not looked yet
    ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, seconds(1)));
    const int holder = world.Holder();
    for (int i = 0; i < 3; ++i) world.StandStill(i, 2 * limits::kLease);
    world.Run(4 * limits::kLease, /*faults=*/false);
    EXPECT_EQ(world.Holder(), holder) << "seed " << seed;
    EXPECT_EQ(world.epochs(), 1u) << "seed " << seed;
  }
}

// But it is waited for once, and not by who is late each time.
TEST(FolderLease, WhoDoesNotGoOnWithItsHostIsFollowed) {
  FolderWorld world({.processes = 2});
  world.Run(seconds(1), /*faults=*/false);
  const int stopped = world.Holder();
  world.StandStill(stopped, seconds(60));
  const auto follows = [&] { return world.Holder() == 1 - stopped; };
  for (int i = 0; i < 4 && !follows(); ++i) {
    world.StandStill(1 - stopped, limits::kLease);
    world.RunUntil(follows, limits::kLease + milliseconds(100));
  }
  EXPECT_TRUE(follows());
}

TEST(FolderLease, IsGivenBackByWhoLeaves) {
  FolderWorld world({});
  ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, seconds(1)));
  world.lease(world.Holder()).Resign();
  EXPECT_EQ(world.Holder(), -1);
  EXPECT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, milliseconds(600)));
}

TEST(FolderLease, StampsOfAnotherBootHoldNobodyUp) {
  FolderWorld world({});
  world.Run(seconds(100), /*faults=*/false);
  const uint64_t before = world.acknowledged();
  world.Reboot();  // the boot's clock begins again, far below the stamp in the file
  ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, milliseconds(600)));
  world.Run(seconds(1), /*faults=*/false);
  EXPECT_GT(world.acknowledged(), before);
  EXPECT_EQ(world.violation(), "");
}

// What only the folder kept is gone then.
TEST(FolderLease, AFolderThatWasEmptiedGoesOnAboveAllThatWasKnown) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FolderWorld world({.seed = seed});
    world.Run(seconds(20), /*faults=*/true);
    world.StartAll();
    ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, 2 * limits::kLease));
    world.Run(seconds(1), /*faults=*/false);  // all have looked
    const uint64_t before = world.epochs();
    world.EmptyFolder();
    EXPECT_EQ(world.Holder(), -1);
    ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, 2 * limits::kLease));
    EXPECT_GT(world.epochs(), before) << "seed " << seed;
  }
}

// Who answers reads goes by its clock, and may not look at the folder for as long as that allows.
TEST(FolderLease, WhoseFolderIsEmptiedMayAnswerUntilItsTimeIsUpAndNobodyElseDoes) {
  FolderWorld world({.processes = 2});
  ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, seconds(1)));
  const int holder = world.Holder();
  world.Run(seconds(5), /*faults=*/false);  // both have looked
  world.StandStill(holder, seconds(60));
  world.EmptyFolder();
  ASSERT_TRUE(world.lease(holder).Holding(world.now())) << "its clock says so";
  ASSERT_TRUE(world.RunUntil([&] { return world.lease(1 - holder).Holding(world.now()); },
                             limits::kLease + milliseconds(600)));
  EXPECT_FALSE(world.lease(holder).Holding(world.now()));
  EXPECT_EQ(world.violation(), "");
}

TEST(FolderLease, OneAnswersHoweverOftenTheFolderIsEmptied) {  // I5
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    FolderWorld world({.seed = seed, .processes = 2 + static_cast<int>(seed % 3), .empties = true});
    world.Run(seconds(60), /*faults=*/true);
    ASSERT_EQ(world.violation(), "") << "seed " << seed;
  }
}

TEST(FolderLease, AFullDiskRefusesAndLosesNothing) {  // I13
  FolderWorld world({});
  world.Run(seconds(5), /*faults=*/false);
  world.FillDisk(true);
  const uint64_t before = world.acknowledged();
  world.Run(seconds(10), /*faults=*/false);
  EXPECT_EQ(world.acknowledged(), before);
  world.FillDisk(false);
  world.Run(seconds(10), /*faults=*/false);
  EXPECT_GT(world.acknowledged(), before);
  EXPECT_EQ(world.violation(), "");
}

TEST(FolderLease, NothingThatWasAcknowledgedIsLostOrDoubled) {  // I3, I4
  uint64_t acknowledged = 0, epochs = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    FolderWorld world({.seed = seed, .processes = 2 + static_cast<int>(seed % 3)});
    world.Run(seconds(60), /*faults=*/true);
    ASSERT_EQ(world.violation(), "") << "seed " << seed;
    world.StartAll();
    ASSERT_TRUE(world.RunUntil([&] { return world.Holder() >= 0; }, 2 * limits::kLease))
        << "seed " << seed << ": nobody leads";
    world.Run(seconds(1), /*faults=*/false);
    ASSERT_EQ(world.violation(), "") << "seed " << seed;
    EXPECT_LE(world.files(), 3u) << "old epochs stay";
    acknowledged += world.acknowledged();
    epochs += world.epochs();
  }
  EXPECT_GT(acknowledged, 300'000u);
  EXPECT_GT(epochs, 3'000u);
}

/// Seeds of 300 in which something is lost or doubled.
int Violations(FolderWorld::Options options) {
  int violations = 0;
  for (options.seed = 1; options.seed <= 300; ++options.seed) {
    FolderWorld world(options);
    world.Run(seconds(60), /*faults=*/true);
    if (!world.violation().empty()) ++violations;
  }
  return violations;
}

TEST(FolderLease, EachRuleLeftOutLosesSomething) {  // mutation check of I3, I4
  EXPECT_GT(Violations({.confirms = false}), 100);
  EXPECT_GT(Violations({.rules = {.unfinished_epochs_are_passed_over = false}}), 30);
  // These show where the lease moves often.
  EXPECT_GT(
      Violations({.rules = {.earlier_epochs_are_kept = false, .holders_are_waited_for = false}}),
      10);
  EXPECT_GT(
      Violations({.rules = {.vacancy_is_seen_twice = false, .holders_are_waited_for = false}}), 0);
  EXPECT_GT(Violations({.empties = true, .rules = {.emptied_folders_wait = false}}), 30);
}

}  // namespace
}  // namespace starling
