#include "node/rdb_object.h"

#include <absl/container/flat_hash_set.h>

#include "node/rdb_packed.h"
#include "node/rdb_reader.h"
#include "storage/score.h"

namespace starling {
namespace {

/// Redis's type bytes.
enum RdbType : uint8_t {
  kRdbString = 0,
  kRdbList = 1,
  kRdbSet = 2,
  kRdbSortedSet = 3,  ///< Scores as text.
  kRdbHash = 4,
  kRdbSortedSet2 = 5,  ///< Scores as binary doubles.
  kRdbListZiplist = 10,
  kRdbSetIntset = 11,
  kRdbSortedSetZiplist = 12,
  kRdbHashZiplist = 13,
  kRdbQuicklist = 14,  ///< Of ziplists.
  kRdbHashListpack = 16,
  kRdbSortedSetListpack = 17,
  kRdbQuicklist2 = 18,  ///< Of listpacks and single elements.
};

/// What a node of kRdbQuicklist2 is.
constexpr uint64_t kPlainNode = 1;
constexpr uint64_t kPackedNode = 2;

using ReadPacked = bool (*)(std::string_view bytes, std::vector<std::string>& elements);

bool ReadPackedString(RdbReader& in, ReadPacked read, RdbObject& object) {
  const std::optional<std::string> packed = in.String();
  return packed && read(*packed, object.texts);
}

/// `count` strings, `each` times as many where elements come in pairs.
bool ReadStrings(RdbReader& in, RdbObject& object, uint64_t each = 1) {
  const std::optional<uint64_t> count = in.Length();
  if (!count || *count > kMaxRdbElements) return false;
  for (uint64_t i = 0; i < *count * each; ++i) {
    std::optional<std::string> text = in.String();
    if (!text) return false;
    object.texts.push_back(std::move(*text));
  }
  return true;
}

bool ReadScored(RdbReader& in, RdbObject& object, bool binary) {
  const std::optional<uint64_t> count = in.Length();
  if (!count || *count > kMaxRdbElements) return false;
  for (uint64_t i = 0; i < *count; ++i) {
    std::optional<std::string> member = in.String();
    if (!member) return false;
    const std::optional<double> score = binary ? in.BinaryDouble() : in.TextDouble();
    if (!score) return false;
    object.texts.push_back(std::move(*member));
    object.scores.push_back(*score);
  }
  return true;
}

/// Members and scores in turn become members here and scores there.
bool SeparateScores(RdbObject& object) {
  if (object.texts.size() % 2 != 0) return false;
  const size_t members = object.texts.size() / 2;
  for (size_t i = 0; i < members; ++i) {
    const std::optional<double> score = ParseRdbDouble(object.texts[2 * i + 1]);
    if (!score) return false;
    object.scores.push_back(*score);
    if (i > 0) object.texts[i] = std::move(object.texts[2 * i]);
  }
  object.texts.resize(members);
  return true;
}

bool ReadQuicklist(RdbReader& in, RdbObject& object, bool ziplists) {
  const std::optional<uint64_t> nodes = in.Length();
  if (!nodes) return false;
  for (uint64_t i = 0; i < *nodes; ++i) {
    const std::optional<uint64_t> kind = ziplists ? kPackedNode : in.Length();
    if (kind == kPlainNode) {
      std::optional<std::string> text = in.String();
      if (!text || object.texts.size() >= kMaxRdbElements) return false;
      object.texts.push_back(std::move(*text));
    } else if (kind != kPackedNode ||
               !ReadPackedString(in, ziplists ? ReadZiplist : ReadListpack, object)) {
      return false;
    }
  }
  return true;
}

bool ReadContent(RdbReader& in, uint8_t type, RdbObject& object) {
  switch (type) {
    case kRdbString: {
      std::optional<std::string> text = in.String();
      if (text) object.texts.push_back(std::move(*text));
      return text.has_value();
    }
    case kRdbList:
    case kRdbSet:
      return ReadStrings(in, object);
    case kRdbHash:
      return ReadStrings(in, object, 2);
    case kRdbSortedSet:
      return ReadScored(in, object, /*binary=*/false);
    case kRdbSortedSet2:
      return ReadScored(in, object, /*binary=*/true);
    case kRdbListZiplist:
    case kRdbHashZiplist:
      return ReadPackedString(in, ReadZiplist, object);
    case kRdbSetIntset:
      return ReadPackedString(in, ReadIntset, object);
    case kRdbSortedSetZiplist:
      return ReadPackedString(in, ReadZiplist, object) && SeparateScores(object);
    case kRdbHashListpack:
      return ReadPackedString(in, ReadListpack, object);
    case kRdbSortedSetListpack:
      return ReadPackedString(in, ReadListpack, object) && SeparateScores(object);
    case kRdbQuicklist:
      return ReadQuicklist(in, object, /*ziplists=*/true);
    case kRdbQuicklist2:
      return ReadQuicklist(in, object, /*ziplists=*/false);
    default:
      return false;
  }
}

KeyType KeyTypeOf(uint8_t type) {
  switch (type) {
    case kRdbString:
      return KeyType::kString;
    case kRdbSet:
    case kRdbSetIntset:
      return KeyType::kSet;
    case kRdbSortedSet:
    case kRdbSortedSet2:
    case kRdbSortedSetZiplist:
    case kRdbSortedSetListpack:
      return KeyType::kSortedSet;
    case kRdbHash:
    case kRdbHashZiplist:
    case kRdbHashListpack:
      return KeyType::kHash;
    default:
      return KeyType::kList;
  }
}

bool IsSound(const RdbObject& object) {
  const std::vector<std::string>& texts = object.texts;
  if (texts.empty()) return false;
  if (object.type == KeyType::kString || object.type == KeyType::kList) return true;
  const size_t step = object.type == KeyType::kHash ? 2 : 1;
  if (texts.size() % step != 0) return false;
  absl::flat_hash_set<std::string_view> seen;
  for (size_t i = 0; i < texts.size(); i += step) {
    if (!seen.insert(texts[i]).second) return false;
  }
  return true;
}

uint8_t RdbTypeOf(KeyType type) {
  switch (type) {
    case KeyType::kSet:
      return kRdbSet;
    case KeyType::kHash:
      return kRdbHash;
    case KeyType::kSortedSet:
      return kRdbSortedSet2;
    case KeyType::kList:
      return kRdbList;
    default:
      return kRdbString;
  }
}

}  // namespace

std::optional<RdbObject> DecodeRdbObject(std::string_view bytes) {
  RdbReader in(bytes);
  const std::optional<uint8_t> type = in.Byte();
  RdbObject object;
  if (!type || !ReadContent(in, *type, object)) return std::nullopt;
  object.type = KeyTypeOf(*type);
  if (!IsSound(object)) return std::nullopt;
  return object;
}

std::optional<std::string> EncodeRdbObject(Access& access, const KeyRef& key, const KeyView& view) {
  if (view.type == KeyType::kNone || view.type == KeyType::kStream) return std::nullopt;
  std::string out(1, static_cast<char>(RdbTypeOf(view.type)));
  std::string buffer;
  if (view.type == KeyType::kString) {
    AppendRdbString(out, view.Text(buffer));
    return out;
  }
  AppendRdbLength(out, view.size);
  if (view.type == KeyType::kList) {
    access.ForEachInOrder(key, ElementType::kList, 0, view.size, /*reverse=*/false,
                          [&](std::string_view, const Value& value) {
                            AppendRdbString(out, TextOf(value, buffer));
                            return true;
                          });
    return out;
  }
  const ElementType type = view.type == KeyType::kSet    ? ElementType::kSet
                           : view.type == KeyType::kHash ? ElementType::kHash
                                                         : ElementType::kSortedSet;
  access.ForEachElement(key, type, [&](std::string_view id, const Value& value) {
    AppendRdbString(out, id);
    if (type == ElementType::kHash) AppendRdbString(out, TextOf(value, buffer));
    if (type == ElementType::kSortedSet) AppendRdbDouble(out, ScoreOf(value));
  });
  return out;
}

void WriteRdbObject(Access& access, const KeyRef& key, const RdbObject& object) {
  const std::vector<std::string>& texts = object.texts;
  ScoreText score;
  switch (object.type) {
    case KeyType::kString:
      return access.SetString(key, texts[0]);
    case KeyType::kList:
      for (const std::string& text : texts) {
        access.PushElement(key, /*left=*/false, Value::FromText(text));
      }
      return;
    case KeyType::kSet:
      for (const std::string& text : texts) access.AddElement(key, ElementType::kSet, text);
      return;
    case KeyType::kHash:
      for (size_t i = 0; i < texts.size(); i += 2) {
        access.AddElement(key, ElementType::kHash, texts[i], Value::FromText(texts[i + 1]));
      }
      return;
    case KeyType::kSortedSet:
      for (size_t i = 0; i < texts.size(); ++i) {
        access.AddElement(key, ElementType::kSortedSet, texts[i],
                          ScoreValue(object.scores[i] + 0.0, score));
      }
      return;
    default:
      return;
  }
}

}  // namespace starling
