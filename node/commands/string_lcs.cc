/// LCS: dynamic programming over a table of prefix lengths, then a walk back from its end (Wagner
/// and Fischer, "The String-to-String Correction Problem", 1974). Works on copies: no lock is held
/// meanwhile.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "node/arguments.h"
#include "node/commands/string_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

/// A run of equal bytes: `length` of them from these places.
struct Match {
  size_t first;   ///< In the first text.
  size_t second;  ///< In the second text.
  size_t length;
};

struct LcsOptions {
  bool length_only = false;
  bool index = false;
  bool with_lengths = false;
  int64_t least_length = 0;
};

struct Subsequence {
  std::string text;
  std::vector<Match> matches;  ///< Last first, as the walk finds them.
};

/// Row i, column j: the length for the first i and j bytes.
class LengthTable {
 public:
  LengthTable(std::string_view a, std::string_view b)
      : width_(b.size() + 1), lengths_((a.size() + 1) * width_, 0) {
    for (size_t i = 1; i <= a.size(); ++i) {
      for (size_t j = 1; j <= b.size(); ++j) {
        uint32_t& length = lengths_[i * width_ + j];
        length = a[i - 1] == b[j - 1] ? At(i - 1, j - 1) + 1 : std::max(At(i - 1, j), At(i, j - 1));
      }
    }
  }

  uint32_t At(size_t i, size_t j) const { return lengths_[i * width_ + j]; }

 private:
  size_t width_;
  std::vector<uint32_t> lengths_;
};

Subsequence WalkBack(const LengthTable& table, std::string_view a, std::string_view b) {
  Subsequence found;
  size_t i = a.size();
  size_t j = b.size();
  bool running = false;
  while (i > 0 && j > 0) {
    if (a[i - 1] == b[j - 1]) {
      --i;
      --j;
      found.text.push_back(a[i]);
      if (running) {
        --found.matches.back().first;
        --found.matches.back().second;
        ++found.matches.back().length;
      } else {
        found.matches.push_back({i, j, 1});
      }
      running = true;
      continue;
    }
    running = false;
    if (table.At(i - 1, j) > table.At(i, j - 1)) {
      --i;
    } else {
      --j;
    }
  }
  std::reverse(found.text.begin(), found.text.end());
  return found;
}

void ReplyRange(Reply& reply, size_t start, size_t length) {
  reply.Array(2);
  reply.Integer(static_cast<int64_t>(start));
  reply.Integer(static_cast<int64_t>(start + length - 1));
}

void ReplyIndex(Reply& reply, const Subsequence& found, const LcsOptions& options) {
  std::vector<Match> shown;
  for (const Match& match : found.matches) {
    if (static_cast<int64_t>(match.length) >= options.least_length) shown.push_back(match);
  }
  reply.Map(2);
  reply.Bulk("matches");
  reply.Array(shown.size());
  for (const Match& match : shown) {
    reply.Array(options.with_lengths ? 3 : 2);
    ReplyRange(reply, match.first, match.length);
    ReplyRange(reply, match.second, match.length);
    if (options.with_lengths) reply.Integer(static_cast<int64_t>(match.length));
  }
  reply.Bulk("len");
  reply.Integer(static_cast<int64_t>(found.text.size()));
}

/// Copies both strings; a missing key is an empty one. False after an error reply.
bool ReadTexts(CommandContext& context, Arguments arguments, std::string (&texts)[2]) {
  KeyList keys = ReadKeys(context, arguments.subspan(1, 2));
  Access access = context.keyspace().Lock(keys);
  for (size_t i = 0; i < 2; ++i) {
    std::optional<KeyView> view = access.Find(keys[i]);
    if (!view) continue;
    if (view->type != KeyType::kString) {
      context.reply.Error("ERR The specified keys must contain string values");
      return false;
    }
    std::string buffer;
    texts[i] = view->Text(buffer);
  }
  return true;
}

bool ParseLcsOptions(CommandContext& context, Arguments arguments, LcsOptions& options) {
  for (size_t i = 3; i < arguments.size(); ++i) {
    if (IsWord(arguments[i], "idx")) {
      options.index = true;
    } else if (IsWord(arguments[i], "len")) {
      options.length_only = true;
    } else if (IsWord(arguments[i], "withmatchlen")) {
      options.with_lengths = true;
    } else if (IsWord(arguments[i], "minmatchlen") && i + 1 < arguments.size()) {
      std::optional<int64_t> least = ReadInteger(context, arguments[++i]);
      if (!least) return false;
      options.least_length = *least;
    } else {
      context.reply.Error(error_text::kSyntax);
      return false;
    }
  }
  if (options.index && options.length_only) {
    context.reply.Error("ERR If you want both the length and indexes, please just use IDX.");
    return false;
  }
  return true;
}

}  // namespace

void Lcs(CommandContext& context, Arguments arguments) {
  std::string texts[2];
  LcsOptions options;
  if (!ReadTexts(context, arguments, texts)) return;
  if (!ParseLcsOptions(context, arguments, options)) return;
  // Each text is at most 512 MB, so the product cannot overflow.
  uint64_t cells = (uint64_t{texts[0].size()} + 1) * (uint64_t{texts[1].size()} + 1);
  if (cells * sizeof(uint32_t) > kMaxStringBytes) {
    return context.reply.Error(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  LengthTable table(texts[0], texts[1]);
  if (options.length_only) {
    return context.reply.Integer(table.At(texts[0].size(), texts[1].size()));
  }
  Subsequence found = WalkBack(table, texts[0], texts[1]);
  options.index ? ReplyIndex(context.reply, found, options) : context.reply.Bulk(found.text);
}

}  // namespace starling
