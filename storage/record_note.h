/// Who asked for what a record holds, and what it is told where the record counts. So whoever asks
/// again, another leaseholder too, is answered once more instead of being served twice.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace starling {

struct RecordNote {
  static constexpr size_t kMaxName = 255;
  static constexpr size_t kMaxAnswer = size_t{64} << 10;

  std::string by;      ///< A name that is never used twice; empty: nobody asks again.
  std::string answer;  ///< Empty: too long to be kept.

  bool empty() const { return by.empty(); }
  /// Neither may be longer than may be.
  void AppendTo(std::string& out) const;
  /// Takes it off the front; nullopt: it is none.
  static std::optional<RecordNote> TakeFrom(std::string_view& bytes);
};

/// What the latest of those were told whose records count: the oldest goes where there is no room.
/// Not thread-safe.
class RecordAnswers {
 public:
  static constexpr size_t kMost = 65'536;
  static constexpr size_t kMostBytes = size_t{16} << 20;

  void Keep(RecordNote note);
  const std::string* Find(const std::string& by) const;

 private:
  std::map<std::string, std::string> answers_;
  std::deque<std::string> names_;  // first come first
  size_t bytes_ = 0;
};

}  // namespace starling
