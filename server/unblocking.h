/// CLIENT UNBLOCK: takes back what a client of this thread waits for, where that waits.
///
/// A request waits at an executor, this node's or the leaseholder's: an order that goes there
/// behind it finds it (OrderExecutor::UnblockClient), or finds that it has been served. Where a
/// lease ends meanwhile, the request goes to the next leaseholder, and this follows it.
///
/// Belongs to the I/O thread of the client that waits, and is used there, under its mutex. Whoever
/// asked waits for the answer on its own thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "replication/replicator.h"

namespace starling {

class IoThread;
class Session;

struct Unblock {
  uint64_t client = 0;  ///< Who waits.
  bool with_error = false;
  IoThread* asker = nullptr;
  uint64_t number = 0;  ///< By which the asker waits (IoThread::AwaitLater).
};

class Unblocking {
 public:
  explicit Unblocking(IoThread& thread) : thread_(thread) {}

  void Begin(const Unblock& unblock);
  /// The end of an order; false: it is none of these.
  bool OnOrderEnd(const OrderEffect& end);

 private:
  struct UnderWay {
    Unblock unblock;
    uint64_t commands = 0;  // that its client had sent: a later one is not meant
  };
  void Send(const Session& session, const UnderWay& under_way);
  static void Tell(const Unblock& unblock, std::string_view reply);

  IoThread& thread_;
  std::unordered_map<uint64_t, UnderWay> under_way_;  // by their orders' numbers
};

}  // namespace starling
