#include "replication/vector_text.h"

#include <charconv>

namespace starling {

std::optional<uint64_t> TakeNumber(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool TakeChar(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

std::string StreamsText(const VersionVector& streams) {
  std::string text;
  for (const VersionVector::Entry& entry : streams.entries()) {
    text += ";" + std::to_string(entry.origin.node.value) + "." +
            std::to_string(entry.origin.incarnation) + "=" + std::to_string(entry.upto.value);
  }
  return text;
}

std::optional<VersionVector> ParseStreams(std::string_view text) {
  VersionVector streams;
  while (TakeChar(text, ';')) {
    const auto node = TakeNumber(text);
    if (!node || !TakeChar(text, '.')) return std::nullopt;
    const auto stream = TakeNumber(text);
    if (!stream || !TakeChar(text, '=')) return std::nullopt;
    const auto upto = TakeNumber(text);
    if (!upto) return std::nullopt;
    streams.Raise(Origin{NodeId{*node}, *stream}, Stamp{*upto});
  }
  if (!text.empty()) return std::nullopt;
  return streams;
}

}  // namespace starling
