/// Assertions that stay on in production: for our own bugs alone, never for bad input.
#pragma once

namespace starling {

/// Logs `expression` with its place to standard error and aborts.
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);

}  // namespace starling

#define STARLING_CHECK(expression)                    \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? static_cast<void>(0)                         \
       : ::starling::CheckFailed(#expression, __FILE__, __LINE__))
