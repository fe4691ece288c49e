#include "tests/support/manual_time.h"
