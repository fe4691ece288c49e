/// Where a list's element stands: an id that sorts bytewise, unique to the write that made it.
///
/// An id is a path of steps, each (side, stamp, origin) of the write that added it: a step to the
/// right sorts by its stamp, one to the left by the negated stamp, and an id sorts before all that
/// go on from it. So elements pushed at either end, on any node, need no others to find their
/// place; one inserted between two goes on from its left neighbour's id (after Logoot: Weiss, Urso,
/// Molli, 2009). Stateless and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling {

enum class ListSide : uint8_t { kLeft = 1, kRight = 2 };

/// Bytes of one step.
inline constexpr size_t kListStepBytes = 25;
/// Ids longer than this are not made: who inserts moves a side of the list to its end instead.
inline constexpr size_t kMaxListIdBytes = 20 * kListStepBytes;

/// Writes one step, kListStepBytes, to `out`.
void WriteListStep(char* out, ListSide side, Stamp stamp, const Origin& origin);
/// The stamp of a step that begins at `step`, which has at least kListStepBytes.
Stamp StampOfListStep(const char* step);

/// The id of an element pushed at an end. `stamp` is newer than all that the node has seen.
std::string ListEndId(ListSide side, Stamp stamp, const Origin& origin);
/// An id between two neighbours, `after` < `before`; an empty `after` is the list's beginning, an
/// empty `before` its end. `stamp` is newer than all that the node has seen.
std::string ListIdBetween(std::string_view after, std::string_view before, Stamp stamp,
                          const Origin& origin);

}  // namespace starling
