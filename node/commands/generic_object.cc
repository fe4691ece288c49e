#include <array>
#include <limits>

#include "node/arguments.h"
#include "node/commands/generic_commands.h"

namespace starling {
namespace {

/// Redis's names for its representations, given by the same thresholds; starling's own differ.
constexpr size_t kMaxEmbedded = 44;         // "embstr" up to here, "raw" above
constexpr size_t kMaxIntegerSet = 512;      // "intset" up to here
constexpr size_t kMaxPackedElements = 128;  // "listpack" up to here, of elements up to
constexpr size_t kMaxPackedBytes = 64;      // this long
constexpr int64_t kSharedIntegers = 10000;  // Redis shares one object among all such values

constexpr std::array<std::string_view, 8> kHelp = {
    "ENCODING <key>", "    How the value would be represented in Redis.",
    "FREQ <key>",     "    How often the key is used; needs an LFU maxmemory policy.",
    "IDLETIME <key>", "    Seconds since the key was last read or written.",
    "REFCOUNT <key>", "    How many places share the value.",
};

std::string_view StringEncoding(const KeyView& view) {
  if (view.value.kind == Value::Kind::kNumber && view.value.number.is_integer()) return "int";
  std::string buffer;
  return view.Text(buffer).size() <= kMaxEmbedded ? "embstr" : "raw";
}

std::string_view SetEncoding(Access& access, const KeyRef& key, const KeyView& view) {
  if (view.size > kMaxIntegerSet) return "hashtable";
  bool integers = true;
  access.ForEachElement(key, ElementType::kSet, [&integers](std::string_view id, const Value&) {
    integers = integers && Number::ParseInt(id).has_value();
  });
  return integers ? "intset" : "hashtable";
}

/// Whether Redis keeps a hash or sorted set in one listpack.
bool IsPacked(Access& access, const KeyRef& key, const KeyView& view, ElementType type) {
  if (view.size > kMaxPackedElements) return false;
  bool all_short = true;
  std::string buffer;
  access.ForEachElement(key, type, [&](std::string_view id, const Value& payload) {
    if (id.size() > kMaxPackedBytes) all_short = false;
    const bool text = type == ElementType::kHash;
    if (text && TextOf(payload, buffer).size() > kMaxPackedBytes) all_short = false;
  });
  return all_short;
}

std::string_view Encoding(Access& access, const KeyRef& key, const KeyView& view) {
  switch (view.type) {
    case KeyType::kString:
      return StringEncoding(view);
    case KeyType::kSet:
      return SetEncoding(access, key, view);
    case KeyType::kHash:
      return IsPacked(access, key, view, ElementType::kHash) ? "listpack" : "hashtable";
    case KeyType::kSortedSet:
      return IsPacked(access, key, view, ElementType::kSortedSet) ? "listpack" : "skiplist";
    case KeyType::kList:
      return "quicklist";
    case KeyType::kStream:
      return "stream";
    case KeyType::kNone:
      break;
  }
  return "unknown";
}

int64_t ReferenceCount(const KeyView& view) {
  const Value& value = view.value;
  bool shared = view.type == KeyType::kString && value.kind == Value::Kind::kNumber &&
                value.number.is_integer() && value.number.units >= 0 &&
                value.number.units < kSharedIntegers;
  return shared ? std::numeric_limits<int32_t>::max() : 1;
}

}  // namespace

void Object(CommandContext& context, Arguments arguments) {
  std::string_view subcommand = arguments[1];
  if (IsWord(subcommand, "help")) return ReplyHelp(context.reply, "OBJECT", kHelp);
  KeyRef key = context.Key(arguments[2]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key, /*touch=*/false);
  if (!view) return context.reply.Null();
  if (IsWord(subcommand, "encoding")) return context.reply.Bulk(Encoding(access, key, *view));
  if (IsWord(subcommand, "refcount")) return context.reply.Integer(ReferenceCount(*view));
  if (IsWord(subcommand, "idletime")) {
    // 32 bits of seconds wrap around; so does the difference.
    auto now = static_cast<uint32_t>(context.keyspace().NowMillis() / 1000);
    return context.reply.Integer(now - view->accessed_seconds);
  }
  context.reply.Error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
      "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

}  // namespace starling
