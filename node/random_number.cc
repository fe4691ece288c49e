#include "node/random_number.h"

#include <sys/random.h>

#include <cerrno>

#include "storage/check.h"

namespace starling {

uint64_t RandomNumber() {
  uint64_t number = 0;
  ssize_t got = 0;
  do {
    got = getrandom(&number, sizeof(number), 0);
  } while (got < 0 && errno == EINTR);
  // Eight bytes are given whole or not at all, and only a kernel without the call (before 3.17)
  // fails.
  STARLING_CHECK(got == sizeof(number));
  return number;
}

}  // namespace starling
