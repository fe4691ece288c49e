/// Runs a fuzz target without libFuzzer: each file of the folders named, then random variations of
/// them.
///
/// The variations are the same every time.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

constexpr int kVariations = 20000;
constexpr size_t kMaxBytes = 4096;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An input of exactly its size, so that a sanitizer sees any read past its end.
void Run(const std::string& input) {
  const std::vector<uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::string RandomBytes(std::mt19937_64& random, size_t longest) {
  std::string bytes(random() % (longest + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

void Mutate(std::mt19937_64& random, const std::vector<std::string>& inputs, std::string& bytes) {
  const size_t at = bytes.empty() ? 0 : random() % bytes.size();
  switch (random() % 6) {
    case 0:
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      break;
    case 1:
      if (!bytes.empty()) bytes[at] = static_cast<char>(random());
      break;
    case 2:
      bytes.erase(at, 1 + random() % 16);
      break;
    case 3:
      bytes.insert(at, RandomBytes(random, 16));
      break;
    case 4:
      bytes.resize(at);
      break;
    default:
      if (!inputs.empty()) bytes.insert(at, inputs[random() % inputs.size()].substr(0, kMaxBytes));
  }
  if (bytes.size() > kMaxBytes) bytes.resize(kMaxBytes);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> inputs;
  for (int i = 1; i < argc; ++i) {
    if (!fs::exists(argv[i])) continue;  // A target may have no corpus yet.
    for (const auto& entry : fs::directory_iterator(argv[i])) inputs.push_back(ReadFile(entry));
  }
  for (const std::string& input : inputs) Run(input);
  std::mt19937_64 random(1);
  for (int i = 0; i < kVariations; ++i) {
    std::string bytes = inputs.empty() || random() % 8 == 0 ? RandomBytes(random, 512)
                                                            : inputs[random() % inputs.size()];
    for (uint64_t steps = 1 + random() % 4; steps > 0; --steps) Mutate(random, inputs, bytes);
    Run(bytes);
  }
  std::printf("%zu inputs and %d variations passed\n", inputs.size(), kVariations);
  return 0;
}
