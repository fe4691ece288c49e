#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "storage/batch.capnp.h"
#include "storage/batch_codec.h"
#include "storage/batch_format.h"
#include "storage/item_rules.h"

namespace starling {
namespace {

constexpr size_t kWordBytes = sizeof(capnp::word);
constexpr int kNestingLimit = 4;
/// What reading a message counts beyond its own words (the root pointer, empty lists).
constexpr uint64_t kTraversalSlackWords = 64;

Error Corrupt(std::string what) { return Error{Code::kCorruption, "batch: " + std::move(what)}; }

/// A message over words that are aligned, by a copy where they were not.
class Message {
 public:
  explicit Message(std::string_view bytes) {
    if (reinterpret_cast<uintptr_t>(bytes.data()) % kWordBytes != 0 && !bytes.empty()) {
      copy_ = std::make_unique<std::string>(std::max(bytes.size(), size_t{64}), '\0');
      std::memcpy(copy_->data(), bytes.data(), bytes.size());
      bytes = std::string_view(copy_->data(), bytes.size());
    }
    const auto words =
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(bytes.data()), bytes.size() / kWordBytes);
    capnp::ReaderOptions options;
    options.traversalLimitInWords = words.size() + kTraversalSlackWords;
    options.nestingLimit = kNestingLimit;
    reader_.emplace(words, options);
    whole_ = bytes.size() % kWordBytes == 0 && reader_->getEnd() == words.end();
  }

  /// Whether the message is all that the bytes hold.
  bool whole() const { return whole_; }
  wire::Batch::Reader batch() { return reader_->getRoot<wire::Batch>(); }
  /// The aligned copy, where one was made: texts may be borrowed from it.
  std::unique_ptr<std::string> TakeCopy() { return std::move(copy_); }
  bool copied() const { return copy_ != nullptr; }

 private:
  std::unique_ptr<std::string> copy_;
  std::optional<capnp::FlatArrayMessageReader> reader_;
  bool whole_ = false;
};

Origin ReadOrigin(wire::Origin::Reader from) {
  return Origin{NodeId{from.getNode()}, from.getIncarnation()};
}

Status CheckPreamble(Message& message, wire::Batch::Reader batch) {
  if (!message.whole()) return Corrupt("bytes left over after the message");
  if (batch.getVersion() < kOldestBatchFormatVersion || batch.getVersion() > kBatchFormatVersion) {
    return Corrupt("format version " + std::to_string(batch.getVersion()) + ", this node reads " +
                   std::to_string(kOldestBatchFormatVersion) + " to " +
                   std::to_string(kBatchFormatVersion));
  }
  return {};
}

Result<BatchHeader> ReadStreamHeader(wire::Batch::Reader batch,
                                     capnp::List<wire::Origin>::Reader origins) {
  if (origins.size() != 1) {
    return Corrupt(std::to_string(origins.size()) + " origins in a stream batch, it must have one");
  }
  const BatchHeader header{ReadOrigin(origins[0]), Stamp{batch.getAfter()}, Stamp{batch.getUpto()}};
  if (header.after >= header.upto) {
    return Corrupt("ends at " + std::to_string(header.upto.value) + ", not after its beginning " +
                   std::to_string(header.after.value));
  }
  return header;
}

/// Cuts texts off, front to back.
class TextReader {
 public:
  explicit TextReader(std::string_view texts) : left_(texts) {}
  bool Take(uint64_t length, std::string_view& text) {
    if (length > kMaxTextBytes || length > left_.size()) return false;
    text = left_.substr(0, length);
    left_.remove_prefix(length);
    return true;
  }
  size_t left() const { return left_.size(); }

