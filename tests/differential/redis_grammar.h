/// The commands that are compared, as rules of grammar.h: one text a family.
///
/// A new family is one more text in the list; the rule `command` is where it hooks in. Deadlines
/// are far enough away that none passes within a run, or long past; relative ones are drawn from a
/// wide range, so that GT and LT never decide by the few milliseconds between the two servers.
#pragma once

#include <span>
#include <string_view>

namespace starling {

std::span<const std::string_view> RedisGrammar();

}  // namespace starling
