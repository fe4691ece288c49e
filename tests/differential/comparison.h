/// How the two servers' replies to one command are held against each other.
///
/// Most must be equal byte for byte. What Redis itself leaves open (order, chance, the passing of
/// time) is checked for what it does promise. Stateless.
#pragma once

#include <string_view>

#include "tests/support/resp_client.h"

namespace starling {

enum class Comparison {
  kExact,      ///< Byte for byte.
  kUnordered,  ///< Same elements in any order.
  kPairs,      ///< Pairs of a map, also where they come as one array, in any order.
  kTime,       ///< A deadline or time to live: a few seconds may have passed between.
  kFloat,      ///< Sums of decimals: exact here, rounded in Redis.
  kScore,      ///< The same for scores, which Redis adds as doubles.
  kInside,     ///< What a value looks like inside: the same kind of reply.
  kSort,       ///< Exact, but in any order where BY says that the order is left open.
  kScan,       ///< A whole iteration, compared as a set.
  kPop,        ///< Random members, taken out.
  kDraw,       ///< Random elements, left there.
  kDump,       ///< Bytes that the other server restores to the same value.
  kRandomKey,  ///< A random key.
  kCount,      ///< Exact, once both servers have noticed which keys are expired.
};

/// By the command's name, in any case.
Comparison ComparisonFor(std::string_view command);

/// Whether `actual` is an acceptable answer where Redis answers `expected`; for the comparisons up
/// to kInside, which need no further commands.
bool Agree(Comparison comparison, const RespReply& expected, const RespReply& actual);

/// The elements' texts, sorted.
std::vector<std::string> SortedElements(const RespReply& reply);

/// All scalars in `reply`, from first to last, however deep they are nested.
std::vector<std::string> Flattened(const RespReply& reply);

/// The types and sizes in `reply` without what they hold: "*2[$$]".
std::string ShapeOf(const RespReply& reply);

}  // namespace starling
