#include "storage/list_position.h"

namespace starling {
namespace {

void AppendBigEndian(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void AppendStep(std::string& out, ListSide side, Stamp stamp, const Origin& origin) {
  out.push_back(static_cast<char>(side));
  AppendBigEndian(out, side == ListSide::kLeft ? ~stamp.value : stamp.value);
  AppendBigEndian(out, origin.node.value);
  AppendBigEndian(out, origin.incarnation);
}

}  // namespace

std::string ListEndId(ListSide side, Stamp stamp, const Origin& origin) {
  std::string id;
  id.reserve(kListStepBytes);
  AppendStep(id, side, stamp, origin);
  return id;
}

std::string ListIdBetween(std::string_view after, std::string_view before, Stamp stamp,
                          const Origin& origin) {
  std::string id(after);
  // Where the right neighbour goes on from the left one, the new id must sort before its steps: the
  // newest step to the left does.
  const bool goes_on = !before.empty() && before.starts_with(after);
  AppendStep(id, goes_on ? ListSide::kLeft : ListSide::kRight, stamp, origin);
  return id;
}

}  // namespace starling
