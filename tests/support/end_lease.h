/// Takes the lease from a process of this one's that leads by a folder, for tests of what its
/// clients hear then.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "tests/support/eventually.h"

namespace starling {

/// An epoch's file appears somewhere within `folder` that another process would have made. Returns
/// when `epoch`, the one that is led, has changed.
inline void EndLeaseOf(const std::filesystem::path& folder,
                       const std::function<uint64_t()>& epoch) {
  const uint64_t ended = epoch();
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.path().filename() != "epoch-" + std::to_string(ended)) continue;
    std::ofstream(file.path().parent_path() / ("epoch-" + std::to_string(ended + 1)));
    break;
  }
  EXPECT_TRUE(Eventually([&] { return epoch() != ended; }));
}

}  // namespace starling
