#include <algorithm>
#include <cstring>

#include "node/command.h"
#include "storage/check.h"

namespace starling {
namespace {

/// The longest name a row may have; longer requests cannot match and are not looked up.
constexpr size_t kMaxNameLength = 48;

char FoldCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Eight bytes at a time with the case bit set: cheap, and equal for names that differ in case
/// only. (It also merges a few other characters, which the comparison tells apart.)
uint32_t HashName(std::string_view name) {
  constexpr uint64_t kCaseBits = 0x2020202020202020;
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
  uint64_t hash = name.size();
  while (!name.empty()) {
    uint64_t word = 0;
    size_t taken = std::min<size_t>(name.size(), sizeof(word));
    std::memcpy(&word, name.data(), taken);
    hash = (hash ^ (word | kCaseBits)) * kMultiplier;
    hash ^= hash >> 32;
    name.remove_prefix(taken);
  }
  return static_cast<uint32_t>(hash);
}

/// `stored` is lower case.
bool SameName(const char* stored, std::string_view name) {
  for (char c : name) {
    if (*stored++ != FoldCase(c)) return false;
  }
  return *stored == '\0';
}

}  // namespace

CommandTable::CommandTable() {
  for (std::span<const CommandSpec> family :
       {StringCommands(), GenericCommands(), SetCommands(), HashCommands(), SortedSetCommands(),
        ListCommands(), BlockingCommands(), ConnectionCommands(), TransactionCommands(),
        ScriptCommands(), ServerCommands(), StarlingCommands()}) {
    for (const CommandSpec& command : family) all_.push_back(&command);
  }
  std::sort(all_.begin(), all_.end(), [](const CommandSpec* a, const CommandSpec* b) {
    return std::strcmp(a->name, b->name) < 0;
  });
  size_t slots = 64;
  while (slots < 4 * all_.size()) slots *= 2;
  slots_.resize(slots);
  for (const CommandSpec* command : all_) Insert(*command);
  for (const CommandSpec* command : all_) {
    const char* bar = std::strchr(command->name, '|');
    if (bar == nullptr) continue;
    const Slot* container = FindSlot({command->name, static_cast<size_t>(bar - command->name)});
    STARLING_CHECK(container != nullptr && container->command->run != nullptr);
    slots_[static_cast<size_t>(container - slots_.data())].container = true;
  }
}

void CommandTable::Insert(const CommandSpec& command) {
  STARLING_CHECK(std::strlen(command.name) <= kMaxNameLength);
  STARLING_CHECK(FindSlot(command.name) == nullptr);
  uint32_t hash = HashName(command.name);
  size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].command != nullptr) at = (at + 1) & mask;
  slots_[at] = Slot{&command, hash, false};
}

const CommandTable::Slot* CommandTable::FindSlot(std::string_view name) const {
  if (name.size() > kMaxNameLength) return nullptr;
  uint32_t hash = HashName(name);
  size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].command != nullptr; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && SameName(slots_[at].command->name, name)) return &slots_[at];
  }
  return nullptr;
}

const CommandSpec* CommandTable::Find(std::string_view name) const {
  const Slot* slot = FindSlot(name);
  return slot == nullptr ? nullptr : slot->command;
}

const CommandSpec* CommandTable::FindSubcommand(const CommandSpec& container,
                                                std::string_view subcommand) const {
  char name[kMaxNameLength];
  size_t length = std::strlen(container.name);
  if (length + 1 + subcommand.size() > sizeof(name)) return nullptr;
  std::memcpy(name, container.name, length);
  name[length++] = '|';
  std::memcpy(name + length, subcommand.data(), subcommand.size());
  return Find({name, length + subcommand.size()});
}

bool CommandTable::IsContainer(const CommandSpec& command) const {
  const Slot* slot = FindSlot(command.name);
  return slot != nullptr && slot->container;
}

CommandTable::Resolved CommandTable::Resolve(Arguments arguments) const {
  const Slot* slot = FindSlot(arguments[0]);
  if (slot == nullptr || slot->command->run == nullptr) return {};
  if (!slot->container || arguments.size() == 1) return {slot->command, slot->command};
  return {FindSubcommand(*slot->command, arguments[1]), slot->command};
}

}  // namespace starling
