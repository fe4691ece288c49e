#include "storage/list_position.h"

#include <cstring>

namespace starling {
namespace {

void WriteBigEndian(char* out, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(out, &value, sizeof value);
}

void AppendStep(std::string& out, ListSide side, Stamp stamp, const Origin& origin) {
  out.resize(out.size() + kListStepBytes);
  WriteListStep(out.data() + out.size() - kListStepBytes, side, stamp, origin);
}

}  // namespace

void WriteListStep(char* out, ListSide side, Stamp stamp, const Origin& origin) {
  *out = static_cast<char>(side);
  WriteBigEndian(out + 1, side == ListSide::kLeft ? ~stamp.value : stamp.value);
  WriteBigEndian(out + 9, origin.node.value);
  WriteBigEndian(out + 17, origin.incarnation);
}

Stamp StampOfListStep(const char* step) {
  uint64_t value;
  std::memcpy(&value, step + 1, sizeof value);
  value = __builtin_bswap64(value);
  return Stamp{*step == static_cast<char>(ListSide::kLeft) ? ~value : value};
}

std::string ListEndId(ListSide side, Stamp stamp, const Origin& origin) {
  std::string id;
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
