#include "storage/record_note.h"

#include <utility>

#include "storage/check.h"

namespace starling {
namespace {

constexpr size_t kLengthBytes = 4;

}  // namespace

void RecordNote::AppendTo(std::string& out) const {
  STARLING_CHECK(!by.empty() && by.size() <= kMaxName && answer.size() <= kMaxAnswer);
  out.push_back(static_cast<char>(by.size()));
  out.append(by);
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(answer.size() >> shift));
  }
  out.append(answer);
}

std::optional<RecordNote> RecordNote::TakeFrom(std::string_view& bytes) {
  const auto take = [&bytes](size_t count) {
    const std::string_view taken = bytes.substr(0, count);
    bytes.remove_prefix(count);
    return taken;
  };
  if (bytes.empty()) return std::nullopt;
  const size_t name = static_cast<uint8_t>(take(1).front());
  if (name == 0 || bytes.size() < name + kLengthBytes) return std::nullopt;
  RecordNote note;
  note.by = take(name);
  size_t length = 0;
  for (const char c : take(kLengthBytes)) length = length << 8 | static_cast<uint8_t>(c);
  if (length > kMaxAnswer || length > bytes.size()) return std::nullopt;
  note.answer = take(length);
  return note;
}

void RecordAnswers::Keep(RecordNote note) {
  if (answers_.contains(note.by)) return;
  bytes_ += note.by.size() + note.answer.size();
  names_.push_back(note.by);
  answers_.emplace(std::move(note.by), std::move(note.answer));
  while (names_.size() > kMost || bytes_ > kMostBytes) {
    const auto oldest = answers_.find(names_.front());
    bytes_ -= oldest->first.size() + oldest->second.size();
    answers_.erase(oldest);
    names_.pop_front();
  }
}

const std::string* RecordAnswers::Find(const std::string& by) const {
  const auto found = answers_.find(by);
  return found == answers_.end() ? nullptr : &found->second;
}

}  // namespace starling
