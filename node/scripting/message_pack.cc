// `cmsgpack`: Lua values as MessagePack and back (https://github.com/msgpack/msgpack spec.md).
#include <cmath>
#include <cstring>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "node/scripting/sandbox.h"

namespace starling {
namespace {

/// Deeper tables are nil, as in Redis's library.
constexpr int kMaxDepth = 16;
constexpr size_t kMaxPacked = size_t{128} << 20;

class Packer {
 public:
  explicit Packer(lua_State* lua) : lua_(lua) {}

  /// Appends the value on top of the stack and pops it.
  void Pack(int depth = 0) {
    luaL_checkstack(lua_, 4, "too deeply nested");
    if (out_.size() > kMaxPacked) luaL_error(lua_, "not enough memory");
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING:
        PackString();
        break;
      case LUA_TBOOLEAN:
        Byte(lua_toboolean(lua_, -1) != 0 ? 0xC3 : 0xC2);
        break;
      case LUA_TNUMBER:
        PackNumber(lua_tonumber(lua_, -1));
        break;
      case LUA_TTABLE:
        depth == kMaxDepth ? Byte(0xC0) : PackTable(depth);
        break;
      default:
        Byte(0xC0);
    }
    lua_pop(lua_, 1);
  }
  const std::string& out() const { return out_; }

 private:
  void Byte(unsigned value) { out_.push_back(static_cast<char>(value)); }
  void Big(uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) Byte((value >> shift) & 0xFF);
  }
  void Tagged(unsigned tag, uint64_t value, int bytes) {
    Byte(tag);
    Big(value, bytes);
  }
  void PackString() {
    size_t size = 0;
    const char* text = lua_tolstring(lua_, -1, &size);
    if (size < 32) {
      Byte(0xA0 | static_cast<unsigned>(size));
    } else if (size <= 0xFF) {
      Tagged(0xD9, size, 1);
    } else if (size <= 0xFFFF) {
      Tagged(0xDA, size, 2);
    } else {
      Tagged(0xDB, size, 4);
    }
    out_.append(text, size);
  }
  void PackNumber(lua_Number number) {
    constexpr lua_Number kLimit = 9223372036854775808.0;
    if (std::floor(number) == number && number >= -kLimit && number < kLimit) {
      return PackInteger(static_cast<int64_t>(number));
    }
    const auto single = static_cast<float>(number);
    if (static_cast<lua_Number>(single) == number) {
      uint32_t bits = 0;
      std::memcpy(&bits, &single, sizeof(bits));
      return Tagged(0xCA, bits, 4);
    }
    uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof(bits));
    Tagged(0xCB, bits, 8);
  }
  void PackInteger(int64_t value) {
    const auto bits = static_cast<uint64_t>(value);
    if (value >= 0) {
      if (value <= 0x7F) return Byte(static_cast<unsigned>(value));
      if (value <= 0xFF) return Tagged(0xCC, bits, 1);
      if (value <= 0xFFFF) return Tagged(0xCD, bits, 2);
      if (value <= 0xFFFFFFFF) return Tagged(0xCE, bits, 4);
      return Tagged(0xCF, bits, 8);
    }
    if (value >= -32) return Byte(static_cast<unsigned>(bits & 0xFF));
    if (value >= INT8_MIN) return Tagged(0xD0, bits, 1);
    if (value >= INT16_MIN) return Tagged(0xD1, bits, 2);
    if (value >= INT32_MIN) return Tagged(0xD2, bits, 4);
    Tagged(0xD3, bits, 8);
  }
  /// Whether the keys of the table on top are 1, 2, ... `size`.
  bool IsArray(size_t& size) {
    size_t highest = 0;
    size = 0;
    for (lua_pushnil(lua_); lua_next(lua_, -2) != 0;) {
      lua_pop(lua_, 1);
      const lua_Number key = lua_type(lua_, -1) == LUA_TNUMBER ? lua_tonumber(lua_, -1) : 0;
      const bool fits = key >= 1 && key <= 1e9 && std::floor(key) == key;
      ++size;
      highest = std::max(highest, fits ? static_cast<size_t>(key) : SIZE_MAX);
    }
    return highest == size;
  }
  void PackTable(int depth) {
    size_t size = 0;
    const bool array = IsArray(size);
    if (size < 16) {
      Byte((array ? 0x90 : 0x80) | static_cast<unsigned>(size));
    } else if (size <= 0xFFFF) {
      Tagged(array ? 0xDC : 0xDE, size, 2);
    } else {
      Tagged(array ? 0xDD : 0xDF, size, 4);
    }
    for (size_t i = 1; array && i <= size; ++i) {
      lua_rawgeti(lua_, -1, static_cast<int>(i));
      Pack(depth + 1);
    }
    if (array) return;
    for (lua_pushnil(lua_); lua_next(lua_, -2) != 0;) {
      lua_pushvalue(lua_, -2);
      Pack(depth + 1);
      Pack(depth + 1);
    }
  }

  lua_State* lua_;
  std::string out_;
};