 private:
  std::string_view left_;
};

/// Number and flags of an item; false where they contradict each other or miss.
bool ReadValue(wire::Item::Reader from, capnp::List<int64_t>::Reader wide, Item& item) {
  const uint8_t flags = from.getFlags();
  if ((flags & ~batch_format::kAllFlags) != 0) return false;
  const bool number = (flags & batch_format::kNumber) != 0;
  const bool bytes = (flags & batch_format::kBytes) != 0;
  const bool is_wide = (flags & batch_format::kWide) != 0;
  if ((number && bytes) || (is_wide && !number)) return false;
  item.removed = (flags & batch_format::kRemoved) != 0;
  if (number) {
    if (is_wide && from.getWide() >= wide.size()) return false;
    const auto low = from.getNumber();
    const int64_t high = is_wide ? wide[from.getWide()] : static_cast<int64_t>(low) >> 63;
    const auto units = static_cast<unsigned __int128>(high) << 64 | low;
    item.value = Value::OfNumber(Number{static_cast<__int128>(units), from.getScale()});
    return true;
  }
  if (from.getScale() != 0) return false;
  if (item.part == Part::kExpiry || item.part == Part::kClaim) {
    item.deadline_millis = static_cast<int64_t>(from.getNumber());
  } else if (from.getNumber() != 0) {
    return false;
  }
  if (bytes) item.value.kind = Value::Kind::kBytes;
  return true;
}

Error ItemError(size_t index, const char* what) {
  return Corrupt("item " + std::to_string(index) + ": " + what);
}

Status ReadItem(size_t index, wire::Item::Reader from, capnp::List<int64_t>::Reader wide,
                std::span<const Origin> origins, TextReader& texts, Item& item) {
  item.part = static_cast<Part>(from.getPart());
  item.database = from.getDatabase();
  item.element_type = static_cast<ElementType>(from.getElementType());
  item.stamp = Stamp{from.getStamp()};
  item.at = Stamp{from.getAt()};
  if (from.getOrigin() >= origins.size()) return ItemError(index, "unknown origin");
  item.origin = origins[from.getOrigin()];
  if (!ReadValue(from, wide, item)) return ItemError(index, "contradictory flags");
  std::string_view payload;
  if (!texts.Take(from.getKeyLength(), item.key) ||
      !texts.Take(from.getElementLength(), item.element) ||
      !texts.Take(from.getPayloadLength(), payload)) {
    return ItemError(index, "its texts are longer than what the batch holds");
  }
  if (item.value.kind == Value::Kind::kBytes) {
    item.value.bytes = payload;
  } else if (!payload.empty()) {
    return ItemError(index, "a payload that its flags deny");
  }
  if (const char* fault = ItemFault(item)) return ItemError(index, fault);
  return {};
}

Result<VersionVector> ReadVector(wire::Batch::Reader batch) {
  VersionVector vector;
  for (const auto entry : batch.getVector()) {
    const Origin origin = ReadOrigin(entry.getOrigin());
    // Ascending origins, as they are written, keep a long hostile vector from costing its square.
    if (!vector.empty() && vector.entries().back().origin >= origin) {
      return Corrupt("vector not in order");
    }
    if (entry.getUpto() == 0) return Corrupt("vector entry without a stamp");
    vector.Set(origin, Stamp{entry.getUpto()});
  }
  return vector;
}

/// All texts in one string: the message's own copy where one was made and they lie in one piece.
struct Texts {
  std::unique_ptr<std::string> owner;
  std::string_view view;
};

Texts GatherTexts(Message& message, wire::Batch::Reader batch) {
  const auto pieces = batch.getTexts();
  Texts texts;
  if (pieces.size() == 1 && message.copied()) {
    const auto piece = pieces[0];
    texts.view = {reinterpret_cast<const char*>(piece.begin()), piece.size()};
    texts.owner = message.TakeCopy();
    return texts;
  }
  texts.owner = std::make_unique<std::string>();
  for (const auto piece : pieces) {
    texts.owner->append(reinterpret_cast<const char*>(piece.begin()), piece.size());
  }
  texts.view = *texts.owner;
  return texts;
}

}  // namespace

Result<DecodedBatch> DecodedBatch::Decode(std::string_view bytes) try {
  Message message(bytes);
  const wire::Batch::Reader batch = message.batch();
  if (Status status = CheckPreamble(message, batch); !status) return status.error();
  const auto wire_origins = batch.getOrigins();
  DecodedBatch decoded;
  decoded.is_chunk_ = batch.getKind() == wire::Batch::Kind::CHUNK;
  if (decoded.is_chunk_) {
    Result<VersionVector> vector = ReadVector(batch);
    if (!vector) return vector.error();
    decoded.vector_ = *std::move(vector);
  } else {
    if (batch.getKind() != wire::Batch::Kind::STREAM) return Corrupt("unknown kind");
    const Result<BatchHeader> header = ReadStreamHeader(batch, wire_origins);
    if (!header) return header.error();
    if (batch.hasVector()) return Corrupt("a vector in a stream batch");
    decoded.header_ = *header;
  }
  const auto items = batch.getItems();
  const auto wide = batch.getWide();
  // Checked before anything is allocated for them: a list of empty structs takes no bytes at all.
  if (uint64_t{items.size()} * batch_format::kItemBytes > bytes.size()) {
    return Corrupt(std::to_string(items.size()) + " items in " + std::to_string(bytes.size()) +
                   " bytes");
  }
  std::vector<Origin> origins;
  for (const auto origin : wire_origins) origins.push_back(ReadOrigin(origin));
  Texts texts = GatherTexts(message, batch);
  TextReader reader(texts.view);
  decoded.items_.resize(items.size());
  for (uint i = 0; i < items.size(); ++i) {
    Item& item = decoded.items_[i];
    if (Status s = ReadItem(i, items[i], wide, origins, reader, item); !s) return s.error();
    if (!decoded.is_chunk_ &&
        (item.stamp <= decoded.header_.after || item.stamp > decoded.header_.upto)) {
      return ItemError(i, "stamp outside the batch");
    }
  }
  if (reader.left() != 0) return Corrupt("texts longer than its items say");
  decoded.texts_ = std::move(texts.owner);
  return decoded;
} catch (const kj::Exception& exception) {
  return Corrupt(exception.getDescription().cStr());
}

Result<BatchHeader> DecodedBatch::DecodeHeader(std::string_view bytes) try {
  Message message(bytes);
  const wire::Batch::Reader batch = message.batch();
  if (Status status = CheckPreamble(message, batch); !status) return status.error();
  if (batch.getKind() != wire::Batch::Kind::STREAM) return Corrupt("not a batch of a stream");
  return ReadStreamHeader(batch, batch.getOrigins());
} catch (const kj::Exception& exception) {
  return Corrupt(exception.getDescription().cStr());
}

}  // namespace starling
