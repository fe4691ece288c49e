/// Items with bytes of their own: what outlives the lock under which it was seen.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "storage/item.h"

namespace starling {

/// Not thread-safe.
class ItemList {
 public:
  /// Copies `item` with all its bytes.
  void Add(const Item& item) {
    Item& copy = items_.emplace_back(item);
    std::string& text = texts_.emplace_back();
    const bool payload = item.value.kind == Value::Kind::kBytes;
    text.reserve(item.key.size() + item.element.size() + (payload ? item.value.bytes.size() : 0));
    text.append(item.key).append(item.element);
    if (payload) text.append(item.value.bytes);
    const std::string_view view = text;
    copy.key = view.substr(0, item.key.size());
    copy.element = view.substr(item.key.size(), item.element.size());
    if (payload) copy.value.bytes = view.substr(item.key.size() + item.element.size());
  }

  const std::vector<Item>& items() const { return items_; }

 private:
  std::vector<Item> items_;
  std::deque<std::string> texts_;  // stable addresses: items_ points into it
};

}  // namespace starling
