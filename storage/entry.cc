#include "storage/entry.h"

#include <algorithm>
#include <functional>

#include "storage/check.h"
#include "storage/keyspace.h"

namespace starling {
namespace {

enum EntryFlag : uint8_t {
  kHasCut = 1,
  kHasString = 2,
  kHasExpiry = 4,
  kHasCollection = 8,
  kInWheel = 16,
  kChanged = 32,
  kCounted = 64,
  kCountedDeadline = 128,
};

/// On disk, where a collection has no flag.
constexpr uint8_t kStoredClaim = 8;
/// In a cell's byte of the database.
constexpr uint8_t kHasClaim = 128;
static_assert(kAllDatabases <= kHasClaim);

/// Version 2 has claims; what has none is still written as version 1.
constexpr uint8_t kStateVersion = 2;
constexpr uint8_t kOldestStateVersion = 1;
constexpr size_t kAccessedAt = 1;
constexpr size_t kDatabaseAt = 5;
constexpr size_t kKeyLengthAt = 6;

uint8_t PartFlags(const KeyState& state) {
  return static_cast<uint8_t>((state.cut.none() ? 0 : kHasCut) |
                              (state.HasString() ? kHasString : 0) |
                              (state.expiry_version.none() ? 0 : kHasExpiry));
}

void PackParts(PackedWriter& out, const KeyState& state, const char* block) {
  if (!state.cut.none()) {
    out.Time(state.cut);
    out.Time(state.cut_version.stamp);
    out.Varint(state.cut_version.origin);
  }
  if (state.HasString()) PackRegister(out, state.string, block);
  if (!state.expiry_version.none()) {
    out.Time(state.expiry_version.stamp);
    out.Varint(state.expiry_version.origin);
    // A deadline is after its own stamp, so no difference can stand for "none".
    out.Signed(state.HasDeadline() ? state.deadline_millis - state.expiry_version.stamp.millis()
                                   : 0);
  }
}

void UnpackParts(PackedReader& in, uint8_t flags, KeyState& state, const char** block) {
  *block = nullptr;
  if (flags & kHasCut) {
    state.cut = in.Time();
    state.cut_version.stamp = in.Time();
    state.cut_version.origin = in.Varint<OriginIndex>();
  }
  if (flags & kHasString) UnpackRegister(in, state.string, block);
  if (flags & kHasExpiry) {
    state.expiry_version.stamp = in.Time();
    state.expiry_version.origin = in.Varint<OriginIndex>();
    const int64_t after = in.Signed();
    state.deadline_millis = after == 0 ? 0 : state.expiry_version.stamp.millis() + after;
  }
}

void PackClaim(PackedWriter& out, const Claim& claim, OriginIndex origin) {
  out.Time(claim.version.stamp);
  out.Varint(origin);
  out.Time(claim.token);
  out.Byte(claim.ended ? 1 : 0);
  out.Varint(static_cast<uint64_t>(claim.ttl_millis));
  out.Varint(claim.text.size());
  out.Bytes(claim.text);
}

std::unique_ptr<Claim> UnpackClaim(PackedReader& in) {
  auto claim = std::make_unique<Claim>();
  claim->version.stamp = in.Time();
  claim->version.origin = in.Varint<OriginIndex>();
  claim->token = in.Time();
  const uint8_t ended = in.Byte();
  const uint64_t ttl = in.Varint();
  const std::string_view text = in.Bytes(in.Varint());
  claim->ended = ended != 0;
  claim->ttl_millis = static_cast<int64_t>(ttl);
  claim->text = text;
  const bool whole = ended <= 1 && ttl <= static_cast<uint64_t>(Stamp::kMaxMillis) &&
                     !claim->token.none() && claim->token <= claim->version.stamp &&
                     (!claim->ended || (ttl == 0 && text.empty()));
  if (!whole) in.Fail();
  return claim;
}

/// Origins of one record, numbered from 0 in order of first use.
class RecordOrigins {
 public:
  explicit RecordOrigins(const OriginTable& table) : table_(table) {}

