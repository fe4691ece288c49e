#include "storage/changed_names.h"

#include <algorithm>
#include <cstring>

namespace starling {

void TextList::Add(std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  char head[sizeof size];
  std::memcpy(head, &size, sizeof size);
  bytes_.append(head, sizeof size).append(text);
}

std::string_view TextList::Next(size_t& position) const {
  uint32_t size;
  std::memcpy(&size, bytes_.data() + position, sizeof size);
  const std::string_view text(bytes_.data() + position + sizeof size, size);
  position += sizeof size + size;
  return text;
}

void ChangedNames::PutBack(const ChangedNames& names) {
  since = std::min(since, names.since);
  blocks.insert(blocks.end(), names.blocks.begin(), names.blocks.end());
  elements.insert(elements.end(), names.elements.begin(), names.elements.end());
  lists.insert(lists.end(), names.lists.begin(), names.lists.end());
  list_ids.Append(names.list_ids);
  // Erasing again what has come back meanwhile is mended by its own record, which is written after.
  erased.Append(names.erased);
  erased_prefixes.Append(names.erased_prefixes);
}

}  // namespace starling
