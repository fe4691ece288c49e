#include "storage/item.h"

namespace starling {

Value Value::FromText(std::string_view text) {
  if (const std::optional<int64_t> number = Number::ParseInt(text)) {
    return OfNumber(Number::FromInt(*number));
  }
  return Bytes(text);
}

}  // namespace starling
