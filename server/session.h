/// One client's connection: reads requests, runs them, keeps the replies until they may leave.
///
/// Belongs to one I/O thread and is used on it only, under that thread's mutex (io_thread.h).
/// Replies of a turn leave together after the journal's commit (I7); a failed commit replaces them
/// (I13). Invariant (I9): input, with what MULTI has queued, is bounded by
/// `client-query-buffer-limit`, output by `client-output-buffer-limit`.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/claim_desk.h"
#include "node/client_state.h"
#include "node/client_transaction.h"
#include "node/command.h"
#include "node/node_services.h"
#include "node/ordering/order_codec.h"
#include "node/ordering/route.h"
#include "replication/replicator.h"
#include "server/descriptor.h"
#include "server/event_loop.h"
#include "server/input_buffer.h"
#include "server/resp_parser.h"
#include "server/services.h"
#include "server/settings.h"
#include "starling/result.h"
#include "storage/version_vector.h"

namespace starling {

class IoThread;

class Session {
 public:
  /// `socket` is connected and does not block; the session watches it from here on.
  Session(IoThread& thread, Descriptor socket, ClientState state);

  /// The loop has news of the socket: sends what waited, reads once and runs what has arrived.
  void OnReady(const EventLoop::Ready& ready);
  /// Goes on with requests that had to wait: for a turn's end, or for a CLIENT PAUSE.
  void Resume();
  /// Ends the turn: `committed` says whether the log has what its commands did, `ordered` whether
  /// the lease was held to the end. Sends the replies, or puts errors in their place.
  void FinishTurn(const Status& committed, bool ordered);
  /// The end of what was sent to the leaseholder for this client.
  void OnOrderEnd(OrderEffect end);
  /// The reply of a command that another thread answers (CLIENT UNBLOCK).
  void OnLaterReply(uint64_t number, std::string_view reply);
  /// Closes the socket; `reason` is logged where it is a fault of the client's. Idempotent.
  void Close(std::string_view reason = {});
  /// Closes after the replies of this turn have been sent (CLIENT KILL of itself).
  void CloseAfterReply() { state_.close_after_reply = true; }
  /// Once a second: idle time and slow reading.
  void CheckLimits(std::chrono::nanoseconds now, const Settings& settings);

  bool closed() const { return closed_; }
  /// Whether requests wait for Resume after this turn.
  bool has_more() const { return more_; }
  /// The order whose answer is awaited; 0: none.
  uint64_t waits_for() const { return waits_for_; }
  /// Whether it waits for something to take, or for members: for as long as its client wants.
  bool waits() const { return waits_for_ != 0 && order_blocks_; }
  /// Whether it does so at this node's executor; else at the leaseholder, or on the way there.
  bool waits_here() const { return order_own_; }
  /// That its client has sent so far.
  uint64_t commands() const { return state_.commands; }
  /// Whether keys are watched in this node's keyspace.
  bool watches() const { return !transaction_->watches().empty(); }
  uint64_t id() const { return state_.id; }
  ClientInfo Describe() const;
  /// Bytes that requests take: those not yet run, and those that wait for EXEC.
  size_t input_capacity() const {
    return input_.capacity() + transaction_->bytes() + order_.bytes() + order_bytes_;
  }
  size_t output_pending() const { return out_.size() - sent_; }

 private:
  void Read();
  /// Runs what has arrived, until it is used up or has to wait.
  void Execute();
  /// Parses some requests into the thread's batch; false when there is none.
  bool ParseBatch();
  /// Runs the batch; false where the rest has to wait or the session ends.
  bool RunBatch();
  /// False: it was not run, and is the order now. `input`: bytes that are yet to be consumed before
  /// it.
  bool RunOne(const CommandTable::Resolved& resolved, Arguments words, size_t input);
  /// Whether any request of this connection may be of level `majority`.
  bool MayNeedMajority() const;
  /// What the request may do to claims where it runs now.
  ClaimDesk::Kind ClaimsHere(const CommandTable::Resolved& resolved, Arguments words) const;
  /// Whether it runs without the keyspace, and so even while a script does.
  bool MayRunBesideScript(const CommandTable::Resolved& resolved) const;
  /// Whether the request reads or writes keys, an EXEC's queue included.
  bool UsesKeys(const CommandTable::Resolved& resolved) const;
  /// Whether it may write, an EXEC's queue included.
  bool MayWrite(const CommandTable::Resolved& resolved) const;
  bool MustWait(const CommandTable::Resolved& resolved);
  void RefuseProtocol();
  /// A request is about to run here whose reply starts at `reply`; `leased`: as the leaseholder's.
  void NoteOrdered(const CommandTable::Resolved& resolved, bool leased, size_t reply, size_t input);
  /// The lease ended before the turn did: reads go the way of all requests again, and of what was
  /// written nobody can say whether others knew of it.
  void TakeBackOrdered();

