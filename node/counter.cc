#include "starling/counter.h"

#include <algorithm>
#include <limits>

#include "node/counter_registry.h"
#include "node/node_core.h"

namespace starling {
namespace {

RegisteredCounter& Registered(const std::shared_ptr<CounterCell>& cell) {
  return static_cast<RegisteredCounter&>(*cell);
}

int64_t Clamped(__int128 value) {
  constexpr __int128 kMin = std::numeric_limits<int64_t>::min();
  constexpr __int128 kMax = std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(std::clamp(value, kMin, kMax));
}

/// The key's integer; 0 when it is not there.
Result<int64_t> IntegerAt(Access& access, const KeyRef& key) {
  const std::optional<KeyView> view = access.Find(key);
  if (!view) return int64_t{0};
  if (view->type != KeyType::kString) {
    return Error{Code::kWrongType, "the counter's key holds a value that is no string"};
  }
  if (view->value.kind != Value::Kind::kNumber || !view->value.number.is_integer()) {
    return Error{Code::kInvalidArgument, "the counter's key holds no integer"};
  }
  return view->value.number.ClampedInt64();
}

Status CheckName(const RegisteredCounter& cell) {
  if (cell.name.size() <= kMaxTextBytes) return {};
  return Error{Code::kInvalidArgument, "a counter's name is at most 512 MB"};
}

}  // namespace

void Counter::Notice(int64_t before, int64_t n) noexcept {
  RegisteredCounter& cell = Registered(cell_);
  const OperationGate::Pass pass(cell.core->gate);
  if (!pass || !CheckName(cell)) return;
  CounterRegistry& registry = cell.core->counters;
  if (before == 0) {
    registry.Queue(cell);
    return;
  }
  Access access = registry.keyspace().Lock(cell.key);
  if (!registry.Collect(cell, access)) {
    // It cannot be kept either: the cell is full.
    cell.pending.fetch_sub(n, std::memory_order_relaxed);
    registry.CountRefused(n);
  }
  cell.core->runtime->FlushSoon();
}

void Counter::AddLarge(int64_t n) noexcept {
  RegisteredCounter& cell = Registered(cell_);
  const OperationGate::Pass pass(cell.core->gate);
  if (!pass || !CheckName(cell)) return;
  CounterRegistry& registry = cell.core->counters;
  {
    Access access = registry.keyspace().Lock(cell.key);
    const bool read_only = cell.core->runtime->store().journal().read_only();
    if (read_only || !access.Increment(cell.key, n)) registry.CountRefused(n);
  }
  cell.core->runtime->FlushSoon();
}

Result<int64_t> Counter::Value() const {
  RegisteredCounter& cell = Registered(cell_);
  const OperationGate::Pass pass(cell.core->gate);
  if (!pass) return NodeCore::Closed();
  if (Status named = CheckName(cell); !named) return named.error();
  Access access = cell.core->keyspace().Lock(cell.key);
  Result<int64_t> logged = IntegerAt(access, cell.key);
  if (!logged) return logged;
  // Under the key's lock nobody moves what is pending.
  return Clamped(__int128{*logged} + cell.pending.load(std::memory_order_acquire));
}

Result<int64_t> Counter::Reset() {
  RegisteredCounter& cell = Registered(cell_);
  const OperationGate::Pass pass(cell.core->gate);
  if (!pass) return NodeCore::Closed();
  if (Status named = CheckName(cell); !named) return named.error();
  Result<int64_t> value = int64_t{0};
  {
    Access access = cell.core->keyspace().Lock(cell.key);
    if (cell.core->runtime->store().journal().read_only()) return NodeCore::ReadOnly();
    if (Status collected = cell.core->counters.Collect(cell, access); !collected) {
      return collected.error();
    }
    value = IntegerAt(access, cell.key);
    if (!value || !access.Exists(cell.key)) return value;
    access.ResetCounter(cell.key, 0);
  }
  cell.core->runtime->FlushSoon();
  return value;
}

}  // namespace starling
