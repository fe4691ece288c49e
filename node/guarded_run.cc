#include "node/guarded_run.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "node/arguments.h"
#include "node/claim_desk.h"
#include "node/command_keys.h"
#include "node/commands/string_compare.h"
#include "storage/held_shards.h"
#include "storage/records.h"
#include "storage/speculation.h"

namespace starling {
namespace {

bool HasWord(Arguments words, std::string_view word) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view one) { return IsWord(one, word); });
}

/// The keys of a request, with room for one more that is held beside them.
using Keys = absl::InlinedVector<KeyRef, 3>;

/// Nothing where its row does not tell all of them.
std::optional<Keys> KeysOf(const CommandSpec& row, CommandContext& context, Arguments arguments) {
  if ((row.flags & kOtherKeys) != 0) return std::nullopt;
  Keys keys;
  if (row.first_key > 0 && row.first_key == row.last_key && row.find_keys == nullptr) {
    keys.push_back(context.Key(arguments[static_cast<size_t>(row.first_key)]));
    return keys;
  }
  std::vector<std::string_view> names;
  if (!FindKeys(row, arguments, names) || names.empty()) return std::nullopt;
  for (const std::string_view name : names) keys.push_back(context.Key(name));
  return keys;
}

bool MeetsClaim(Keyspace& keyspace, const Keys& keys) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const KeyRef& key) { return keyspace.IsClaimed(key); });
}

/// Runs it on trial, with its shards held.
void Speculate(const CommandTable::Resolved& resolved, CommandContext& context,
               Arguments arguments) {
  const size_t start = context.reply.out().size();
  Speculation speculation(context.keyspace());
  resolved.runner->run(context, arguments);
  ConcludeGuarded(context, speculation, start);
}

void Leave(CommandContext& context) {
  const std::string_view refusal = context.claims->Leave();
  if (!refusal.empty()) context.reply.Error(refusal);
}

}  // namespace

bool AsksForClaim(const CommandSpec& row, Arguments arguments, const ClaimDesk& desk) {
  if ((row.flags & kClaims) == 0 || !desk.grants()) return false;
  const auto is = [&row](const char* name) { return std::strcmp(row.name, name) == 0; };
  if (is("set")) {
    for (size_t i = 3; i < arguments.size(); ++i) {
      ValueCondition condition;  // whose value may be any word
      const bool absent = !TakeCondition(arguments, i, condition) && IsWord(arguments[i], "nx");
      if (absent) return desk.Grants(arguments[1]);
    }
    return false;
  }
  if (is("copy") && HasWord(arguments.subspan(3), "replace")) return false;
  if (is("copy") || is("renamenx")) return desk.Grants(arguments[2]);
  if (is("setnx")) return desk.Grants(arguments[1]);
  if (is("msetnx")) {
    for (size_t i = 1; i < arguments.size(); i += 2) {
      if (desk.Grants(arguments[i])) return true;
    }
    return false;
  }
  return true;  // a lock is one by its name
}

bool ConcludeGuarded(CommandContext& context, Speculation& speculation, size_t start) {
  std::string_view refusal;
  if (context.claims->Conclude(speculation, refusal)) return true;
  context.reply.out().resize(start);
  if (!refusal.empty()) context.reply.Error(refusal);
  return false;
}

void RunGuarded(const CommandTable::Resolved& resolved, CommandContext& context,
                Arguments arguments) {
  const CommandSpec& row = *resolved.row;
  ClaimDesk* const desk = context.claims;
  const bool writes = (row.flags & kWrite) != 0;
  const bool reads = (row.flags & kReadOnly) != 0;
  if (desk == nullptr || (!writes && !reads) || (row.flags & kGuarded) != 0) {
    return resolved.runner->run(context, arguments);
  }
  const bool decides = desk->kind() == ClaimDesk::Kind::kDecides;
  Keyspace& keyspace = context.keyspace();
  if (AsksForClaim(row, arguments, *desk)) {
    if (!decides) return Leave(context);
    desk->RequireMajority();
  }
  std::optional<Keys> keys = KeysOf(row, context, arguments);
  if (reads && !decides) {
    // Who reads a claim waits for what it saw; KEYS and its kin never do.
    const bool elsewhere = desk->kind() == ClaimDesk::Kind::kElsewhere;
    if (elsewhere && keys && MeetsClaim(keyspace, *keys)) return Leave(context);
    return resolved.runner->run(context, arguments);
  }
  if (!keys) {  // it may write to any key
    const HeldShards held(keyspace);
    return Speculate(resolved, context, arguments);
  }
  if (decides) keys->push_back(keyspace.records().key());
  const HeldShards held(keyspace, *keys);
  if (decides) return Speculate(resolved, context, arguments);
  if (MeetsClaim(keyspace, *keys)) return Leave(context);
  resolved.runner->run(context, arguments);
}

}  // namespace starling
