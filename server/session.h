/// One client's connection: reads requests, runs them, keeps the replies until they may leave.
///
/// Belongs to one I/O thread and is used on it only, under that thread's mutex (io_thread.h).
/// Replies of a turn leave together after the journal's commit (I7); a failed commit replaces them
/// (I13). Invariant (I9): input, with what MULTI has queued, is bounded by
/// `client-query-buffer-limit`, output by `client-output-buffer-limit`.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/client_state.h"
#include "node/client_transaction.h"
#include "node/command.h"
#include "node/node_services.h"
#include "server/descriptor.h"
#include "server/event_loop.h"
#include "server/input_buffer.h"
#include "server/resp_parser.h"
#include "server/settings.h"
#include "starling/result.h"

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
  /// Ends the turn: `committed` says whether the log has what its commands did. Sends the replies,
  /// or puts errors in their place.
  void FinishTurn(const Status& committed);
  /// Closes the socket; `reason` is logged where it is a fault of the client's. Idempotent.
  void Close(std::string_view reason = {});
  /// Closes after the replies of this turn have been sent (CLIENT KILL of itself).
  void CloseAfterReply() { state_.close_after_reply = true; }
  /// Once a second: idle time and slow reading.
  void CheckLimits(std::chrono::nanoseconds now, const Settings& settings);

  bool closed() const { return closed_; }
  /// Whether requests wait for Resume after this turn.
  bool has_more() const { return more_; }
  uint64_t id() const { return state_.id; }
  ClientInfo Describe() const;
  /// Bytes that requests take: those not yet run, and those that wait for EXEC.
  size_t input_capacity() const { return input_.capacity() + transaction_.bytes(); }
  size_t output_pending() const { return out_.size() - sent_; }

 private:
  void Read();
  /// Runs what has arrived, until it is used up or has to wait.
  void Execute();
  /// Parses some requests into the thread's batch; false when there is none.
  bool ParseBatch();
  /// Runs the batch; false where the rest has to wait or the session ends.
  bool RunBatch();
  void RunOne(Arguments words);
  /// Whether the request reads or writes keys, an EXEC's queue included.
  bool UsesKeys(Arguments words) const;
  bool MustWait(Arguments words);
  void RefuseProtocol();
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
  ClientTransaction transaction_;

  // Replies: [0, sent_) have left, [sent_, committed_) may leave, the rest waits for the commit.
  std::string out_;
  size_t sent_ = 0;
  size_t committed_ = 0;
  size_t turn_replies_ = 0;
  std::chrono::nanoseconds above_soft_since_{0};  // 0: not above the soft limit

  bool closed_ = false;
  bool in_turn_ = false;
  bool more_ = false;         // requests wait in input_ for the turn to end
  bool paused_ = false;       // CLIENT PAUSE holds the next request
  bool blocked_ = false;      // the socket took less than there was
  bool watches_read_ = true;  // what the loop was told
  bool watches_write_ = false;
};

}  // namespace starling
