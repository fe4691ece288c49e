/// Who wrote an item: a node in one of its incarnations.
///
/// A node's id is derived from its name, so a node that lost its data returns as the same member
/// with a higher incarnation. The incarnation rises whenever the node cannot prove that it holds
/// all it ever sent (DESIGN.md section 2).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace starling {

struct NodeId {
  uint64_t value = 0;

  /// The id of a node name: the same in every process (XXH3 64 of the name, never 0).
  static NodeId FromName(std::string_view name);
  /// 16 hexadecimal digits.
  std::string ToString() const;

  friend constexpr auto operator<=>(NodeId, NodeId) = default;
};

struct Origin {
  NodeId node;
  /// Milliseconds of the Unix epoch at which the incarnation began, or one above the last; only
  /// grows.
  uint64_t incarnation = 0;

  /// `<node id>.<incarnation>`
  std::string ToString() const;

  friend constexpr auto operator<=>(const Origin&, const Origin&) = default;
};

/// The number a node gives an origin in memory; never leaves the process.
using OriginIndex = uint16_t;

}  // namespace starling