  // session_orders.cc: what runs at the leaseholder.
  Route RouteHere(const CommandTable::Resolved& resolved, Arguments words) const;
  enum class Gathered : uint8_t {
    kNo,     ///< It runs here and now.
    kAdded,  ///< It is part of the order.
    kLast,   ///< So it is, and the order is to go.
    kLater,  ///< It has to wait for the order before it.
  };
  /// Adds the request to the order if it is to run at the leaseholder, may have to wait, is a
  /// script or follows one.
  Gathered Gather(const CommandTable::Resolved& resolved, Arguments words);
  void AddToOrder(const CommandSpec& row, Arguments words, Route route);
  void SubmitOrder();
  /// Hands the order on to where orders run in this turn.
  void Dispatch(std::string request);
  /// CLIENT UNBLOCK has run: its reply comes later. `silent`: it has none.
  void AwaitUnblock(const ThreadServices::BegunUnblock& begun, bool silent);
  /// What it says of the connection, and takes that off it; false: it is no reply.
  bool TakeHead(std::string_view& reply);
  /// False: it is none.
  bool TakeReply(std::string_view reply);
  /// What this connection wrote and has been told of stands in the position's stream: for WAIT.
  void NoteWritten(const OrderPosition& position);
  /// The same for what this node's log has.
  void NoteWrittenHere();
  /// Runs, or refuses, what was sent to nobody.
  void RunUnsent(std::string request);
  void ReplyToAll(size_t replies, std::string_view error);
  /// Whether what is watched here can still be vouched for.
  bool WatchesCount() const;
  /// Before a command runs here; false: EXEC answers nil, since what it watches does not count.
  bool PrepareWatches(const CommandTable::Resolved& resolved, Arguments words);
  /// Ends the transaction and its watches, whether a script runs or not.
  void EndTransaction();
  void NoteWatch(uint64_t epoch, bool here);
  void DropWatches();
  void PrefetchKeys();
  void JoinTurn();
  void Send();
  void UpdateInterest();
  void CutOff(std::string_view reason);

  IoThread& thread_;
  Descriptor socket_;
  ClientState state_;
  InputBuffer input_;
  RespParser parser_;
  std::unique_ptr<ClientTransaction> transaction_;

  // Replies: [0, sent_) have left, [sent_, committed_) may leave, the rest waits for the commit.
  std::string out_;
  size_t sent_ = 0;
  size_t committed_ = 0;
  size_t turn_replies_ = 0;
  std::chrono::nanoseconds above_soft_since_{0};  // 0: not above the soft limit

  // What runs at the leaseholder. Its replies come before those of all later requests.
  OrderWriter order_;
  uint64_t waits_for_ = 0;    // the order whose answer is awaited; 0: none
  size_t order_replies_ = 0;  // of it
  size_t order_bytes_ = 0;    // of it
  bool order_watches_ = false;
  bool order_repeatable_ = false;
  bool order_blocks_ = false;    // it may wait for as long as its client wants
  bool order_in_doubt_ = false;  // whether an earlier leaseholder has served it
  bool order_scripts_ = false;
  bool order_own_ = false;     // this node runs it...
  bool order_leased_ = false;  // ...while it leads
  /// Of an own order: what its transaction watches.
  std::unique_ptr<ClientTransaction> order_watched_;
  bool order_for_holders_ = false;  // WAIT
  struct {
    bool any = false;
    bool reads = true;   // nothing else has run since
    size_t out = 0;      // where the first reply starts, from committed_ on
    size_t replies = 0;  // before that
    ClientState::ReplyMode reply_mode = ClientState::ReplyMode::kOn;
  } ordered_;                // from the first request of this turn that ran as the leaseholder's
  bool turn_wrote_ = false;  // a request of this turn may have written here
  VersionVector written_;    // see NoteWritten; few entries: what all members hold leaves it
  struct {
    bool any = false;
    bool here = true;    // in transaction_; else at the leaseholder
    bool lost = false;   // EXEC answers nil
    uint64_t epoch = 0;  // 0: of no lease
  } watch_;

  bool closed_ = false;
  bool in_turn_ = false;
  bool more_ = false;         // requests wait in input_ for the turn to end
  bool paused_ = false;       // CLIENT PAUSE holds the next request
  bool blocked_ = false;      // the socket took less than there was
  bool watches_read_ = true;  // what the loop was told
  bool watches_write_ = false;
  bool watches_hangup_ = false;
};

}  // namespace starling
