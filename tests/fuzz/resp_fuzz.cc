/// Fuzzes the RESP parser: whatever the bytes and however they are cut, it reads no byte that is
/// not there, and a request comes out the same whole and in two pieces.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp_parser.h"

namespace {

using starling::RespLimits;
using starling::RespParser;

/// All words of all requests, and the error if there was one, as one text.
std::string Transcript(std::string_view input, size_t cut) {
  std::string transcript;
  RespParser parser;
  RespLimits limits;
  limits.max_line = 4096;
  size_t begin = 0;
  for (size_t end : {cut, input.size()}) {
    std::string_view part = input.substr(begin, end - begin);
    auto bytes = std::make_unique<char[]>(part.size());
    if (!part.empty()) std::memcpy(bytes.get(), part.data(), part.size());
    std::string_view rest(bytes.get(), part.size());
    while (true) {
      std::vector<std::string_view> words;
      RespParser::Outcome outcome = parser.Next(rest, limits, words);
      if (outcome == RespParser::Outcome::kProtocolError) return transcript + parser.error();
      if (parser.consumed() > rest.size()) std::abort();
      rest.remove_prefix(parser.consumed());
      begin += parser.consumed();
      if (outcome == RespParser::Outcome::kIncomplete) break;
      if (words.empty()) std::abort();
      for (std::string_view word : words) {
        transcript.append(std::to_string(word.size())).append(":").append(word).append(" ");
      }
      transcript.append("\n");
    }
  }
  return transcript;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  // The first byte says where to cut, so that the fuzzer finds places by itself.
  size_t cut = size == 0 ? 0 : data[0] * size / 256;
  if (Transcript(input, size) != Transcript(input, cut)) std::abort();
  return 0;
}