  void Renumber(OriginIndex& index) {
    const auto found = std::find(known_.begin(), known_.end(), index);
    const auto number = static_cast<OriginIndex>(found - known_.begin());
    if (found == known_.end()) known_.push_back(index);
    index = number;
  }
  void Renumber(Register& value) {
    if (!value.version.none()) Renumber(value.version.origin);
    for (Slot& slot : value.slots) Renumber(slot.origin);
  }
  size_t Bound() const { return 8 + known_.size() * 20; }
  void Write(PackedWriter& out, uint8_t version) const {
    out.Byte(version);
    out.Varint(known_.size());
    for (const OriginIndex index : known_) {
      out.Fixed(table_.At(index).node.value);
      out.Varint(table_.At(index).incarnation);
    }
  }

 private:
  const OriginTable& table_;
  absl::InlinedVector<OriginIndex, 8> known_;
};

Error Malformed(const char* what) {
  return {Code::kCorruption, std::string("malformed state record: ") + what};
}

/// Reads version and origins; the numbers in the record index the result.
Result<std::vector<OriginIndex>> ReadOrigins(PackedReader& in, OriginTable& table) {
  const uint8_t version = in.Byte();
  if (version < kOldestStateVersion || version > kStateVersion) return Malformed("unknown version");
  const size_t count = in.Varint();
  if (count > OriginTable::kMaxOrigins) return Malformed("too many origins");
  std::vector<OriginIndex> origins;
  for (size_t i = 0; i < count && in.ok(); ++i) {
    Origin origin;
    origin.node.value = in.Fixed<uint64_t>();
    origin.incarnation = in.Varint();
    if (in.ok()) origins.push_back(table.IndexOf(origin));
  }
  if (!in.ok()) return Malformed("truncated origins");
  return origins;
}

bool Map(const std::vector<OriginIndex>& origins, OriginIndex& index) {
  if (index >= origins.size()) return false;
  index = origins[index];
  return true;
}

bool Map(const std::vector<OriginIndex>& origins, Register& value) {
  if (!value.version.none() && !Map(origins, value.version.origin)) return false;
  for (Slot& slot : value.slots) {
    if (!Map(origins, slot.origin)) return false;
  }
  return true;
}

bool IsLong(const Register& value) {
  return value.base.kind == Value::Kind::kBytes && value.base.bytes.size() > kMaxInlinePayload;
}

/// Builds a record: origins, then what `pack` writes, then a long payload.
std::string BuildRecord(const RecordOrigins& origins, size_t bound, const Register* value,
                        const std::function<void(PackedWriter&)>& pack,
                        uint8_t version = kOldestStateVersion) {
  std::string record;
  record.resize(bound + origins.Bound());
  PackedWriter out(reinterpret_cast<uint8_t*>(record.data()));
  origins.Write(out, version);
  pack(out);
  record.resize(out.at() - reinterpret_cast<uint8_t*>(record.data()));
  if (value != nullptr && IsLong(*value)) record.append(value->base.bytes);
  return record;
}

/// Reads the long payload that stands at the end of a record, where there is one. On disk its
/// block's place is empty.
void ReadLongPayload(PackedReader& in, Register& value, const char* block) {
  if (block != nullptr) in.Fail();
  if (IsLong(value)) value.base = Value::Bytes(in.Bytes(value.base.bytes.size()));
}

/// Whether all parts that are there have their stamps, and each origin one slot.
bool IsWhole(const Register& value) {
  if (value.version.none() && value.base.kind != Value::Kind::kNone) return false;
  for (const Slot& slot : value.slots) {
    if (slot.born.none() || slot.stamp < slot.born || value.Find(slot.origin) != &slot)
      return false;
  }
  return true;
}

size_t RegisterBound(const Register& value) {
  return PackedRegisterBound(value) + (IsLong(value) ? 0 : value.base.bytes.size());
}

PackedReader ReaderOf(std::string_view bytes) {
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  return PackedReader(at, at + bytes.size());
}

}  // namespace

KeyRef CellKey(const uint8_t* cell) {
  PackedReader in(cell + kDatabaseAt, cell + kWholeCell);
  KeyRef key;
  key.database = in.Byte() & ~kHasClaim;
  key.name = in.Bytes(in.Varint());
  return key;
}

size_t CellBound(std::string_view key, const KeyState& state) {
  return key.size() + RegisterBound(state.string) + 96;
}

size_t PackCell(uint8_t* cell, const KeyRef& key, const KeyState& state, const char* block) {
  PackedWriter out(cell);
  out.Byte(static_cast<uint8_t>(PartFlags(state) | (state.collection.none() ? 0 : kHasCollection) |
                                (state.wheel_place != 0 ? kInWheel : 0) |
                                (state.changed ? kChanged : 0) | (state.counted ? kCounted : 0) |
                                (state.counted_deadline ? kCountedDeadline : 0)));
  out.Fixed(state.accessed_seconds);
  out.Byte(key.database | (state.claim != nullptr ? kHasClaim : 0));
  out.Varint(key.name.size());
  out.Bytes(key.name);
  PackParts(out, state, block);
  if (!state.collection.none()) out.Fixed(state.collection);
  if (state.wheel_place != 0) out.Fixed(state.wheel_place);
  if (state.claim != nullptr) out.Fixed(state.claim);
  return static_cast<size_t>(out.at() - cell);
}

void UnpackCell(const uint8_t* cell, KeyState& state, const char** block) {
  const uint8_t flags = cell[0];
  state.accessed_seconds = CellAccessed(cell);
  PackedReader in(cell + kKeyLengthAt, cell + kWholeCell);
  in.Bytes(in.Varint());
  UnpackParts(in, flags, state, block);
  if (flags & kHasCollection) state.collection = in.Fixed<Collection>();
  if (flags & kInWheel) state.wheel_place = in.Fixed<WheelPlace>();
  if (cell[kDatabaseAt] & kHasClaim) state.claim = in.Fixed<Claim*>();
  state.changed = flags & kChanged;
  state.counted = flags & kCounted;
  state.counted_deadline = flags & kCountedDeadline;
  STARLING_CHECK(in.ok());
}

uint32_t CellAccessed(const uint8_t* cell) {
  uint32_t seconds;
  std::memcpy(&seconds, cell + kAccessedAt, sizeof seconds);
  return seconds;
}

void SetCellAccessed(uint8_t* cell, uint32_t seconds) {
  std::memcpy(cell + kAccessedAt, &seconds, sizeof seconds);
}

std::string StateName::ElementPrefix() const {
  std::string name;
  name.push_back(static_cast<char>(Kind::kElement));
  name.push_back(static_cast<char>(database));
  for (int shift = 24; shift >= 0; shift -= 8) {
    name.push_back(static_cast<char>(key.size() >> shift));
  }
  name.append(key);
  return name;
}

std::string StateName::Encode() const {
  if (kind == Kind::kElement) {
    std::string name = ElementPrefix();
    name.push_back(static_cast<char>(element_type));
    return name.append(element);
  }
  std::string name;
  name.push_back(static_cast<char>(kind));
  name.push_back(static_cast<char>(database));
  return name.append(key);
}

Result<StateName> StateName::Decode(std::string_view name) {
  PackedReader in = ReaderOf(name);
  StateName result;
  const uint8_t kind = in.Byte();
  result.database = in.Byte();
  if (!in.ok() || kind > 2) return Malformed("unknown kind of name");
  result.kind = static_cast<Kind>(kind);
  if (result.kind != Kind::kElement) {
    result.key = name.substr(2);
    return result;
  }
  size_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | in.Byte();
  result.key = in.Bytes(length);
  const uint8_t type = in.Byte();
  if (!in.ok() || type == 0 || type >= Collection::kElementTypes) {
    return Malformed("element name");
  }
  result.element_type = static_cast<ElementType>(type);
  result.element = name.substr(7 + length);
  return result;
}

std::string EncodeState(const KeyState& source, const OriginTable& table) {
  KeyState state = source;
  RecordOrigins origins(table);
  if (!state.cut.none()) origins.Renumber(state.cut_version.origin);
  origins.Renumber(state.string);
  if (!state.expiry_version.none()) origins.Renumber(state.expiry_version.origin);
  const Claim* const claim = state.claim;
  OriginIndex claim_origin = 0;
  size_t bound = 96 + RegisterBound(state.string);
  if (claim != nullptr) {
    claim_origin = claim->version.origin;
    origins.Renumber(claim_origin);
    bound += 64 + claim->text.size();
  }
  return BuildRecord(
      origins, bound, &state.string,
      [&](PackedWriter& out) {
        out.Byte(PartFlags(state) | (claim != nullptr ? kStoredClaim : 0));
        PackParts(out, state, nullptr);
        if (claim != nullptr) PackClaim(out, *claim, claim_origin);
      },
      claim != nullptr ? kStateVersion : kOldestStateVersion);
}

Status DecodeState(std::string_view bytes, OriginTable& table, KeyState& state,
                   std::unique_ptr<Claim>& claim) {
  PackedReader in = ReaderOf(bytes);
  const Result<std::vector<OriginIndex>> origins = ReadOrigins(in, table);
  if (!origins) return origins.error();
  const uint8_t flags = in.Byte();
  if (flags & ~(kHasCut | kHasString | kHasExpiry | kStoredClaim)) {
    return Malformed("unknown parts");
  }
  const char* block;
  UnpackParts(in, flags, state, &block);
  claim = flags & kStoredClaim ? UnpackClaim(in) : nullptr;
  state.claim = claim.get();
  ReadLongPayload(in, state.string, block);
  const bool mapped = Map(*origins, state.string) &&
                      (state.cut.none() || Map(*origins, state.cut_version.origin)) &&
                      (state.expiry_version.none() || Map(*origins, state.expiry_version.origin)) &&
                      (claim == nullptr || Map(*origins, claim->version.origin));
  if (!in.ok() || !in.AtEnd() || !mapped || !IsWhole(state.string)) return Malformed("parts");
  return {};
}

std::string EncodeElement(const Register& source, const OriginTable& table) {
  Register value = source;
  RecordOrigins origins(table);
  origins.Renumber(value);
  return BuildRecord(origins, RegisterBound(value), &value,
                     [&](PackedWriter& out) { PackRegister(out, value, nullptr); });
}

Status DecodeElement(std::string_view bytes, OriginTable& table, Register& value) {
  PackedReader in = ReaderOf(bytes);
  const Result<std::vector<OriginIndex>> origins = ReadOrigins(in, table);
  if (!origins) return origins.error();
  const char* block;
  UnpackRegister(in, value, &block);
  ReadLongPayload(in, value, block);
  if (!in.ok() || !in.AtEnd() || !Map(*origins, value) || !IsWhole(value)) {
    return Malformed("element");
  }
  return {};
}

std::string EncodeDatabaseCut(Stamp cut, const Version& version, const OriginTable& table) {
  KeyState state;
  state.cut = cut;
  state.cut_version = version;
  return EncodeState(state, table);
}

Status DecodeDatabaseCut(std::string_view bytes, OriginTable& table, Stamp& cut, Version& version) {
  KeyState state;
  std::unique_ptr<Claim> claim;
  if (const Status status = DecodeState(bytes, table, state, claim); !status) return status;
  cut = state.cut;
  version = state.cut_version;
  return {};
}

}  // namespace starling
