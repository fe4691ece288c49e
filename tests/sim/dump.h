/// A keyspace as text, the same on every node that holds the same: what I1 compares.
///
/// Stateless. Takes the keyspace's locks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/keyspace.h"

namespace starling::sim {

/// Everything a client could see, over all databases: type, deadline and content of each key, one
/// line a key, sorted. Never empty.
std::string VisibleDump(Keyspace& keyspace);

/// Everything a peer could be sent: all items, tombstones included, one line an item, sorted.
std::string ItemDump(Keyspace& keyspace);

/// The first lines that only one of two dumps has, marked with `-` and `+`.
std::string DumpDifference(std::string_view left, std::string_view right);

/// What a client reads as the string at `name`; nullopt when there is none or it is no string.
std::optional<std::string> ReadString(Keyspace& keyspace, const KeyRef& key);

}  // namespace starling::sim
