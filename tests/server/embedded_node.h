/// A service's own node in this process, which leads, beside the daemons of a test. In a file of
/// its own, since the library's names are partly the daemon's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace starling {

class EmbeddedNode {
 public:
  /// Meets others in the folder, and leads when this returns.
  EmbeddedNode(const std::string& meeting_folder, const std::vector<std::string>& claims);
  ~EmbeddedNode();

  uint64_t members_alive() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace starling
