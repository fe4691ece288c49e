#include "tests/support/temp_folder.h"

#include <cstdlib>
#include <filesystem>

#include "storage/check.h"

namespace starling {

TempFolder::TempFolder() {
  path_ = (std::filesystem::temp_directory_path() / "starling-test-XXXXXX").string();
  STARLING_CHECK(mkdtemp(path_.data()) != nullptr);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace starling