class Unpacker {
 public:
  Unpacker(lua_State* lua, std::string_view rest) : lua_(lua), rest_(rest) {}

  size_t left() const { return rest_.size(); }

  /// Pushes the next value. Raises an error where the bytes are none.
  void Push(int depth = 0) {
    luaL_checkstack(lua_, 4, "too deeply nested");
    if (depth > kMaxNesting) luaL_error(lua_, "Bad data format in input.");
    const auto tag = static_cast<unsigned>(Take(1));
    if (tag <= 0x7F) return lua_pushnumber(lua_, tag);
    if (tag >= 0xE0) return lua_pushnumber(lua_, static_cast<int8_t>(tag));
    if (tag <= 0x8F) return PushMap(tag & 0x0F, depth);
    if (tag <= 0x9F) return PushArray(tag & 0x0F, depth);
    if (tag <= 0xBF) return PushBytes(tag & 0x1F);
    PushTagged(tag, depth);
  }

 private:
  static constexpr int kMaxNesting = 150;

  uint64_t Take(size_t bytes) {
    if (rest_.size() < bytes) luaL_error(lua_, "Missing bytes in input.");
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(bytes);
    return value;
  }
  void PushBytes(uint64_t size) {
    if (rest_.size() < size) luaL_error(lua_, "Missing bytes in input.");
    lua_pushlstring(lua_, rest_.data(), size);
    rest_.remove_prefix(size);
  }
  void PushArray(uint64_t size, int depth) {
    lua_newtable(lua_);
    for (uint64_t i = 1; i <= size; ++i) {
      Push(depth + 1);
      lua_rawseti(lua_, -2, static_cast<int>(i));
    }
  }
  void PushMap(uint64_t size, int depth) {
    lua_newtable(lua_);
    for (uint64_t i = 0; i < size; ++i) {
      Push(depth + 1);
      const bool key = !lua_isnil(lua_, -1) &&
                       (lua_type(lua_, -1) != LUA_TNUMBER || !std::isnan(lua_tonumber(lua_, -1)));
      Push(depth + 1);
      if (!key) luaL_error(lua_, "Bad data format in input.");
      lua_rawset(lua_, -3);
    }
  }
  void PushTagged(unsigned tag, int depth) {
    switch (tag) {
      case 0xC0:
        return lua_pushnil(lua_);
      case 0xC2:
      case 0xC3:
        return lua_pushboolean(lua_, tag == 0xC3 ? 1 : 0);
      case 0xC4:
      case 0xD9:
        return PushBytes(Take(1));
      case 0xC5:
      case 0xDA:
        return PushBytes(Take(2));
      case 0xC6:
      case 0xDB:
        return PushBytes(Take(4));
      case 0xCA: {
        const auto bits = static_cast<uint32_t>(Take(4));
        float value = 0;
        std::memcpy(&value, &bits, sizeof(value));
        return lua_pushnumber(lua_, value);
      }
      case 0xCB: {
        const uint64_t bits = Take(8);
        double value = 0;
        std::memcpy(&value, &bits, sizeof(value));
        return lua_pushnumber(lua_, value);
      }
      case 0xCC:
        return lua_pushnumber(lua_, static_cast<lua_Number>(Take(1)));
      case 0xCD:
        return lua_pushnumber(lua_, static_cast<lua_Number>(Take(2)));
      case 0xCE:
        return lua_pushnumber(lua_, static_cast<lua_Number>(Take(4)));
      case 0xCF:
        return lua_pushnumber(lua_, static_cast<lua_Number>(Take(8)));
      case 0xD0:
        return lua_pushnumber(lua_, static_cast<int8_t>(Take(1)));
      case 0xD1:
        return lua_pushnumber(lua_, static_cast<int16_t>(Take(2)));
      case 0xD2:
        return lua_pushnumber(lua_, static_cast<int32_t>(Take(4)));
      case 0xD3:
        return lua_pushnumber(lua_, static_cast<lua_Number>(static_cast<int64_t>(Take(8))));
      case 0xDC:
        return PushArray(Take(2), depth);
      case 0xDD:
        return PushArray(Take(4), depth);
      case 0xDE:
        return PushMap(Take(2), depth);
      case 0xDF:
        return PushMap(Take(4), depth);
      default:
        luaL_error(lua_, "Bad data format in input.");
    }
  }

