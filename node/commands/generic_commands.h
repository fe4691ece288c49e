/// The handlers of the keys family, which generic.cc lists with arity, flags and keys.
///
/// Handlers as command.h describes them: one reply each, all arguments checked before anything
/// changes.
#pragma once

#include <string_view>

#include "node/command.h"

namespace starling {

/// What TYPE answers: "string", "set", ...
std::string_view TypeName(KeyType type);
/// The same for a collection's elements.
std::string_view TypeName(ElementType type);

// generic_expiry.cc: when keys end.
void Expire(CommandContext& context, Arguments arguments);
void ExpireAt(CommandContext& context, Arguments arguments);
void PExpire(CommandContext& context, Arguments arguments);
void PExpireAt(CommandContext& context, Arguments arguments);
void Ttl(CommandContext& context, Arguments arguments);
void PTtl(CommandContext& context, Arguments arguments);
void ExpireTime(CommandContext& context, Arguments arguments);
void PExpireTime(CommandContext& context, Arguments arguments);
void Persist(CommandContext& context, Arguments arguments);

// generic_copying.cc: keys under other names and in other databases.
void Rename(CommandContext& context, Arguments arguments);
void RenameNx(CommandContext& context, Arguments arguments);
void Copy(CommandContext& context, Arguments arguments);
void Move(CommandContext& context, Arguments arguments);

// generic_iteration.cc: whole databases.
void Keys(CommandContext& context, Arguments arguments);
void Scan(CommandContext& context, Arguments arguments);
void RandomKey(CommandContext& context, Arguments arguments);
void DbSize(CommandContext& context, Arguments arguments);
void FlushDb(CommandContext& context, Arguments arguments);
void FlushAll(CommandContext& context, Arguments arguments);

// sort.cc: the elements of a list, set or sorted set in another order.
void Sort(CommandContext& context, Arguments arguments);
void SortRo(CommandContext& context, Arguments arguments);
/// The key that STORE names, as a row's `find_keys`.
bool FindSortKeys(Arguments request, std::vector<std::string_view>& keys);

// dump.cc: keys as bytes, interchangeable with Redis.
void Dump(CommandContext& context, Arguments arguments);
void Restore(CommandContext& context, Arguments arguments);

// generic_object.cc: what a key looks like inside.
void Object(CommandContext& context, Arguments arguments);

}  // namespace starling
