/// Numbers that nobody can guess, from the operating system.
#pragma once

#include <cstdint>

namespace starling {

/// 64 random bits. Thread-safe; blocks only in a system that has just booted.
uint64_t RandomNumber();

}  // namespace starling
