// The tests of node/, and, started with another first argument, the service that some of them talk
// to.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/node/test_service.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (argc > 4 && arguments[1] == starling::kServiceWord) {
    return starling::RunTestService({arguments.begin() + 2, arguments.end()});
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
