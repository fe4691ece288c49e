// `struct`: numbers and strings as bytes by a format, as Redis's library of that name.
//
// Formats: `>` `<` `=` byte order, `!n` alignment, `x` padding, `b B` `h H` `l L` `T` `i I` with an
// optional size, `f`, `d`, `s` up to a zero byte, `cn` n bytes (c0: as many as the string has, or
// as the number before says).
#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "node/scripting/sandbox.h"

namespace starling {
namespace {

constexpr size_t kMaxInteger = 32;
constexpr size_t kMaxAlignment = 8;
constexpr size_t kMostBytes = size_t{64} << 20;

/// Goes through a format, option by option.
class Format {
 public:
  Format(lua_State* lua, std::string_view rest) : lua_(lua), rest_(rest) {}

  struct Option {
    char code = 0;
    size_t size = 0;   ///< Bytes of the value; of `s`, 0.
    size_t align = 0;  ///< Padding before it, in bytes.
  };

  /// The next option that stands for bytes, at offset `at`; false at the end.
  bool Next(size_t at, Option& option) {
    while (!rest_.empty()) {
      const char code = rest_.front();
      rest_.remove_prefix(1);
      if (std::isspace(static_cast<unsigned char>(code)) != 0 || IsControl(code)) continue;
      option = {code, SizeOf(code), 0};
      const bool aligns = code != 'c' && code != 's' && code != 'x' && option.size > 1;
      const size_t align = aligns ? std::min(option.size, align_) : 1;
      if (!std::has_single_bit(align)) {
        luaL_error(lua_, "integral size %d is not a power of 2", static_cast<int>(align));
      }
      option.align = (align - at % align) % align;
      return true;
    }
    return false;
  }
  bool little() const { return little_; }

 private:
  /// Whether the option only says how others are written.
  bool IsControl(char code) {
    if (code == '<' || code == '>' || code == '=') {
      little_ = code == '=' ? std::endian::native == std::endian::little : code == '<';
      return true;
    }
    if (code != '!') return false;
    align_ = Number(kMaxAlignment);
    if (align_ == 0 || !std::has_single_bit(align_)) {
      luaL_error(lua_, "alignment is not a power of 2");
    }
    return true;
  }
  size_t Number(size_t otherwise) {
    if (rest_.empty() || std::isdigit(static_cast<unsigned char>(rest_.front())) == 0) {
      return otherwise;
    }
    size_t value = 0;
    while (!rest_.empty() && std::isdigit(static_cast<unsigned char>(rest_.front())) != 0) {
      value = value * 10 + static_cast<size_t>(rest_.front() - '0');
      if (value > kMostBytes) luaL_error(lua_, "integral size overflow");
      rest_.remove_prefix(1);
    }
    return value;
  }
  size_t SizeOf(char code) {
    switch (code) {
      case 'b':
      case 'B':
      case 'x':
        return 1;
      case 'h':
      case 'H':
        return sizeof(short);
      case 'l':
      case 'L':
      case 'T':
        return sizeof(long);
      case 'f':
        return sizeof(float);
      case 'd':
      case 'n':
        return sizeof(double);
      case 'i':
      case 'I': {
        const size_t size = Number(sizeof(int));
        if (size == 0 || size > kMaxInteger) {
          luaL_error(lua_, "integral size %d is larger than limit of %d", static_cast<int>(size),
                     static_cast<int>(kMaxInteger));
        }
        return size;
      }
      case 'c':
        return Number(1);
      case 's':
        return 0;
      default:
        luaL_error(lua_, "invalid format option '%c'", code);
        return 0;
    }
  }

