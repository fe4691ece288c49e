/// A folder of its own for one test, gone afterwards.
#pragma once

#include <string>

namespace starling {

class TempFolder {
 public:
  /// Created under the system's folder for temporary files; aborts where that fails.
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace starling
