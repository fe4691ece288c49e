#include <limits>
#include <string>

#include "node/arguments.h"
#include "node/commands/generic_commands.h"
#include "node/commands/scan.h"
#include "node/error_text.h"
#include "node/glob.h"

namespace starling {
namespace {

bool SameName(std::string_view type_name, std::string_view word) { return IsWord(word, type_name); }

/// FLUSHDB and FLUSHALL take one word, which makes no difference here: the databases are empty at
/// once, and memory is given back shard by shard.
bool CheckFlushWords(CommandContext& context, Arguments arguments) {
  if (arguments.size() == 1) return true;
  if (arguments.size() == 2 && (IsWord(arguments[1], "sync") || IsWord(arguments[1], "async"))) {
    return true;
  }
  context.reply.Error(error_text::kSyntax);
  return false;
}

}  // namespace

void Keys(CommandContext& context, Arguments arguments) {
  std::string_view pattern = arguments[1];
  const bool all = pattern == "*";
  std::string found;
  Reply collector(found, context.reply.protocol());
  size_t count = 0;
  uint64_t cursor = 0;
  do {
    // A whole shard at a time: under one lock no key can be met twice.
    cursor =
        context.keyspace().Scan(context.client.database, cursor, std::numeric_limits<size_t>::max(),
                                [&](std::string_view name, const KeyView&) {
                                  if (!all && !GlobMatch(pattern, name)) return;
                                  collector.Bulk(name);
                                  ++count;
                                });
  } while (cursor != 0);
  context.reply.Array(count);
  context.reply.out().append(found);
}

void Scan(CommandContext& context, Arguments arguments) {
  std::optional<uint64_t> cursor = ReadCursor(context, arguments[1]);
  if (!cursor) return;
  std::optional<ScanOptions> options =
      ReadScanOptions(context, arguments.subspan(2), ScanOf::kKeys);
  if (!options) return;
  ScanReply found(context);
  uint64_t next =
      context.keyspace().Scan(context.client.database, *cursor, options->count,
                              [&](std::string_view name, const KeyView& view) {
                                if (options->type && !SameName(TypeName(view.type), *options->type))
                                  return;
                                if (options->MatchesName(name)) found.Add(name);
                              });
  found.Send(next);
}

void RandomKey(CommandContext& context, Arguments) {
  std::optional<std::string> name =
      context.keyspace().RandomKey(context.client.database, context.random);
  name ? context.reply.Bulk(*name) : context.reply.Null();
}

void DbSize(CommandContext& context, Arguments) {
  context.reply.Integer(static_cast<int64_t>(context.keyspace().Size(context.client.database)));
}

void FlushDb(CommandContext& context, Arguments arguments) {
  if (!CheckFlushWords(context, arguments)) return;
  context.keyspace().FlushDatabase(context.client.database);
  context.reply.Ok();
}

void FlushAll(CommandContext& context, Arguments arguments) {
  if (!CheckFlushWords(context, arguments)) return;
  for (int database = 0; database < kDatabases; ++database) {
    context.keyspace().FlushDatabase(static_cast<uint8_t>(database));
  }
  context.reply.Ok();
}

}  // namespace starling