  lua_State* lua_;
  std::string_view rest_;
  bool little_ = std::endian::native == std::endian::little;
  size_t align_ = 1;
};

std::string_view TextAt(lua_State* lua, int index) {
  size_t size = 0;
  const char* text = luaL_checklstring(lua, index, &size);
  return {text, size};
}

void AppendInteger(std::string& out, lua_Number number, size_t size, bool little) {
  constexpr lua_Number kLimit = 9223372036854775808.0;
  uint64_t value = 0;
  if (number < 0 && number >= -kLimit) value = static_cast<uint64_t>(static_cast<int64_t>(number));
  if (number >= 0 && number < 2 * kLimit) value = static_cast<uint64_t>(number);
  const char fill = number < 0 ? '\xff' : '\0';
  std::string bytes;
  for (size_t i = 0; i < size; ++i) {
    bytes.push_back(i < sizeof(value) ? static_cast<char>(value >> (8 * i) & 0xFF) : fill);
  }
  if (!little) std::reverse(bytes.begin(), bytes.end());
  out += bytes;
}

template <typename Float>
void AppendFloat(std::string& out, Float value, bool little) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  if (little != (std::endian::native == std::endian::little)) {
    std::reverse(std::begin(bytes), std::end(bytes));
  }
  out.append(bytes, sizeof(bytes));
}

template <typename Float>
Float FloatOf(std::string_view text, bool little) {
  char bytes[sizeof(Float)];
  std::memcpy(bytes, text.data(), sizeof(bytes));
  if (little != (std::endian::native == std::endian::little)) {
    std::reverse(std::begin(bytes), std::end(bytes));
  }
  Float value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

lua_Number IntegerOf(std::string_view text, bool is_signed, bool little) {
  std::string bytes(text);
  if (little) std::reverse(bytes.begin(), bytes.end());
  if (bytes.size() > sizeof(uint64_t)) bytes.erase(0, bytes.size() - sizeof(uint64_t));
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  if (!is_signed) return static_cast<lua_Number>(value);
  const size_t unused = 64 - 8 * bytes.size();
  return static_cast<lua_Number>(static_cast<int64_t>(value << unused) >> unused);
}

int Pack(lua_State* lua) {
  Format format(lua, TextAt(lua, 1));
  std::string out;
  Format::Option option;
  for (int argument = 2; format.Next(out.size(), option);) {
    if (out.size() + option.size > kMostBytes) return luaL_error(lua, "not enough memory");
    out.append(option.align, '\0');
    if (option.code == 'x') {
      out.push_back('\0');
    } else if (option.code == 'f') {
      AppendFloat(out, static_cast<float>(luaL_checknumber(lua, argument++)), format.little());
    } else if (option.code == 'd' || option.code == 'n') {
      AppendFloat(out, static_cast<double>(luaL_checknumber(lua, argument++)), format.little());
    } else if (option.code == 'c' || option.code == 's') {
      const std::string_view text = TextAt(lua, argument++);
      const size_t size = option.size == 0 ? text.size() : option.size;
      luaL_argcheck(lua, text.size() >= size, argument - 1, "string too short");
      out.append(text.substr(0, size));
      if (option.code == 's') out.push_back('\0');
    } else {
      AppendInteger(out, luaL_checknumber(lua, argument++), option.size, format.little());
    }
  }
  lua_pushlstring(lua, out.data(), out.size());
  return 1;
}

int Unpack(lua_State* lua) {
  Format format(lua, TextAt(lua, 1));
  const std::string_view data = TextAt(lua, 2);
  const lua_Number first = luaL_optnumber(lua, 3, 1);
  luaL_argcheck(lua, first >= 1 && first - 1 <= static_cast<lua_Number>(data.size()), 3,
                "offset must be 1 or greater");
  size_t at = static_cast<size_t>(first) - 1;
  lua_settop(lua, 2);
  Format::Option option;
  while (format.Next(at, option)) {
    luaL_checkstack(lua, 2, "too many results");
    at += option.align;
    if (option.code == 'c' && option.size == 0) {
      // The value before says how long it is.
      if (lua_gettop(lua) < 3 || lua_type(lua, -1) != LUA_TNUMBER) {
        return luaL_error(lua, "format 'c0' needs a previous size");
      }
      const lua_Number size = lua_tonumber(lua, -1);
      option.size = size >= 0 && size <= static_cast<lua_Number>(data.size())
                        ? static_cast<size_t>(size)
                        : kMostBytes;
      lua_pop(lua, 1);
    }
    luaL_argcheck(lua, at <= data.size() && option.size <= data.size() - at, 2,
                  "data string too short");
    const std::string_view bytes = data.substr(at, option.size);
    at += option.size;
    if (option.code == 'x') continue;
    if (option.code == 'c') {
      lua_pushlstring(lua, bytes.data(), bytes.size());
    } else if (option.code == 's') {
      const size_t size = data.substr(at).find('\0');
      if (size == std::string_view::npos) return luaL_error(lua, "unfinished string in data");
      lua_pushlstring(lua, data.data() + at, size);
      at += size + 1;
    } else if (option.code == 'f') {
      lua_pushnumber(lua, FloatOf<float>(bytes, format.little()));
    } else if (option.code == 'd' || option.code == 'n') {
      lua_pushnumber(lua, FloatOf<double>(bytes, format.little()));
    } else {
      const bool is_signed = std::islower(static_cast<unsigned char>(option.code)) != 0;
      lua_pushnumber(lua, IntegerOf(bytes, is_signed, format.little()));
    }
  }
  lua_pushnumber(lua, static_cast<lua_Number>(at + 1));
  return lua_gettop(lua) - 2;
}

int Size(lua_State* lua) {
  Format format(lua, TextAt(lua, 1));
  size_t at = 0;
  Format::Option option;
  while (format.Next(at, option)) {
    if (option.code == 's') luaL_argerror(lua, 1, "variable-size format in 'size'");
    if (option.code == 'c' && option.size == 0) {
      luaL_argerror(lua, 1, "variable-length format in 'size'");
    }
    at += option.align + option.size;
    if (at > kMostBytes) return luaL_error(lua, "format too large");
  }
  lua_pushnumber(lua, static_cast<lua_Number>(at));
  return 1;
}

}  // namespace

void PushStructLibrary(lua_State* lua) {
  constexpr luaL_Reg kFunctions[] = {
      {"pack", Pack}, {"unpack", Unpack}, {"size", Size}, {nullptr, nullptr}};
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
}

}  // namespace starling
