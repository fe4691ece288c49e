#include "tests/sim/trace.h"

#include <cstdio>

namespace starling::sim {

void Trace::Mix(uint64_t value) {
  // FNV-1a, eight bytes at a time, with a final shift so that high bits reach low ones.
  hash_ = (hash_ ^ value) * 0x100000001b3;
  hash_ ^= hash_ >> 29;
}

void Trace::Mix(std::string_view bytes) {
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t word = 0;
    __builtin_memcpy(&word, bytes.data(), 8);
    Mix(word);
  }
  uint64_t rest = bytes.size();
  for (const char byte : bytes) rest = (rest << 8) | static_cast<unsigned char>(byte);
  Mix(rest);
}

void Trace::Add(std::string_view who, std::string_view what, std::string_view detail) {
  Mix(static_cast<uint64_t>(scheduler_.now().count()));
  Mix(who);
  Mix(what);
  Mix(detail);
  char time[32];
  std::snprintf(time, sizeof time, "%12.6f ", static_cast<double>(scheduler_.now().count()) / 1e9);
  std::string line = time;
  line.append(who).append(" ").append(what);
  if (!detail.empty()) line.append(" ").append(detail);
  if (print_) std::printf("%s\n", line.c_str());
  last_.push_back(std::move(line));
  if (last_.size() > keep_) last_.pop_front();
}

}  // namespace starling::sim
