#include "tests/sim/orders.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "node/ordering/deciding_desk.h"
#include "storage/held_shards.h"
#include "storage/speculation.h"

namespace starling::sim {
namespace {

std::vector<std::string> Split(const std::string& request) {
  std::istringstream in(request);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string Incremented(Access access, const KeyRef& key) {
  (void)access.Increment(key, 1);
  std::string buffer;
  const auto view = access.Find(key);
  return view ? std::string(view->Text(buffer)) : "nil";
}

/// The number that a request at level `leased` begins with, which is taken off; 0: it is not.
uint64_t TakeLeased(std::vector<std::string>& words) {
  if (words[0] != "leased") return 0;
  const uint64_t number = std::stoull(words[1]);
  words.erase(words.begin(), words.begin() + 2);
  return number;
}

bool OnlyReads(const std::string& request) {
  std::vector<std::string> words = Split(request);
  (void)TakeLeased(words);
  return words[0] == "get";
}

/// By which one that waits is known where it is asked again; empty: it is no such request.
std::string NameOf(const std::string& request) {
  const std::vector<std::string> words = Split(request);
  return words[0] == "take" ? words[2] : std::string();
}

/// Runs it on the keyspace; the shards of its keys are held.
std::string RunWords(Keyspace& keyspace, const std::vector<std::string>& words) {
  const KeyRef key = keyspace.Ref(Orders::kDatabase, words[1]);
  if (words[0] == "once") {
    const auto token = keyspace.Lock(key).Claim(key, words[2], 0);
    if (!token) return "nil";
    const KeyRef counter = keyspace.Ref(Orders::kDatabase, words[3]);
    (void)keyspace.Lock(counter).Increment(counter, 1);
    return "OK " + std::to_string(token->value);
  }
  if (words[0] == "exec") {
    keyspace.Lock(key).SetString(key, words[2]);
    const KeyRef counter = keyspace.Ref(Orders::kDatabase, words[3]);
    return "OK " + Incremented(keyspace.Lock(counter), counter);
  }
  Access access = keyspace.Lock(key);
  const auto view = access.Find(key);
  std::string buffer;
  const auto text = view ? std::optional<std::string>(view->Text(buffer)) : std::nullopt;
  if (words[0] == "get") return text.value_or("nil");
  if (words[0] == "take") {
    if (text) access.Delete(key);
    return text.value_or("nil");
  }
  if (words[0] == "incr") return Incremented(std::move(access), key);
  if (words[0] == "swap") {
    if (text != words[2]) return "0";
    access.SetString(key, words[3]);
    return "1";
  }
  if (words[0] == "claim") {
    if (view) return "nil";
    const auto token = access.Claim(key, words[2], std::stoll(words[3]));
    return "OK " + std::to_string(token->value);
  }
  if (words[0] == "set") {
    access.SetString(key, words[2]);
    return "OK";
  }
  if (words[0] == "release" && text != words[2]) return "0";
  return access.Delete(key) ? "1" : "0";
}

}  // namespace

void Orders::Ask(const std::string& request, Instant now, Effects& effects, Done done) {
  const bool leads = replicator_.LeadsEpoch(now) != 0;
  const uint64_t id = ++last_own_;
  own_[id] = {request, now + LimitOf(request, leads), std::move(done), false};
  Route(id, now, effects);
  if (leads) Settle(now, effects);
}

void Orders::Route(uint64_t id, Instant now, Effects& effects) {
  now_ = now;
  const Own& own = own_.at(id);
  if (replicator_.LeadsEpoch(now) != 0) {
    Running order;
    order.id = id;
    order.request = own.request;
    return Begin(std::move(order), now);
  }
  Order order;
  order.client = id;
  order.request = own.request;
  order.repeatable = OnlyReads(own.request);
  order.timeout = own.until - now;
  order.waits = !NameOf(own.request).empty();
  order.in_doubt = own.in_doubt;
  std::vector<std::pair<uint64_t, Order>> orders;
  orders.emplace_back(id, std::move(order));
  replicator_.Submit(std::move(orders), now, effects);
}

void Orders::OnEffect(const Effect& effect, Instant now, Effects& effects) {
  now_ = now;
  if (const auto* run = std::get_if<RunOrdersEffect>(&effect)) {
    for (const RemoteOrder& remote : run->orders) {
      Running order;
      order.peer = run->peer;
      order.id = remote.id;
      order.request = remote.request;
      Begin(std::move(order), now);
    }
  } else if (const auto* ended = std::get_if<OrderEffect>(&effect)) {
    const auto own = own_.find(ended->number);
    if (ended->result == OrderResult::kAskHere && own != own_.end()) {
      own->second.in_doubt = true;
      if (RouteAgain(ended->number, effects)) return Settle(now, effects);
    }
    const bool answered = ended->result == OrderResult::kDone;
    const bool refused = ended->result == OrderResult::kNotRun;
    EndOwn(ended->number,
           answered  ? Outcome::kAnswered
           : refused ? Outcome::kRefused
                     : Outcome::kUnknown,
           ended->text);
  } else if (const auto* lease = std::get_if<LeaseEffect>(&effect)) {
    OnLease(lease->view, now);
  } else if (const auto* held = std::get_if<MajorityEffect>(&effect)) {
    const bool leads = replicator_.LeadsEpoch(now) == held->epoch;
    if (!leads || claims_.lease().epoch != held->epoch) return;
    decided_ = claims_.Decide(held->upto) || decided_;
  } else {
    return;
  }
  Settle(now, effects);
}

void Orders::OnTick(Instant now, Effects& effects) {
  now_ = now;
  Settle(now, effects);
}

Instant Orders::NextTimer() const {
  Instant next = Instant::max();
  if (const auto lapse = claims_.NextLapse()) next = std::min<Instant>(next, *lapse);
  if (!held_back_.empty()) next = std::min(next, held_back_.front().began + kMajorityWait);
  if (!pending_.empty()) next = std::min(next, pending_.front().asked + kMajorityWait);
  if (!waiting_.empty()) next = std::min(next, waiting_.front().began + kTakeWait);
  if (!ended_.empty()) next = std::min(next, hand_back_);
  next = std::min(next, asks_at_);
  return next;
}

void Orders::RemoveRecords(const Keyspace::Stability& stability, Instant now) {
  if (replicator_.LeadsEpoch(now) == 0) return;
  Records& records = store_.keyspace().records();
  const std::vector<RecordId> removable = records.Removable(stability);
  if (removable.empty()) return;
  records.Remove(removable);
  (void)commit_();
}

void Orders::Begin(Running order, Instant now) {
  order.epoch = replicator_.LeadsEpoch(now);
  order.began = now;
  if (order.epoch == 0) return Finish(std::move(order), OrderOutcome::kNotRun);
  Continue(std::move(order), now);
}

void Orders::Continue(Running order, Instant now) {
  const auto earlier = FindEarlier(order);
  switch (earlier ? *earlier : RunOnce(order)) {
    case Progress::kDone:
      return Finish(std::move(order), OrderOutcome::kDone);
    case Progress::kHeldBack:
      return held_back_.push_back(std::move(order));
    case Progress::kWaits:
      return waiting_.push_back(std::move(order));
    case Progress::kPending:
      order.asked = now;
      return pending_.push_back(std::move(order));
  }
}

std::optional<Orders::Progress> Orders::FindEarlier(Running& order) {
  const std::string name = NameOf(order.request);
  if (name.empty()) return std::nullopt;
  const auto noted = store_.keyspace().records().FindNoted(name);
  order.in_doubt = noted && !noted->decided;
  if (!noted) return std::nullopt;
  order.saw_claim = true;
  order.reply = noted->answer;
  return noted->decided ? Progress::kDone : Progress::kHeldBack;
}

/// First come, first served.
void Orders::ServeWaiting(Instant now) {
  for (Running& order : std::exchange(waiting_, {})) {
    switch (RunOnce(order)) {
      case Progress::kPending:
        order.asked = now;
        pending_.push_back(std::move(order));
        break;
      case Progress::kDone:
        Finish(std::move(order), OrderOutcome::kDone);
        break;
      default:
        if (now >= order.began + kTakeWait) {
          order.reply = "nil";
          Finish(std::move(order), OrderOutcome::kDone);
        } else {
          waiting_.push_back(std::move(order));
        }
    }
  }
}

Orders::Progress Orders::RunOnce(Running& order) {
  std::vector<std::string> words = Split(order.request);
  order.leased = TakeLeased(words);
  if (order.leased != 0 && watch_ != nullptr) watch_->OnTurn(store_, order.epoch);
  Keyspace& keyspace = store_.keyspace();
  const KeyRef key = keyspace.Ref(Orders::kDatabase, words[1]);
  DecidingDesk desk(keyspace, order.epoch, claims_.Begun(order.epoch));
  std::vector<KeyRef> keys = {key, keyspace.records().key()};
  if (words[0] == "once" || words[0] == "exec") {
    keys.push_back(keyspace.Ref(Orders::kDatabase, words[3]));
  }
  const HeldShards held(keyspace, keys);
  Speculation speculation(keyspace);
  if (order.leased == 0) desk.RequireMajority();
  const std::string name = NameOf(order.request);
  desk.AnswerAgain(name, order.reply, 0);
  Running* next = nullptr;
  std::string next_name;
  if (name.empty()) {
    desk.BeforeRecord([&] {
      next = HandOver(words[1], order.epoch);
      if (next == nullptr) return;
      next_name = NameOf(next->request);
      desk.AnswerAgain(next_name, next->reply, 0);
    });
  }
  order.reply = RunWords(keyspace, words);
  const bool wrote = speculation.wrote();
  std::string_view refusal;
  desk.Conclude(speculation, refusal);
  if (desk.undone()) return Progress::kHeldBack;
  if (!refusal.empty()) {
    order.reply = "refused";
    return Progress::kDone;
  }
  if (order.leased != 0 && watch_ != nullptr) watch_->OnRan(order.leased, order.epoch, wrote);
  order.saw_claim = desk.saw_claim();
  if (!name.empty() && !desk.written()) return Progress::kWaits;
  if (!desk.written()) return Progress::kDone;
  claims_.Add(*desk.written());
  order.record = desk.written()->stamp;
  if (next != nullptr) {
    next->record = order.record;
    next->asked = now_;
    next->saw_claim = true;
    pending_.push_back(std::move(*next));
    std::erase_if(waiting_, [&](const Running& one) { return &one == next; });
  }
  return Progress::kPending;
}

Orders::Running* Orders::HandOver(const std::string& key, uint64_t epoch) {
  for (Running& waiting : waiting_) {
    const std::vector<std::string> words = Split(waiting.request);
    if (words[1] != key || waiting.epoch != epoch) continue;
    waiting.reply = RunWords(store_.keyspace(), words);
    return waiting.reply == "nil" ? nullptr : &waiting;
  }
  return nullptr;
}

void Orders::Settle(Instant now, Effects& effects) {
  const uint64_t epoch = replicator_.LeadsEpoch(now);
  GiveBack(epoch);
  decided_ = claims_.DecideEarlier().any() || decided_;
  std::erase_if(pending_, [&](Running& order) {
    if (!claims_.Decided(order.epoch, order.record)) return false;
    order.decided = true;
    Finish(std::move(order), OrderOutcome::kDone);
    return true;
  });
  std::erase_if(pending_, [&](Running& order) {
    if (now < order.asked + kMajorityWait) return false;
    Finish(std::move(order), OrderOutcome::kForgotten);  // its record stays undecided
    return true;
  });
  const uint64_t decisions = store_.keyspace().records().decisions();
  if (std::exchange(decisions_, decisions) != decisions || !held_back_.empty()) {
    for (Running& order : std::exchange(held_back_, {})) Continue(std::move(order), now);
  }
  std::erase_if(held_back_, [&](Running& order) {
    if (now < order.began + kMajorityWait) return false;
    order.reply = "refused";
    Finish(std::move(order), order.in_doubt ? OrderOutcome::kForgotten : OrderOutcome::kDone);
    return true;
  });
  ServeWaiting(now);
  if (epoch != 0 && epoch == claims_.lease().epoch) claims_.EndLapsed(now);
  // With `always`, batches go out before they are synced, replies after that.
  if (!ended_.empty() && Syncs()) HandBackDecided(now, effects);
  if (now >= hand_back_) HandBack(now, effects);
  // The verdicts.
  if (std::exchange(decided_, false)) (void)commit_();
  AskMajority(now, effects);
}

void Orders::AskMajority(Instant now, Effects& effects) {
  const bool syncs = Syncs();
  if (claims_.waits() && (syncs ? store_.journal().Log().ok() : commit_())) {
    if (const auto wanted = claims_.TakeWanted()) {
      wanted_ = {claims_.lease().epoch, *wanted};
      // The disk syncs what is on its way to the members meanwhile.
      if (!syncs) asks_at_ = now;
      if (asks_at_ == Instant::max()) asks_at_ = now + DiskDelay();
    }
  }
  if (now < asks_at_) return;
  if (syncs && !commit_()) {
    asks_at_ = now + DiskDelay();
    return;
  }
  asks_at_ = Instant::max();
  replicator_.AwaitMajority(wanted_.epoch, wanted_.upto, now, effects);
}

void Orders::OnLease(const LeaseView& lease, Instant now) {
  claims_.SetLease(lease);
  GiveBack(replicator_.LeadsEpoch(now));
}

void Orders::GiveBack(uint64_t epoch) {
  std::erase_if(held_back_, [&](Running& order) {
    if (order.epoch == epoch) return false;
    Finish(std::move(order), OrderOutcome::kNotRun);
    return true;
  });
  std::erase_if(waiting_, [&](Running& order) {
    if (order.epoch == epoch) return false;
    Finish(std::move(order), OrderOutcome::kNotRun);
    return true;
  });
  std::erase_if(pending_, [&](Running& order) {
    if (order.epoch == epoch) return false;
    Finish(std::move(order), OrderOutcome::kForgotten);  // the next leaseholder decides
    return true;
  });
}

std::chrono::nanoseconds Orders::DiskDelay() {
  using std::chrono::milliseconds;
  if (random_.Chance(100)) return random_.Between(milliseconds(0), milliseconds(20));
  return random_.Between(std::chrono::microseconds(0), std::chrono::microseconds(500));
}

void Orders::Finish(Running order, OrderOutcome outcome) {
  if (ended_.empty()) hand_back_ = now_ + DiskDelay();
  ended_.emplace_back(std::move(order), outcome);
}

void Orders::HandBack(Instant now, Effects& effects) {
  if (ended_.empty()) return;
  const bool committed = commit_();
  Deliver(std::exchange(ended_, {}), committed, now, effects);
}

void Orders::HandBackDecided(Instant now, Effects& effects) {
  const bool logged = store_.journal().Log().ok();  // HandBack says where it fails
  const auto decided = std::stable_partition(ended_.begin(), ended_.end(),
                                             [](const auto& one) { return !one.first.decided; });
  Ended ended(std::make_move_iterator(decided), std::make_move_iterator(ended_.end()));
  ended_.erase(decided, ended_.end());
  if (!ended.empty()) Deliver(std::move(ended), logged, now, effects);
}

void Orders::Deliver(Ended ended, bool committed, Instant now, Effects& effects) {
  const Stamp upto = store_.journal().upto();
  const uint64_t epoch = replicator_.LeadsEpoch(now);
  for (auto& [order, outcome] : ended) {
    if (outcome == OrderOutcome::kDone && !committed) outcome = OrderOutcome::kForgotten;
    if (outcome == OrderOutcome::kDone && !claims_.StillOrdered(order.epoch, epoch)) {
      outcome = OnlyReads(order.request) ? OrderOutcome::kNotRun
                : order.saw_claim        ? OrderOutcome::kForgotten
                                         : OrderOutcome::kUnordered;
      if (outcome == OrderOutcome::kNotRun && !order.peer) {
        Route(order.id, now, effects);
        continue;
      }
    }
    const bool lost = outcome == OrderOutcome::kForgotten;
    if (const auto own = own_.find(order.id); !order.peer && own != own_.end()) {
      own->second.in_doubt = own->second.in_doubt || lost;
      const bool again = lost || outcome == OrderOutcome::kNotRun;
      if (again && RouteAgain(order.id, effects)) continue;
    }
    if (order.leased != 0 && committed && watch_ != nullptr) {
      watch_->OnReply(order.leased, store_.origin(), upto, outcome == OrderOutcome::kDone);
    }
    if (order.peer) {
      replicator_.OnExecuted(*order.peer, {{order.id, outcome, order.reply}}, upto, now, effects);
      continue;
    }
    EndOwn(order.id,
           outcome == OrderOutcome::kDone                           ? Outcome::kAnswered
           : outcome == OrderOutcome::kNotRun && !InDoubt(order.id) ? Outcome::kRefused
                                                                    : Outcome::kUnknown,
           order.reply);
  }
}

bool Orders::InDoubt(uint64_t id) const {
  const auto own = own_.find(id);
  return own != own_.end() && own->second.in_doubt;
}

bool Orders::RouteAgain(uint64_t id, Effects& effects) {
  const auto own = own_.find(id);
  const bool waits = own != own_.end() && !NameOf(own->second.request).empty();
  const bool time_left = waits && now_ + 3 * kMajorityWait <= own->second.until;
  if (!time_left) return false;
  Route(id, now_, effects);
  return true;
}

void Orders::EndAll() {
  for (const auto& [id, own] : std::exchange(own_, {})) own.done(Outcome::kUnknown, {});
}

void Orders::EndOwn(uint64_t id, Outcome outcome, const std::string& reply) {
  const auto found = own_.find(id);
  if (found == own_.end()) return;
  const Done done = std::move(found->second.done);
  own_.erase(found);
  done(outcome == Outcome::kAnswered && reply == "refused" ? Outcome::kRefused : outcome, reply);
}

}  // namespace starling::sim
