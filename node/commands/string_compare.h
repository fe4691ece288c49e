/// Conditions on a string's present value: IFEQ, IFNE and, by a digest of it, IFDEQ and IFDNE.
///
/// Sources: https://redis.io/commands/set/, /delex/ and /digest/ (Redis 8.4),
/// https://valkey.io/commands/set/ and /delifeq/ (Valkey 8.1 and 9.0).
#pragma once

#include <optional>
#include <string_view>

#include "node/command.h"

namespace starling {

struct ValueCondition {
  enum class Kind : uint8_t { kNone, kEqual, kNotEqual, kDigestEqual, kDigestNotEqual };
  Kind kind = Kind::kNone;
  std::string_view operand;

  bool given() const { return kind != Kind::kNone; }
};

/// Takes `IFEQ value` and its kin at `at`, and moves `at` to the value. False: no condition here,
/// or a second one.
bool TakeCondition(Arguments arguments, size_t& at, ValueCondition& condition);
/// False, and an error is replied, where the condition cannot be asked of what was found: the key
/// holds no string, or the digest has not 16 characters (redis/redis#14502). What is absent can be
/// asked anything.
bool CheckCondition(CommandContext& context, const ValueCondition& condition,
                    const std::optional<KeyView>& view);
/// Whether the value, or its absence, meets the condition: what is absent equals nothing.
bool Meets(const ValueCondition& condition, const std::optional<KeyView>& view);

}  // namespace starling
