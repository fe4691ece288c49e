/// What node/'s executor does with clients' requests, in a simulation: they run at the leaseholder,
/// whoever was asked, and what touches a claim waits for a majority.
///
/// The deciding is the production one (node/ordering/claim_decider.h, deciding_desk.h); the threads
/// and the commands around it are replaced by one queue and a handful of words. Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/ordering/claim_decider.h"
#include "replication/replicator.h"
#include "storage/store.h"
#include "tests/sim/random.h"

namespace starling::sim {

/// How a request ended for its client.
enum class Outcome : uint8_t {
  kAnswered,
  kRefused,  ///< It has done nothing.
  kUnknown,  ///< Nobody can say what it has done.
};

/// Hears what leaseholders do with requests at level `leased`, as they do it.
class LeasedWatch {
 public:
  virtual ~LeasedWatch() = default;
  /// The node of `store` is about to run one in `epoch`.
  virtual void OnTurn(Store& store, uint64_t epoch) = 0;
  /// The client's request `number` has been run; `wrote`: and has changed something.
  virtual void OnRan(uint64_t number, uint64_t epoch, bool wrote) = 0;
  /// The log of the stream `origin` holds it up to `upto`, and its reply goes out; `ordered`: as
  /// that of a leaseholder.
  virtual void OnReply(uint64_t number, const Origin& origin, Stamp upto, bool ordered) = 0;
};

/// Runs the requests of one life of one node. Requests are words with single spaces between them:
/// "get key", "claim key value millis" (SET NX PX; 0: no time to live; answers "OK token"),
/// "release key value" (the compare-and-delete script), "set key value", "delete key", "once key
/// value counter" (a script: SET NX and, where that granted, INCR), "take key name" (waits for the
/// key for up to kTakeWait and deletes it, as BLPOP does; `name` is never used twice, and by it the
/// next leaseholder knows what one before has done). Absent is answered by "nil".
/// All at level `majority`; those at level `leased` begin with "leased number": "get key", "set key
/// value", "incr key", "swap key old new" (a compare-and-set), "exec key value counter" (MULTI,
/// SET, INCR, EXEC).
class Orders {
 public:
  /// Where all keys are.
  static constexpr uint8_t kDatabase = 5;
  /// How long a client whose node does not lead waits for its answer, or one at level `leased`.
  static constexpr std::chrono::nanoseconds kAnswerWithin = std::chrono::seconds(3);
  /// How long the leaseholder waits for a majority to hold what a request wrote, and before that
  /// for what others wrote.
  static constexpr std::chrono::nanoseconds kMajorityWait = std::chrono::seconds(4);
  static constexpr std::chrono::nanoseconds kTakeWait = std::chrono::seconds(1);
  /// Where it is handed on from leaseholder to leaseholder, too.
  static constexpr std::chrono::nanoseconds kTakeWithin = std::chrono::seconds(20);
  /// How long the request of a client may take; `leads`: the client's node.
  static std::chrono::nanoseconds LimitOf(const std::string& request, bool leads) {
    if (request.starts_with("take ")) return kTakeWithin;
    return leads && !request.starts_with("leased ") ? 2 * kMajorityWait : kAnswerWithin;
  }

  using Done = std::function<void(Outcome outcome, const std::string& reply)>;

  /// `commit` commits the journal; false: it did not, or the process has died in it. `random` draws
  /// how long replies wait for the disk. `watch` may be null.
  Orders(Store& store, Replicator& replicator, Random random, LeasedWatch* watch,
         std::function<bool()> commit)
      : store_(store),
        replicator_(replicator),
        random_(random),
        watch_(watch),
        commit_(std::move(commit)),
        claims_(store.keyspace()) {}

