#include "server/session.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "node/arguments.h"
#include "node/error_text.h"
#include "node/log_errors.h"
#include "node/reply.h"
#include "server/io_thread.h"
#include "server/order_errors.h"

namespace starling {
namespace {

/// Replies that gather before a turn is ended in the middle of a pipeline: a reader that keeps up
/// costs no more memory than this.
constexpr size_t kTurnBytes = 1 << 20;
/// What an output buffer may keep while nothing waits in it.
constexpr size_t kIdleOutput = 64 << 10;

/// What a browser sends that was lured here by a hostile page; Redis hangs up on it as well.
bool IsHttp(std::string_view word) {
  return (word.size() == 4 && IsWord(word, "post")) || (word.size() == 5 && IsWord(word, "host:"));
}

bool WouldBlock(int failure) { return failure == EAGAIN || failure == EWOULDBLOCK; }

}  // namespace

Session::Session(IoThread& thread, Descriptor socket, ClientState state)
    : thread_(thread),
      socket_(std::move(socket)),
      state_(std::move(state)),
      transaction_(std::make_unique<ClientTransaction>(thread.shared().store.keyspace())) {
  thread_.loop().Watch(socket_.get(), this, {});
}

void Session::OnReady(const EventLoop::Ready& ready) {
  if (closed_) return;
  if (blocked_ && (ready.writable || ready.broken)) Send();
  const bool reads = !closed_ && !more_ && !paused_ && waits_for_ == 0 && !state_.close_after_reply;
  if (reads && (ready.readable || ready.broken)) {
    Read();
  } else if (ready.broken && !more_) {
    Close();
  } else if (waits_for_ != 0 && ready.readable) {
    UpdateInterest();  // most clients send nothing while they wait: only now is it worth a call
  }
}

void Session::Read() {
  InputBuffer::Space space = input_.Prepare(parser_.missing());
  const ssize_t count = ::recv(socket_.get(), space.data, space.size, 0);
  if (count < 0 && (WouldBlock(errno) || errno == EINTR)) return;
  if (count <= 0) return Close();
  input_.Commit(static_cast<size_t>(count));
  thread_.counters().bytes_in.Add(static_cast<uint64_t>(count));
  state_.last_active = thread_.services().turn_began();
  Execute();
}

void Session::Resume() {
  if (closed_ || waits_for_ != 0 || (!more_ && !paused_)) return;
  more_ = false;
  paused_ = false;
  Execute();
  UpdateInterest();
}

void Session::Execute() {
  while (!closed_ && !state_.close_after_reply && waits_for_ == 0 && ParseBatch()) {
    if (!RunBatch() || thread_.batch().exhausted) break;
  }
  if (!closed_ && !order_.empty()) SubmitOrder();
  const size_t limit = thread_.settings().client_query_buffer_limit;
  if (!closed_ && input_.size() + transaction_->bytes() > limit) {
    CutOff("a request or transaction above client-query-buffer-limit");
  }
  input_.Rest();
}

bool Session::ParseBatch() {
  RespLimits limits;
  limits.max_bulk = thread_.settings().proto_max_bulk_len;
  limits.authenticated = state_.authenticated;
  RequestBatch& batch = thread_.batch();
  batch.Clear();
  // What AUTH changes counts for the very next request.
  const size_t most = state_.authenticated ? RequestBatch::kMost : 1;
  std::string_view rest = input_.view();
  const size_t whole = rest.size();
  while (batch.requests.size() < most) {
    const size_t first = batch.words.size();
    RespParser::Outcome outcome = parser_.Next(rest, limits, batch.words);
    if (outcome == RespParser::Outcome::kProtocolError) {
      // Behind other requests it is found again, and told, when its turn comes.
      if (batch.requests.empty()) RefuseProtocol();
      break;
    }
    rest.remove_prefix(parser_.consumed());
    batch.exhausted = outcome == RespParser::Outcome::kIncomplete;
    if (batch.exhausted) break;
    batch.requests.push_back({first, batch.words.size() - first, whole - rest.size()});
    if (parser_.was_inline()) break;  // its words end with the next call
  }
  batch.end = whole - rest.size();
  if (batch.requests.empty()) input_.Consume(batch.end);
  return !batch.requests.empty();
}

void Session::RefuseProtocol() {
  const size_t start = out_.size();
  Reply(out_, state_.protocol).Error(parser_.error());
  thread_.shared().errors.Count(std::string_view(out_).substr(start));
  ++turn_replies_;
  state_.close_after_reply = true;
  JoinTurn();
}

void Session::PrefetchKeys() {
  // The first argument is a key more often than not; where it is none, the hint does no harm.
  const RequestBatch& batch = thread_.batch();
  if (batch.requests.size() < 2) return;
  const Keyspace& keyspace = thread_.shared().store.keyspace();
  for (const RequestBatch::Request& request : batch.requests) {
    if (request.words < 2) continue;
    keyspace.Prefetch(keyspace.Ref(state_.database, batch.words[request.first_word + 1]));
  }
}

bool Session::RunBatch() {
  const RequestBatch& batch = thread_.batch();
  PrefetchKeys();
  JoinTurn();
  size_t done = 0;  // bytes
  for (const RequestBatch::Request& request : batch.requests) {
    Arguments words(batch.words.data() + request.first_word, request.words);
    const CommandTable::Resolved resolved = thread_.shared().commands.Resolve(words);
    if (MustWait(resolved)) break;
    const Gathered gathered = Gather(resolved, words);
    if (gathered == Gathered::kLater) break;
    if (gathered != Gathered::kNo) {
      done = request.end;
      if (gathered == Gathered::kLast || order_.bytes() > kTurnBytes) break;
      continue;
    }
    if (!order_.empty()) break;  // its answers come first
    const bool ran = RunOne(resolved, words, done);
    done = request.end;
    if (!ran) break;
    if (closed_) return false;
    if (state_.close_after_reply) break;
    more_ = out_.size() - committed_ > kTurnBytes;
    if (more_) break;
  }
  if (done == batch.requests.back().end && !more_) {
    input_.Consume(batch.end);
    return !state_.close_after_reply;
  }
  // What was parsed ahead is parsed again when its turn comes.
  parser_.Reset();
  input_.Consume(done);
  return false;
}

/// Whether CLIENT PAUSE holds this request.
bool Session::MustWait(const CommandTable::Resolved& resolved) {
  SharedState& shared = thread_.shared();
  if (!shared.pause.active()) return false;
  uint32_t flags = resolved.row == nullptr ? 0 : resolved.row->flags;
  if ((flags & kAtOnce) != 0) flags |= transaction_->flags();  // EXEC
  if (!shared.pause.Holds(flags, thread_.Now())) return false;
  paused_ = true;
  thread_.AddPaused(*this);
  return true;
}

bool Session::UsesKeys(const CommandTable::Resolved& resolved) const {
  const CommandSpec* row = resolved.row;
  if (row == nullptr) return false;
  const uint32_t flags = (row->flags & kAtOnce) != 0 ? transaction_->flags() : row->flags;
  return (flags & (kWrite | kReadOnly | kMayWrite)) != 0;
}

bool Session::MayWrite(const CommandTable::Resolved& resolved) const {
  if (resolved.row == nullptr) return false;
  return ((resolved.row->flags | transaction_->flags()) & (kWrite | kMayWrite)) != 0;
}

bool Session::MayRunBesideScript(const CommandTable::Resolved& resolved) const {
  const CommandSpec* row = resolved.row;
  if (row == nullptr) return true;
  // What is watched is kept with the keys.
  const auto is = [row](const char* name) { return std::strcmp(row->name, name) == 0; };
  const bool ends_watches = watches() && (is("unwatch") || is("discard") || is("reset"));
  return (row->flags & kAllowBusy) != 0 && row->first_key == 0 && !ends_watches;
}

bool Session::RunOne(const CommandTable::Resolved& resolved, Arguments words, size_t input) {
  if (IsHttp(words[0])) {
    CutOff("HTTP on the port for Redis clients");
    return true;
  }
  SharedState& shared = thread_.shared();
  const size_t start = out_.size();
  const uint64_t hard = thread_.settings().output_limit.hard;
  Reply reply(out_, state_.protocol, hard == 0 ? std::string::npos : sent_ + hard);
  const bool beside = MayRunBesideScript(resolved);
  const bool busy = !beside && !thread_.EnterKeyspace();
  if (busy && std::strcmp(resolved.row->name, "exec") == 0) {
    DropWatches();
    EndTransaction();
  }
  CommandContext context{shared.store, thread_.services(), state_,
                         reply,        thread_.random(),   *transaction_};
  ClaimDesk claims(ClaimsHere(resolved, words), &shared.orders->claim_patterns());
  context.claims = &claims;
  NoteOrdered(resolved, claims.kind() == ClaimDesk::Kind::kElsewhere, start, input);
  const auto watched = watch_;
  const bool refused =
      !beside && thread_.turn_order().refuses() && RouteHere(resolved, words).ordered;
  const TurnOrder& turn = thread_.turn_order();
  const bool without =
      turn.epoch == 0 && !turn.lone && MayNeedMajority() && RouteHere(resolved, words).majority;
  if (busy) {
    Refuse(resolved, context, error_text::kBusy);
  } else if (refused || without) {
    Refuse(resolved, context, refused ? kNoLeaseholder : kNoLeaseholderForMajority);
  } else if (thread_.turn_without_log() && UsesKeys(resolved)) {
    Refuse(resolved, context, kNoLog);
  } else if (resolved.row != nullptr && !PrepareWatches(resolved, words)) {
    reply.NullArray();
  } else {
    turn_wrote_ = turn_wrote_ || MayWrite(resolved);
    const bool silent = state_.reply_mode != ClientState::ReplyMode::kOn;
    RunResolved(resolved, context, words);
    if (const auto begun = thread_.services().TakeUnblock()) {
      AwaitUnblock(*begun, silent);
      return false;
    }
    if (claims.undone()) {  // it needs a majority: the executor runs it whole
      out_.resize(start);
      order_own_ = true;
      watch_ = watched;
      AddToOrder(*resolved.row, words, {.ordered = true});
      return false;
    }
    if (!beside) thread_.NoteRun();
  }
  thread_.counters().commands_processed.Add(1);
  const bool above = reply.cut() || (hard != 0 && output_pending() > hard);
  if (above) {
    CutOff("replies above the hard output limit");
    return true;
  }
  if (out_.size() == start) return true;
  ++turn_replies_;
  if (out_[start] == '-') shared.errors.Count(std::string_view(out_).substr(start));
  return true;
}

void Session::NoteOrdered(const CommandTable::Resolved& resolved, bool leased, size_t reply,
                          size_t input) {
  if (!ordered_.any && !leased) return;
  const bool in_transaction = transaction_->open();
  const bool uses_keys =
      leased && UsesKeys(resolved) && (!in_transaction || (resolved.row->flags & kAtOnce) != 0);
  if (!ordered_.any) {
    if (!uses_keys) return;
    ordered_ = {true, true, reply - committed_, turn_replies_, state_.reply_mode};
    input_.KeepAfter(input);
  }
  ordered_.reads = ordered_.reads && uses_keys && !in_transaction && !MayWrite(resolved);
}

void Session::JoinTurn() {
  if (in_turn_) return;
  in_turn_ = true;
  thread_.JoinTurn(*this);
}

void Session::FinishTurn(const Status& committed, bool ordered) {
  in_turn_ = false;
  if (closed_) return;
  if (std::exchange(turn_wrote_, false) && committed.ok()) NoteWrittenHere();
  if (ordered_.any) {
    if (committed.ok() && !ordered) TakeBackOrdered();
    ordered_ = {};
    input_.Release();
  }
  if (!committed.ok()) {
    // Nobody may hear of what the log does not hold (I7).
    out_.resize(committed_);
    Reply reply(out_, state_.protocol);
    const std::string text = NotLogged(committed.error());
    for (size_t i = 0; i < turn_replies_; ++i) reply.Error(text);
  }
  committed_ = out_.size();
  turn_replies_ = 0;
  Send();
}

void Session::Send() {
  if (closed_) return;
  blocked_ = false;
  while (sent_ < committed_) {
    const ssize_t count =
        ::send(socket_.get(), out_.data() + sent_, committed_ - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && !WouldBlock(errno)) return Close();
    if (count < 0) {
      blocked_ = true;
      break;
    }
    sent_ += static_cast<size_t>(count);
    thread_.counters().bytes_out.Add(static_cast<uint64_t>(count));
  }
  if (sent_ == out_.size()) {
    out_.clear();
    if (out_.capacity() > kIdleOutput) out_.shrink_to_fit();
    sent_ = committed_ = 0;
  } else if (sent_ > kTurnBytes && sent_ > out_.size() / 2) {
    out_.erase(0, sent_);
    committed_ -= sent_;
    sent_ = 0;
  }
  if (state_.close_after_reply && !blocked_ && !in_turn_ && waits_for_ == 0) return Close();
  UpdateInterest();
}

/// Tells the loop what matters now, where that has changed.
void Session::UpdateInterest() {
  if (closed_) return;
  const bool read = !paused_ && waits_for_ == 0 && !state_.close_after_reply;
  // Who waits for long is let go when its client hangs up.
  const bool hangup = waits();
  if (read == watches_read_ && blocked_ == watches_write_ && hangup == watches_hangup_) return;
  watches_read_ = read;
  watches_write_ = blocked_;
  watches_hangup_ = hangup;
  thread_.loop().Change(socket_.get(), this, {read, blocked_, hangup});
}

void Session::CheckLimits(std::chrono::nanoseconds now, const Settings& settings) {
  if (closed_) return;
  const OutputLimit& limit = settings.output_limit;
  const size_t pending = output_pending();
  if (limit.hard != 0 && pending > limit.hard) {
    return CutOff("replies above the hard output limit");
  }
  if (limit.soft == 0 || pending <= limit.soft) {
    above_soft_since_ = std::chrono::nanoseconds(0);
  } else if (above_soft_since_.count() == 0) {
    above_soft_since_ = now;
  } else if (now - above_soft_since_ >= limit.soft_time) {
    return CutOff("replies above the soft output limit for too long");
  }
  const bool idle = settings.timeout.count() > 0 && now - state_.last_active > settings.timeout;
  if (idle && !paused_ && waits_for_ == 0) CutOff("idle for longer than timeout");
}

void Session::CutOff(std::string_view reason) {
  thread_.shared().clients_cut_off.fetch_add(1, std::memory_order_relaxed);
  Close(reason);
}

void Session::Close(std::string_view reason) {
  if (closed_) return;
  closed_ = true;
  DropWatches();
  if (!reason.empty()) {
    thread_.shared().log->warn("event=client_closed client={} peer={} reason=\"{}\"", state_.id,
                               state_.address, reason);
  }
  thread_.loop().Unwatch(socket_.get());
  socket_.Close();
  thread_.Bury(state_.id);
}

ClientInfo Session::Describe() const {
  ClientInfo info;
  info.state = state_;
  info.input_bytes = input_.size();
  info.output_bytes = output_pending();
  info.descriptor = socket_.get();
  info.waits = waits();
  if (transaction_->open()) info.queued = static_cast<int>(transaction_->size());
  info.queued_bytes = transaction_->queued_bytes();
  info.watch_touched = transaction_->watches().touched();
  return info;
}

}  // namespace starling
