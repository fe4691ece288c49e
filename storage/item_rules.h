/// What makes an item one: the rules that items from the network and from disk must keep.
///
/// Stateless and thread-safe.
#pragma once

#include "storage/item.h"

namespace starling {

/// What is wrong with `item`, as words for an error; null when nothing is. An item has a known part
/// and database and a stamp; `at` set and not after its stamp where the part has one (cuts, slots),
/// unset elsewhere; an element with its type in the element parts only; a number in slots, bytes or
/// a number in a base, bytes in a claim; no payload when removed.
const char* ItemFault(const Item& item);

}  // namespace starling
