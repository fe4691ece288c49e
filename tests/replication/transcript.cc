#include "tests/replication/transcript.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace starling {

void ExpectTranscript(const std::string& name, const std::string& text) {
  const std::filesystem::path folder = STARLING_TESTDATA;
  const std::filesystem::path file = folder / (name + ".txt");
  if (std::getenv("STARLING_REWRITE_TRANSCRIPTS") != nullptr) {
    std::filesystem::create_directories(folder);
    std::ofstream(file) << text;
    return;
  }
  std::ifstream in(file);
  ASSERT_TRUE(in) << "no transcript " << file
                  << "; run with STARLING_REWRITE_TRANSCRIPTS=1 and review it";
  std::stringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(text, expected.str()) << "transcript " << name;
}

}  // namespace starling
