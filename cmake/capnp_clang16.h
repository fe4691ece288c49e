/// Makes Cap'n Proto 0.9's headers compile as C++20 with clang 16 and later.
///
/// In C++20 they leave comparisons with a C string on the left to the compiler's reversed
/// operators, which those clangs no longer try where an `operator!=` stands beside (P2468).
/// Included before every file that links Cap'n Proto (dependencies.cmake).
#pragma once

#include <kj/string.h>

namespace kj {

inline bool operator==(const char* a, const StringPtr& b) { return b == StringPtr(a); }
inline bool operator!=(const char* a, const StringPtr& b) { return !(b == StringPtr(a)); }

}  // namespace kj
