#include "node/ordering/order_reply.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "node/error_text.h"
#include "storage/number.h"

namespace starling {
namespace {

/// What stands between the type and the first line's end.
std::string_view FirstLine(std::string_view reply) {
  const size_t end = reply.find("\r\n");
  return end == std::string_view::npos ? std::string_view() : reply.substr(1, end - 1);
}

bool IsError(std::string_view reply) { return reply.starts_with('-'); }

}  // namespace

Error NotUnderstood() {
  return Error{Code::kUnknownOutcome, "the leaseholder's answer was not understood"};
}

Error ErrorOfReply(std::string_view reply) {
  std::string text(FirstLine(reply));
  if (text.starts_with("BUSY ")) return Error{Code::kUnavailable, text.substr(5)};
  if (text.starts_with("NOQUORUM ")) return Error{Code::kUnavailable, text.substr(9)};
  if (text.starts_with("UNKNOWN ")) return Error{Code::kUnknownOutcome, text.substr(8)};
  if (text.starts_with("WRONGTYPE ")) return Error{Code::kWrongType, text.substr(10)};
  if (text.starts_with("MISCONF ")) {
    const bool unknown = text.find("outcome of this command is unknown") != std::string::npos;
    return Error{unknown ? Code::kUnknownOutcome : Code::kReadOnly, text.substr(8)};
  }
  if (text == error_text::kIncrementOverflow) {
    return Error{Code::kOutOfRange, "the result would not fit 64 bits"};
  }
  return Error{Code::kInvalidArgument, std::move(text)};
}

Result<int64_t> IntegerOfReply(std::string_view reply) {
  if (IsError(reply)) return ErrorOfReply(reply);
  const std::optional<int64_t> value =
      reply.starts_with(':') ? Number::ParseInt(FirstLine(reply)) : std::nullopt;
  if (!value) return NotUnderstood();
  return *value;
}

Result<std::optional<std::string>> BulkOfReply(std::string_view reply) {
  if (IsError(reply)) return ErrorOfReply(reply);
  const std::string_view line = FirstLine(reply);
  const std::optional<int64_t> length =
      reply.starts_with('$') ? Number::ParseInt(line) : std::nullopt;
  if (!length || *length < -1) return NotUnderstood();
  if (*length == -1) return std::optional<std::string>();
  const std::string_view rest = reply.substr(line.size() + 3);  // the type, the line and its end
  if (rest.size() != static_cast<size_t>(*length) + 2) return NotUnderstood();
  return std::optional<std::string>(rest.substr(0, rest.size() - 2));
}

Result<std::vector<std::string_view>> ElementsOfReply(std::string_view reply) {
  if (IsError(reply)) return ErrorOfReply(reply);
  const std::string_view line = FirstLine(reply);
  const std::optional<int64_t> count =
      reply.starts_with('*') ? Number::ParseInt(line) : std::nullopt;
  if (!count || *count < -1) return NotUnderstood();
  std::string_view rest = reply.substr(line.size() + 3);
  std::vector<std::string_view> elements;
  while (!rest.empty()) {
    size_t size = rest.find("\r\n");
    if (size == std::string_view::npos) return NotUnderstood();
    size += 2;
    if (rest.starts_with('$')) {
      const std::optional<int64_t> length = Number::ParseInt(FirstLine(rest));
      if (!length || *length < -1) return NotUnderstood();
      if (*length >= 0) size += static_cast<size_t>(*length) + 2;
    }
    if (size > rest.size()) return NotUnderstood();
    elements.push_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  if (elements.size() != static_cast<size_t>(std::max<int64_t>(*count, 0))) return NotUnderstood();
  return elements;
}

Status OkOfReply(std::string_view reply) {
  if (IsError(reply)) return ErrorOfReply(reply);
  if (!reply.starts_with('+')) return NotUnderstood();
  return {};
}

}  // namespace starling