  /// A client of this node asks. `done` is called once, perhaps at once; not if the process dies.
  void Ask(const std::string& request, Instant now, Effects& effects, Done done);
  /// An effect of the replicator's; what is not about orders is nothing to it.
  void OnEffect(const Effect& effect, Instant now, Effects& effects);
  /// Time has passed.
  void OnTick(Instant now, Effects& effects);
  /// When OnTick is due.
  Instant NextTimer() const;
  /// The process has ended: its clients do not know what became of what they asked.
  void EndAll();
  /// What leaseholders remove of decided records.
  void RemoveRecords(const Keyspace::Stability& stability, Instant now);

 private:
  struct Running {
    std::optional<PeerProcess> peer;  // none: an own client's
    uint64_t id = 0;
    std::string request;
    uint64_t epoch = 0;
    Instant began{};
    std::string reply;
    uint64_t leased = 0;  // its client's number for it, where that is its level
    bool saw_claim = false;
    Stamp record;           // that it waits for
    Instant asked{};        // since when a majority is
    bool decided = false;   // a majority holds what it wrote
    bool in_doubt = false;  // whether an earlier leaseholder has served it
  };
  /// A request of this node's own client.
  struct Own {
    std::string request;
    Instant until{};
    Done done;
    bool in_doubt = false;  // as above
  };
  enum class Progress : uint8_t { kDone, kHeldBack, kPending, kWaits };

  /// Runs it here, or at the leaseholder.
  void Route(uint64_t id, Instant now, Effects& effects);
  void Begin(Running order, Instant now);
  void Continue(Running order, Instant now);
  Progress RunOnce(Running& order);
  /// Of one that waits: what an earlier leaseholder has done for it; nullopt: nothing that counts.
  std::optional<Progress> FindEarlier(Running& order);
  void ServeWaiting(Instant now);
  /// What a request leaves at the key goes to who has waited longest for it, in the same record.
  /// nullptr: nobody waits, or there is nothing.
  Running* HandOver(const std::string& key, uint64_t epoch);
  /// What every turn of the executor's ends with.
  void Settle(Instant now, Effects& effects);
  void Finish(Running order, OrderOutcome outcome);
  /// How long the disk takes for what is to be answered next.
  std::chrono::nanoseconds DiskDelay();
  void OnLease(const LeaseView& lease, Instant now);
  void GiveBack(uint64_t epoch);
  using Ended = std::vector<std::pair<Running, OrderOutcome>>;
  void HandBack(Instant now, Effects& effects);
  /// What a majority holds is answered without waiting for the own disk.
  void HandBackDecided(Instant now, Effects& effects);
  void Deliver(Ended ended, bool committed, Instant now, Effects& effects);
  /// Whether batches are on their way while the own disk still syncs them.
  bool Syncs() const { return store_.journal().appendfsync() == AppendFsync::kAlways; }
  /// Waits for a majority as soon as the own disk has what it is to hold.
  void AskMajority(Instant now, Effects& effects);
  void EndOwn(uint64_t id, Outcome outcome, const std::string& reply);
  bool InDoubt(uint64_t id) const;
  /// Of this node's own client: one that waits and came back, perhaps in doubt, goes to whoever
  /// leads now, if there is time left.
  bool RouteAgain(uint64_t id, Effects& effects);

  Store& store_;
  Replicator& replicator_;
  Random random_;
  LeasedWatch* watch_;
  std::function<bool()> commit_;
  ClaimDecider claims_;
  std::deque<Running> held_back_;
  std::deque<Running> waiting_;
  std::vector<Running> pending_;
  Ended ended_;
  Instant now_{};        // of the input under way
  Instant hand_back_{};  // when their replies go out
  struct Wanted {
    uint64_t epoch = 0;
    Stamp upto;
  };
  Wanted wanted_;                     // of a majority...
  Instant asks_at_ = Instant::max();  // ...as soon as the disk is done, then
  std::map<uint64_t, Own> own_;
  uint64_t last_own_ = 0;
  uint64_t decisions_ = 0;
  bool decided_ = false;  // and not yet committed
};

}  // namespace starling::sim
