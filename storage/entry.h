/// How an entry stands in memory and on disk.
///
/// In memory: one cell `[flags][accessed][database][key length][key][parts]`; long payloads,
/// elements and the claim stand elsewhere. On disk (the `state` family):
/// `[version][origins][flags][parts][long payload]` under a name that holds database and key; each
/// element is a record of its own, so that one element changed is one record written. Stateless;
/// not thread-safe beyond its arguments.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "starling/result.h"
#include "storage/collection.h"
#include "storage/key_ref.h"
#include "storage/key_state.h"
#include "storage/origin_table.h"
#include "storage/packed.h"

namespace starling {

// --- in memory ---

/// Cells are ours and whole: reading them needs no bound, and asking the slab for their size would
/// cost a cache miss.
inline constexpr size_t kWholeCell = size_t{1} << 40;

/// The key a cell holds; borrows from the cell.
KeyRef CellKey(const uint8_t* cell);
/// Bytes a cell for this entry takes at most.
size_t CellBound(std::string_view key, const KeyState& state);
/// Writes the cell; returns its size. `block`: see KeepPayload.
size_t PackCell(uint8_t* out, const KeyRef& key, const KeyState& state, const char* block);
/// Reads a cell; views in `state` borrow from it. `block` receives the long payload or null.
void UnpackCell(const uint8_t* cell, KeyState& state, const char** block);
/// The access time within a cell, which changes in place.
uint32_t CellAccessed(const uint8_t* cell);
void SetCellAccessed(uint8_t* cell, uint32_t seconds);

// --- on disk ---

/// What a record of the state family is about.
struct StateName {
  enum class Kind : uint8_t { kDatabaseCut = 0, kEntry = 1, kElement = 2 };
  Kind kind = Kind::kEntry;
  uint8_t database = 0;
  std::string_view key;
  ElementType element_type = ElementType::kNone;
  std::string_view element;

  std::string Encode() const;
  /// The name every element of the key begins with.
  std::string ElementPrefix() const;
  /// kCorruption when malformed; borrows from `name`.
  static Result<StateName> Decode(std::string_view name);
};

std::string EncodeState(const KeyState& state, const OriginTable& origins);
/// Views in `state` borrow from `bytes`; its claim is `claim`, if there is one. kCorruption when
/// malformed; `state` is then undefined.
Status DecodeState(std::string_view bytes, OriginTable& origins, KeyState& state,
                   std::unique_ptr<Claim>& claim);
std::string EncodeElement(const Register& value, const OriginTable& origins);
Status DecodeElement(std::string_view bytes, OriginTable& origins, Register& value);
/// A database's cut and its own version.
std::string EncodeDatabaseCut(Stamp cut, const Version& version, const OriginTable& origins);
Status DecodeDatabaseCut(std::string_view bytes, OriginTable& origins, Stamp& cut,
                         Version& version);

}  // namespace starling
