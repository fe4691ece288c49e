#include "node/commands/scan.h"

#include <algorithm>

#include "node/arguments.h"
#include "node/error_text.h"
#include "node/glob.h"

namespace starling {
namespace {

/// More work than this per step would hold a shard's lock for long; COUNT is a hint, so it is cut.
constexpr int64_t kMaxScanCount = 1 << 20;

}  // namespace

bool ScanOptions::MatchesName(std::string_view name) const {
  return !match || GlobMatch(*match, name);
}

std::optional<ScanOptions> ReadScanOptions(CommandContext& context, Arguments words, ScanOf of) {
  ScanOptions options;
  for (size_t i = 0; i < words.size(); i += 2) {
    bool has_value = i + 1 < words.size();
    if (has_value && IsWord(words[i], "count")) {
      std::optional<int64_t> count = ReadInteger(context, words[i + 1]);
      if (!count) return std::nullopt;
      if (*count < 1) {
        context.reply.Error(error_text::kSyntax);
        return std::nullopt;
      }
      options.count = static_cast<size_t>(std::min(*count, kMaxScanCount));
    } else if (has_value && IsWord(words[i], "match")) {
      options.match = words[i + 1];
      if (*options.match == "*") options.match.reset();
    } else if (has_value && of == ScanOf::kKeys && IsWord(words[i], "type")) {
      options.type = words[i + 1];
    } else {
      context.reply.Error(error_text::kSyntax);
      return std::nullopt;
    }
  }
  return options;
}

void ScanReply::Send(uint64_t cursor) {
  reply_.Array(2);
  reply_.Bulk(std::to_string(cursor));
  reply_.Array(count_);
  reply_.out().append(found_);
}

}  // namespace starling
