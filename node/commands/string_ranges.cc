#include <algorithm>
#include <string>

#include "node/arguments.h"
#include "node/commands/string_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

/// Whether `size` more bytes at `offset` stay within what a string may hold; else replies.
bool CheckLength(CommandContext& context, uint64_t offset, uint64_t size) {
  if (offset <= kMaxStringBytes && size <= kMaxStringBytes - offset) return true;
  context.reply.Error(error_text::kStringTooLong);
  return false;
}

}  // namespace

void Append(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  std::string_view tail = arguments[2];
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!CheckType(context, view, KeyType::kString)) return;
  if (!view) {
    access.SetString(key, tail);
    return context.reply.Integer(static_cast<int64_t>(tail.size()));
  }
  std::string buffer;
  std::string_view head = view->Text(buffer);
  if (!CheckLength(context, head.size(), tail.size())) return;
  std::string joined;
  joined.reserve(head.size() + tail.size());
  joined.append(head).append(tail);
  access.SetString(key, joined, /*keep_ttl=*/true);
  context.reply.Integer(static_cast<int64_t>(joined.size()));
}

void StrLen(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!CheckType(context, view, KeyType::kString)) return;
  std::string buffer;
  context.reply.Integer(view ? static_cast<int64_t>(view->Text(buffer).size()) : 0);
}

void GetRange(CommandContext& context, Arguments arguments) {
  std::optional<int64_t> start = ReadInteger(context, arguments[2]);
  if (!start) return;
  std::optional<int64_t> end = ReadInteger(context, arguments[3]);
  if (!end) return;
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!CheckType(context, view, KeyType::kString)) return;
  if (!view || (*start < 0 && *end < 0 && *start > *end)) return context.reply.Bulk({});
  std::string buffer;
  std::string_view text = view->Text(buffer);
  int64_t size = static_cast<int64_t>(text.size());
  int64_t first = std::max<int64_t>(*start < 0 ? size + *start : *start, 0);
  int64_t last = std::max<int64_t>(*end < 0 ? size + *end : *end, 0);
  last = std::min(last, size - 1);
  if (first > last) return context.reply.Bulk({});
  context.reply.Bulk(
      text.substr(static_cast<size_t>(first), static_cast<size_t>(last - first + 1)));
}

void SetRange(CommandContext& context, Arguments arguments) {
  std::optional<int64_t> offset = ReadInteger(context, arguments[2]);
  if (!offset) return;
  if (*offset < 0) return context.reply.Error("ERR offset is out of range");
  std::string_view patch = arguments[3];
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!CheckType(context, view, KeyType::kString)) return;
  std::string buffer;
  std::string_view present = view ? view->Text(buffer) : std::string_view();
  if (patch.empty()) return context.reply.Integer(static_cast<int64_t>(present.size()));
  if (!CheckLength(context, static_cast<uint64_t>(*offset), patch.size())) return;
  size_t at = static_cast<size_t>(*offset);
  std::string patched(present);
  if (patched.size() < at + patch.size()) patched.resize(at + patch.size(), '\0');
  patched.replace(at, patch.size(), patch);
  access.SetString(key, patched, /*keep_ttl=*/true);
  context.reply.Integer(static_cast<int64_t>(patched.size()));
}

}  // namespace starling
