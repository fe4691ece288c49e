/// Fuzzes the reader of RocksDB's write-ahead log: whatever a disk gives back, it finds the end of
/// what is whole, and after the cut nothing is wrong any more (I10, I11).
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "storage/wal_inspection.h"

namespace {

namespace fs = std::filesystem;

void Require(bool condition) {
  if (!condition) std::abort();
}

/// A folder of this process, in memory where there is such a place, taken away at its end.
class Folder {
 public:
  Folder() {
    const fs::path shared_memory = "/dev/shm";
    const bool in_memory = access(shared_memory.c_str(), W_OK) == 0;
    const fs::path parent = in_memory ? shared_memory : fs::temp_directory_path();
    std::string name = (parent / "wal_fuzz.XXXXXX").string();
    Require(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void Write(const fs::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  Require(file.good());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Write(folder.path() / "000004.log", bytes);
  Write(folder.path() / "000005.log", bytes.substr(0, size / 2));
  const auto found = starling::InspectWals(folder.path().string());
  Require(found.ok() && found->size() == 2);
  const starling::WalFile& first = found->front();
  Require(first.size == size && first.valid_bytes <= size);
  Require(first.fault.empty() == (first.valid_bytes == size));
  Require(starling::CutWals(folder.path().string(), *found).ok());
  const auto again = starling::InspectWals(folder.path().string());
  Require(again.ok() && !again->empty() && starling::DamageOf(*again).empty());
  Require(again->front().records == first.records);
  Require(again->size() == (first.fault.empty() ? 2 : 1));
  return 0;
}
