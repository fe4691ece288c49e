#include "storage/claim.h"

namespace starling {

bool Claim::Merge(const Version& by, const Item& item, const OriginTable& origins,
                  int64_t now_millis) {
  if (!version.none() && !Later(by, version, origins)) return false;
  version = by;
  token = item.at;
  ttl_millis = item.deadline_millis;
  ended = item.removed;
  std::string(item.value.bytes).swap(text);  // gives a longer one's memory back
  arrived_millis = now_millis;
  return true;
}

}  // namespace starling
