/// Ending members by the operator's decision: stop their streams, ask how far each is held, write
/// it.
///
/// The other members stop accepting the streams of those who are to go, durably, and report; where
/// their streams end is the furthest that anyone not forgotten holds. Several at once, since two
/// dead members cannot report of each other (COUNTEREXAMPLES 17, 41). It waits for every report; a
/// repeated command, here or elsewhere, comes to the same end. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "replication/member_list.h"
#include "replication/peer_sender.h"
#include "storage/store.h"

namespace starling {

class Forgetting {
 public:
  Forgetting(Store& store, MemberList& list, PeerSender& sender,
             std::shared_ptr<spdlog::logger> log)
      : store_(store), list_(list), sender_(sender), log_(std::move(log)) {}

  /// Reads back whose streams are stopped; call after the list was refreshed.
  Status Load();
  /// Begins; the caller has checked that none of them is alive. Errors: the store's (nothing
  /// changed).
  Status Start(const std::set<std::string>& names, Instant now);
  /// Another member asks to stop and report.
  void OnRequest(NodeId from, const ForgetRequest& request);
  void OnReport(const std::string& from, const ForgetReport& report);
  /// Asks again who has not reported. Returns whether ends were written: refresh the list.
  bool OnTick(Instant now);
  Instant NextTimer() const;

  /// Who has not reported yet, for the operator.
  std::vector<std::string> Missing() const;
  bool busy() const { return !names_.empty(); }

 private:
  Status Stop(const std::set<std::string>& names);
  VersionVector HeldOf(const std::set<std::string>& names) const;

  Store& store_;
  MemberList& list_;
  PeerSender& sender_;
  std::shared_ptr<spdlog::logger> log_;
  std::set<std::string> names_;  // being ended by this node's operator
  std::map<std::string, VersionVector> reports_;
  Instant ask_at_{};
};

}  // namespace starling
