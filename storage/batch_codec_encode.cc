#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "storage/batch.capnp.h"
#include "storage/batch_codec.h"
#include "storage/batch_format.h"
#include "storage/check.h"

namespace starling {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the segment table is written as it lies");

constexpr size_t kWordBytes = sizeof(capnp::word);
/// Segment count and size of a message of one segment.
constexpr size_t kSegmentTableBytes = 8;
constexpr uint64_t kTextPieceBytes = uint64_t{256} << 20;
/// Above this a message takes several segments, each well below what a Cap'n Proto pointer reaches.
constexpr uint64_t kMaxFlatWords = (uint64_t{2} << 30) / kWordBytes;

int64_t HighHalf(__int128 units) { return static_cast<int64_t>(units >> 64); }
uint64_t LowHalf(__int128 units) { return static_cast<uint64_t>(units); }
bool NeedsWide(__int128 units) {
  return HighHalf(units) != (static_cast<int64_t>(LowHalf(units)) >> 63);
}

uint64_t PayloadLength(const Item& item) {
  return item.value.kind == Value::Kind::kBytes ? item.value.bytes.size() : 0;
}

bool HasMillis(Part part) { return part == Part::kExpiry || part == Part::kClaim; }

/// The distinct origins of a chunk's items, in order of appearance.
class OriginColumn {
 public:
  uint16_t IndexOf(const Origin& origin) {
    if (!origins_.empty() && origins_[last_] == origin) return last_;
    const auto [it, added] = index_.try_emplace({origin.node.value, origin.incarnation},
                                                static_cast<uint16_t>(origins_.size()));
    if (added) {
      STARLING_CHECK(origins_.size() <= std::numeric_limits<uint16_t>::max());
      origins_.push_back(origin);
    }
    return last_ = it->second;
  }
  const std::vector<Origin>& origins() const { return origins_; }

 private:
  std::vector<Origin> origins_;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, uint16_t> index_;
  uint16_t last_ = 0;
};

/// Everything a message holds, with the sizes that one pass over the items gives.
struct Content {
  wire::Batch::Kind kind;
  Stamp after;
  Stamp upto;
  std::span<const Item> items;
  std::span<const Origin> origins;
  std::span<const uint16_t> origin_of;  ///< Per item; empty where all are of the one origin.
  std::span<const VersionVector::Entry> vector;
  uint64_t text_bytes = 0;
  uint64_t wide_numbers = 0;
  uint16_t version = kOldestBatchFormatVersion;  ///< The oldest that can say all this.

  void Measure() {
    for (const Item& item : items) {
      const uint64_t payload = PayloadLength(item);
      STARLING_CHECK(item.key.size() <= kMaxTextBytes && item.element.size() <= kMaxTextBytes &&
                     payload <= kMaxTextBytes);
      text_bytes += item.key.size() + item.element.size() + payload;
      if (item.value.kind == Value::Kind::kNumber && NeedsWide(item.value.number.units)) {
        ++wide_numbers;
      }
      if (item.part == Part::kClaim) version = kBatchFormatVersion;
    }
  }
  uint64_t text_pieces() const { return (text_bytes + kTextPieceBytes - 1) / kTextPieceBytes; }
  uint64_t TextPieceBytes(uint64_t piece) const {
    return std::min(kTextPieceBytes, text_bytes - piece * kTextPieceBytes);
  }
  /// The exact size of a one-segment message: pointers, one tag word per struct list, contents.
  uint64_t Words() const {
    const auto list = [](uint64_t count, uint64_t words) {
      return count == 0 ? 0 : 1 + count * words;
    };
    uint64_t words = 1 + 3 + 5 + list(origins.size(), 2) + list(items.size(), 6) +
                     list(vector.size(), 2) + vector.size() * 2 + wide_numbers + text_pieces();
    for (uint64_t piece = 0; piece < text_pieces(); ++piece) {
      words += (TextPieceBytes(piece) + kWordBytes - 1) / kWordBytes;
    }
    return words;
  }
};

/// Writes texts one after another over the pieces they are cut into.
class TextWriter {
 public:
  TextWriter(const Content& content, wire::Batch::Builder batch) {
    const uint64_t pieces = content.text_pieces();
    if (pieces == 0) return;
    auto list = batch.initTexts(static_cast<uint>(pieces));
    for (uint64_t i = 0; i < pieces; ++i) {
      capnp::Data::Builder data =
          list.init(static_cast<uint>(i), static_cast<uint>(content.TextPieceBytes(i)));
      pieces_.emplace_back(reinterpret_cast<char*>(data.begin()), data.size());
    }
    to_ = pieces_.front();
  }

  void Append(std::string_view text) {
    if (text.size() <= to_.size()) [[likely]] {
      if (!text.empty()) std::memcpy(to_.data(), text.data(), text.size());
      to_ = to_.subspan(text.size());
      return;
    }
    const size_t fits = to_.size();
    Append(text.substr(0, fits));
    to_ = pieces_.at(++piece_);
    Append(text.substr(fits));
  }

