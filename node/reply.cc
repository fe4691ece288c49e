#include "node/reply.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace starling {
namespace {

/// A type byte, a decimal number and the line end: the head of most replies.
void AppendHead(std::string& out, char type, int64_t number) {
  char line[24];
  line[0] = type;
  char* end = std::to_chars(line + 1, line + sizeof(line) - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(line, static_cast<size_t>(end - line));
}

}  // namespace

void Reply::Simple(std::string_view text) {
  out_.push_back('+');
  out_.append(text);
  out_.append("\r\n", 2);
}

void Reply::Error(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  out_.push_back('-');
  size_t start = out_.size();
  out_.append(text);
  for (size_t i = start; i < out_.size(); ++i) {
    if (out_[i] == '\r' || out_[i] == '\n') out_[i] = ' ';
  }
  out_.append("\r\n", 2);
}

void Reply::Integer(int64_t value) { AppendHead(out_, ':', value); }

/// Asked where replies grow: by bulk strings and doubles.
bool Reply::HasRoom(size_t bytes) {
  if (out_.size() <= limit_ && bytes <= limit_ - out_.size()) return true;
  limit_ = 0;
  return false;
}

void Reply::Bulk(std::string_view bytes) {
  if (!HasRoom(bytes.size())) return;
  constexpr size_t kShort = 64;
  if (bytes.size() < kShort) {
    // Put together first: one append costs less than three.
    char line[kShort + 8];
    char* end = line;
    *end++ = '$';
    if (bytes.size() >= 10) *end++ = static_cast<char>('0' + bytes.size() / 10);
    *end++ = static_cast<char>('0' + bytes.size() % 10);
    *end++ = '\r';
    *end++ = '\n';
    end = std::copy(bytes.begin(), bytes.end(), end);
    *end++ = '\r';
    *end++ = '\n';
    out_.append(line, static_cast<size_t>(end - line));
    return;
  }
  AppendHead(out_, '$', static_cast<int64_t>(bytes.size()));
  out_.append(bytes);
  out_.append("\r\n", 2);
}

void Reply::BulkInteger(int64_t value) {
  char digits[24];
  char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  Bulk(std::string_view(digits, static_cast<size_t>(end - digits)));
}

void Reply::Null() {
  if (protocol_ >= 3) {
    out_.append("_\r\n", 3);
  } else {
    out_.append("$-1\r\n", 5);
  }
}

void Reply::NullArray() {
  if (protocol_ >= 3) {
    out_.append("_\r\n", 3);
  } else {
    out_.append("*-1\r\n", 5);
  }
}

void Reply::Array(size_t elements) { AppendHead(out_, '*', static_cast<int64_t>(elements)); }

void Reply::Map(size_t pairs) {
  if (protocol_ >= 3) {
    AppendHead(out_, '%', static_cast<int64_t>(pairs));
  } else {
    Array(2 * pairs);
  }
}

void Reply::Set(size_t elements) {
  AppendHead(out_, protocol_ >= 3 ? '~' : '*', static_cast<int64_t>(elements));
}

void Reply::Push(size_t elements) {
  AppendHead(out_, protocol_ >= 3 ? '>' : '*', static_cast<int64_t>(elements));
}

void Reply::Double(double value) {
  char digits[40];
  size_t size;
  if (std::isinf(value)) {
    size = value > 0 ? 3 : 4;
    std::memcpy(digits, value > 0 ? "inf" : "-inf", size);
  } else if (std::isnan(value)) {
    size = 3;
    std::memcpy(digits, "nan", size);
  } else {
    size = static_cast<size_t>(std::snprintf(digits, sizeof(digits), "%.17g", value));
  }
  std::string_view text(digits, size);
  if (protocol_ < 3) return Bulk(text);
  if (!HasRoom(size)) return;
  out_.push_back(',');
  out_.append(text);
  out_.append("\r\n", 2);
}

void Reply::Boolean(bool value) {
  if (protocol_ < 3) return Integer(value ? 1 : 0);
  out_.append(value ? "#t\r\n" : "#f\r\n", 4);
}

void Reply::Verbatim(std::string_view bytes, std::string_view format) {
  if (protocol_ < 3) return Bulk(bytes);
  if (!HasRoom(bytes.size())) return;
  AppendHead(out_, '=', static_cast<int64_t>(bytes.size() + format.size() + 1));
  out_.append(format);
  out_.push_back(':');
  out_.append(bytes);
  out_.append("\r\n", 2);
}

void Reply::BigNumber(std::string_view digits) {
  if (protocol_ < 3) return Bulk(digits);
  out_.push_back('(');
  out_.append(digits);
  out_.append("\r\n", 2);
}

}  // namespace starling
