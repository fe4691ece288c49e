/// What a client has begun by MULTI, and what it watches.
///
/// Belongs to the client's session and is used by one thread at a time. Invariant (I9): `bytes` is
/// what it takes in memory; the session counts it against `client-query-buffer-limit`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/watch.h"

namespace starling {

struct CommandSpec;

class ClientTransaction {
 public:
  explicit ClientTransaction(Keyspace& keyspace) : watches_(keyspace) {}

  /// A command that waits for EXEC. Its words borrow from the transaction.
  struct Queued {
    const CommandSpec* row = nullptr;  ///< As CommandTable::Resolved has them.
    const CommandSpec* runner = nullptr;
    std::vector<std::string_view> words;
  };

  /// MULTI; none is open.
  void Begin() { open_ = true; }
  bool open() const { return open_; }
  /// Keeps a command's words for EXEC; not where EXEC is bound to refuse them.
  void Queue(const CommandSpec& row, const CommandSpec& runner,
             std::span<const std::string_view> words);
  /// A command was refused while it would have been queued: EXEC will refuse all.
  void Break() { broken_ = open_; }
  bool broken() const { return broken_; }
  /// Forgets the queue; the watches stay.
  void Unqueue();
  /// Ends it, and the watches.
  void Discard();

  size_t size() const { return commands_.size(); }
  /// Flags (CommandFlag) that any of its commands has.
  uint32_t flags() const { return flags_; }
  Queued At(size_t index) const;

  Watches& watches() { return watches_; }
  const Watches& watches() const { return watches_; }
  size_t bytes() const { return queued_bytes() + watches_.bytes(); }
  /// Of the queue alone: CLIENT LIST's multi-mem.
  size_t queued_bytes() const;

 private:
  struct Command {
    const CommandSpec* row;
    const CommandSpec* runner;
    size_t first_word;
    size_t words;
  };

  bool open_ = false;
  bool broken_ = false;
  uint32_t flags_ = 0;
  std::vector<Command> commands_;
  std::vector<size_t> word_ends_;  // in text_, of all words of all commands
  std::string text_;
  Watches watches_;
};

}  // namespace starling