 private:
  std::vector<std::span<char>> pieces_;
  std::span<char> to_;
  size_t piece_ = 0;
};

void WriteOrigin(wire::Origin::Builder to, const Origin& origin) {
  to.setNode(origin.node.value);
  to.setIncarnation(origin.incarnation);
}

/// All but number and texts.
void WriteItem(wire::Item::Builder to, const Item& item, uint16_t origin) {
  to.setStamp(item.stamp.value);
  to.setAt(item.at.value);
  to.setPart(static_cast<uint8_t>(item.part));
  to.setDatabase(item.database);
  to.setElementType(static_cast<uint8_t>(item.element_type));
  to.setKeyLength(static_cast<uint32_t>(item.key.size()));
  to.setElementLength(static_cast<uint32_t>(item.element.size()));
  to.setOrigin(origin);
}

void WriteItems(wire::Batch::Builder batch, const Content& content) {
  if (content.items.empty()) return;
  auto items = batch.initItems(static_cast<uint>(content.items.size()));
  auto wide = content.wide_numbers == 0 ? capnp::List<int64_t>::Builder()
                                        : batch.initWide(static_cast<uint>(content.wide_numbers));
  TextWriter texts(content, batch);
  uint wide_index = 0;
  for (uint i = 0; i < content.items.size(); ++i) {
    const Item& item = content.items[i];
    wire::Item::Builder to = items[i];
    WriteItem(to, item, content.origin_of.empty() ? uint16_t{0} : content.origin_of[i]);
    texts.Append(item.key);
    texts.Append(item.element);
    uint8_t flags = item.removed ? batch_format::kRemoved : uint8_t{0};
    if (item.value.kind == Value::Kind::kBytes) {
      flags |= batch_format::kBytes;
      to.setPayloadLength(static_cast<uint32_t>(item.value.bytes.size()));
      texts.Append(item.value.bytes);
    } else if (item.value.kind == Value::Kind::kNumber) {
      const Number& number = item.value.number;
      flags |= batch_format::kNumber;
      to.setNumber(LowHalf(number.units));
      to.setScale(number.scale);
      if (NeedsWide(number.units)) {
        flags |= batch_format::kWide;
        to.setWide(wide_index);
        wide.set(wide_index++, HighHalf(number.units));
      }
    }
    if (HasMillis(item.part)) to.setNumber(static_cast<uint64_t>(item.deadline_millis));
    to.setFlags(flags);
  }
}

void WriteBatch(capnp::MessageBuilder& message, const Content& content) {
  auto batch = message.initRoot<wire::Batch>();
  batch.setVersion(content.version);
  batch.setKind(content.kind);
  batch.setAfter(content.after.value);
  batch.setUpto(content.upto.value);
  if (!content.origins.empty()) {
    auto origins = batch.initOrigins(static_cast<uint>(content.origins.size()));
    for (uint i = 0; i < content.origins.size(); ++i) WriteOrigin(origins[i], content.origins[i]);
  }
  WriteItems(batch, content);
  if (!content.vector.empty()) {
    auto vector = batch.initVector(static_cast<uint>(content.vector.size()));
    for (uint i = 0; i < content.vector.size(); ++i) {
      WriteOrigin(vector[i].initOrigin(), content.vector[i].origin);
      vector[i].setUpto(content.vector[i].upto.value);
    }
  }
}

/// Builds the message right in the string it is returned in. Its segment must be zeroed, which a
/// string of that size is.
std::string Encode(Content& content) {
  content.Measure();
  const uint64_t words = content.Words();
  if (words > kMaxFlatWords) {
    capnp::MallocMessageBuilder message;
    WriteBatch(message, content);
    const kj::Array<capnp::word> flat = capnp::messageToFlatArray(message);
    const auto bytes = flat.asChars();
    return std::string(bytes.begin(), bytes.size());
  }
  std::string bytes(kSegmentTableBytes + words * kWordBytes, '\0');
  const std::array<uint32_t, 2> segment_table = {0, static_cast<uint32_t>(words)};
  std::memcpy(bytes.data(), segment_table.data(), kSegmentTableBytes);
  // Longer than what a string holds in place, so from the heap and aligned for any type.
  auto* const segment = reinterpret_cast<capnp::word*>(bytes.data() + kSegmentTableBytes);
  capnp::FlatMessageBuilder message(kj::arrayPtr(segment, words));
  WriteBatch(message, content);
  message.requireFilled();
  return bytes;
}

}  // namespace

std::string EncodeBatch(const BatchHeader& header, std::span<const Item> items) {
  Content content{.kind = wire::Batch::Kind::STREAM,
                  .after = header.after,
                  .upto = header.upto,
                  .items = items,
                  .origins = std::span(&header.origin, 1),
                  .origin_of = {},
                  .vector = {}};
  return Encode(content);
}

std::string EncodeChunk(std::span<const Item> items, const VersionVector& vector) {
  OriginColumn origins;
  std::vector<uint16_t> origin_of;
  origin_of.reserve(items.size());
  for (const Item& item : items) origin_of.push_back(origins.IndexOf(item.origin));
  Content content{.kind = wire::Batch::Kind::CHUNK,
                  .after = {},
                  .upto = {},
                  .items = items,
                  .origins = origins.origins(),
                  .origin_of = origin_of,
                  .vector = vector.entries()};
  return Encode(content);
}

}  // namespace starling
