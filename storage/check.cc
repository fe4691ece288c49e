#include "storage/check.h"

#include <cstdio>
#include <cstdlib>

namespace starling {

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "starling: check failed: %s at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace starling
