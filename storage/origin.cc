#include "storage/origin.h"

#include <cstdio>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace starling {

NodeId NodeId::FromName(std::string_view name) {
  const uint64_t hash = XXH3_64bits(name.data(), name.size());
  return NodeId{hash == 0 ? 1 : hash};
}

std::string NodeId::ToString() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string Origin::ToString() const { return node.ToString() + "." + std::to_string(incarnation); }

}  // namespace starling
