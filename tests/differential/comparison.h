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
  kTime,       ///< A deadline or time to live: a few seconds may have passed between.
  kFloat,      ///< Equal numbers may be written with different rounding.
  kInside,     ///< What a value looks like inside: the same kind of reply.
  kScan,       ///< A whole iteration, compared as a set.
  kPop,        ///< Random members, taken out.
  kDraw,       ///< Random members, left there.
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

}  // namespace starling
