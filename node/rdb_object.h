/// A value between Redis's RDB form and the keyspace.
///
/// Reading takes every form that Redis 7.0 writes for strings, lists, sets, sorted sets and hashes,
/// and those of its predecessors back to 2.6; streams and modules are refused. Writing uses the
/// plain forms (one string after another), which Redis packs by itself as it reads them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/command.h"

namespace starling {

/// A value on its way. `texts`: the string; the elements of a list or set; the members of a sorted
/// set; fields and values of a hash in turn.
struct RdbObject {
  KeyType type = KeyType::kNone;
  std::vector<std::string> texts;
  std::vector<double> scores;  ///< Sorted sets: one for each member.
};

/// Reads a value that begins with its type byte; what follows it is not looked at. Nothing where
/// the bytes are malformed, hold no element, or hold one twice where there can be but one.
std::optional<RdbObject> DecodeRdbObject(std::string_view bytes);

/// The value at `key`, which is seen as `view`, with its type byte; nothing for types that RDB
/// cannot hold yet.
std::optional<std::string> EncodeRdbObject(Access& access, const KeyRef& key, const KeyView& view);

/// Writes the value at `key`, where nothing is seen.
void WriteRdbObject(Access& access, const KeyRef& key, const RdbObject& object);

}  // namespace starling
