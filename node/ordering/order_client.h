/// Requests of the library's that run at the leaseholder, wherever that is: what a session of a
/// port is for its client (server/session_orders.cc), for callers within the process.
///
/// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "node/ordering/level.h"
#include "node/ordering/order_executor.h"
#include "node/runtime.h"
#include "starling/result.h"

namespace starling {

class OrderClient {
 public:
  /// `alone`: the node looks for no others, so that it decides everything itself.
  OrderClient(Runtime& runtime, OrderExecutor& executor, uint8_t database, bool alone);

  /// How long callers wait for an answer who do not say it: a take-over fits in.
  static constexpr std::chrono::milliseconds kAnswerWithin{6000};

  using Words = std::vector<std::string>;
  struct Request {
    Words words;
    bool blocks = false;  ///< It may wait, and bounds its time itself.
    bool reads = false;   ///< It writes nothing, so that it may be run again.
    Level level = Level::kLeased;
  };
  /// What the leaseholder answered, as RESP2. Errors: kUnavailable (it was not run, or only reads),
  /// kUnknownOutcome, kClosed.
  using Done = std::function<void(Result<std::string> reply)>;
  /// Runs it once. `done` is called on a thread of the node's and must not block; perhaps before
  /// this returns. Returns a number for Cancel.
  uint64_t Start(const Request& request, std::chrono::milliseconds timeout, Done done);
  /// The same, waited for; until `timeout` is over it is tried again where it was not run.
  Result<std::string> Ask(const Request& request, std::chrono::milliseconds timeout);

  /// Waits no longer for its end; what has not begun to run will not run.
  void Cancel(uint64_t number);
  /// The ends of all that is under way; nothing may be started after it.
  void Close();

 private:
  void OnEnds(std::vector<OrderEffect> ended);
  /// One that waits and may have been served is asked for by its name: here, if this node leads,
  /// else at the next leaseholder.
  void AskAgain(OrderEffect& ended);
  Instant Now() const;

  Runtime& runtime_;
  OrderExecutor& executor_;
  const uint8_t database_;
  const bool alone_;
  uint64_t base_ = 0;
  std::mutex mutex_;
  uint64_t last_ = 0;
  bool closed_ = false;
  struct Waiting {
    bool reads = false;
    Done done;
    bool in_doubt = false;  // whether an earlier leaseholder has served it
  };
  std::map<uint64_t, Waiting> waiting_;  // by number
};

}  // namespace starling
