#include "starling/ordered_counter.h"

#include <optional>

#include "node/ordering/ordered_keys.h"
#include "storage/number.h"

namespace starling {
namespace {

Result<int64_t> IntegerIn(const Result<std::optional<std::string>>& text) {
  if (!text) return text.error();
  if (!text->has_value()) return int64_t{0};
  const std::optional<int64_t> value = Number::ParseInt(**text);
  if (!value) return Error{Code::kInvalidArgument, "the counter's key holds no integer"};
  return *value;
}

}  // namespace

Result<int64_t> OrderedCounter::Add(int64_t n) {
  return OrderedKeys(*core_, options_).Add(name_, n);
}

Result<int64_t> OrderedCounter::Value() const {
  return IntegerIn(OrderedKeys(*core_, options_).Get(name_));
}

Result<int64_t> OrderedCounter::Reset() {
  return IntegerIn(OrderedKeys(*core_, options_).TakeCounter(name_));
}

}  // namespace starling