  lua_State* lua_;
  std::string_view rest_;
};

int Pack(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
  Packer packer(lua);
  for (int i = 1; i <= count; ++i) {
    lua_pushvalue(lua, i);
    packer.Pack();
  }
  lua_pushlstring(lua, packer.out().data(), packer.out().size());
  return 1;
}

/// Pushes up to `limit` values from `offset` on and returns how many; `left` says what is behind
/// them.
int UnpackFrom(lua_State* lua, std::string_view text, size_t limit, size_t& left) {
  Unpacker unpacker(lua, text);
  int count = 0;
  while (unpacker.left() > 0 && static_cast<size_t>(count) < limit) {
    unpacker.Push();
    ++count;
  }
  left = unpacker.left();
  return count;
}

std::string_view TextArgument(lua_State* lua) {
  size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  return {text, size};
}

int Unpack(lua_State* lua) {
  size_t left = 0;
  return UnpackFrom(lua, TextArgument(lua), SIZE_MAX, left);
}

/// Up to `limit` values from `offset` on, behind the offset of the next, -1 at the end; all values
/// without an offset where neither is given.
int UnpackSome(lua_State* lua, size_t limit, lua_Number offset) {
  const std::string_view text = TextArgument(lua);
  if (!(offset >= 0) || offset > static_cast<lua_Number>(text.size())) {
    return luaL_error(lua, "Start offset %d greater than input length %d.",
                      static_cast<int>(offset), static_cast<int>(text.size()));
  }
  size_t left = 0;
  if (limit == SIZE_MAX && offset == 0) return UnpackFrom(lua, text, limit, left);
  lua_settop(lua, 1);
  lua_pushnil(lua);
  const int count = UnpackFrom(lua, text.substr(static_cast<size_t>(offset)), limit, left);
  lua_pushnumber(lua, left == 0 ? -1 : static_cast<lua_Number>(text.size() - left));
  lua_replace(lua, 2);
  return count + 1;
}

int UnpackOne(lua_State* lua) { return UnpackSome(lua, 1, luaL_optnumber(lua, 2, 0)); }

int UnpackLimit(lua_State* lua) {
  const lua_Number limit = luaL_checknumber(lua, 2);
  if (!(limit >= 0 && limit <= 1e6)) return luaL_error(lua, "Invalid request to unpack.");
  return UnpackSome(lua, limit == 0 ? SIZE_MAX : static_cast<size_t>(limit),
                    luaL_optnumber(lua, 3, 0));
}

}  // namespace

void PushMessagePackLibrary(lua_State* lua) {
  constexpr luaL_Reg kFunctions[] = {{"pack", Pack},
                                     {"unpack", Unpack},
                                     {"unpack_one", UnpackOne},
                                     {"unpack_limit", UnpackLimit},
                                     {nullptr, nullptr}};
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
  lua_pushliteral(lua, "cmsgpack");
  lua_setfield(lua, -2, "_NAME");
  lua_pushliteral(lua, "lua-cmsgpack 0.4.0");  // whose functions these are
  lua_setfield(lua, -2, "_VERSION");
}

}  // namespace starling
