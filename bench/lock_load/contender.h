/// One contender for one lock, by the ways that the measured servers offer. One thread at a time.
#pragma once

#include <memory>
#include <string>

#include "bench/lock_load/connection.h"

namespace starling::bench {

class Contender {
 public:
  virtual ~Contender() = default;
  /// Asks for the lock; returns whether it is held now. One that the server makes wait returns true
  /// only. Throws std::runtime_error, as below, on whatever else is answered.
  virtual bool Acquire() = 0;
  /// Gives back what Acquire got, and is told so.
  virtual void Release() = 0;
};

struct ContenderOptions {
  Address address;
  std::string lock;
  /// Different for each contender of a lock.
  std::string name;
};

/// SET NX PX, and a script that compares and deletes, by EVALSHA: any server of Redis's protocol.
std::unique_ptr<Contender> MakeAsking(const ContenderOptions& options);
/// STARLING ACQUIRE, which waits, and STARLING RELEASE.
std::unique_ptr<Contender> MakeWaiting(const ContenderOptions& options);
/// etcd's lock API over its HTTP gateway; one lease, granted at the beginning, for all its locks.
std::unique_ptr<Contender> MakeEtcd(const ContenderOptions& options);

}  // namespace starling::bench
