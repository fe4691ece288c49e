/// What SCAN and its kin for collections share: their options and the form of their reply.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "node/command.h"

namespace starling {

/// TYPE is an option of SCAN alone.
enum class ScanOf { kKeys, kElements };

/// Borrows its texts from the arguments.
struct ScanOptions {
  size_t count = 10;                      ///< About how much work one step does; at least 1.
  std::optional<std::string_view> match;  ///< Absent: every name.
  std::optional<std::string_view> type;   ///< TYPE's word, as given.

  bool MatchesName(std::string_view name) const;
};

/// `words`: what follows the cursor. Replies with the error and returns nothing where they are
/// wrong.
std::optional<ScanOptions> ReadScanOptions(CommandContext& context, Arguments words, ScanOf of);

/// Collects what one step finds; their number and the cursor go out before them.
class ScanReply {
 public:
  explicit ScanReply(CommandContext& context)
      : reply_(context.reply), collector_(found_, context.reply.protocol()) {}

  void Add(std::string_view name) {
    collector_.Bulk(name);
    ++count_;
  }
  /// Writes the reply; `cursor` 0: the iteration is complete.
  void Send(uint64_t cursor);

 private:
  Reply& reply_;
  std::string found_;
  Reply collector_;
  size_t count_ = 0;
};

}  // namespace starling
