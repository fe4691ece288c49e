#include "node/scripting/values.h"

#include <algorithm>
#include <charconv>
#include <lua.hpp>

namespace starling {
namespace {

/// What a script may answer at most, in bytes: a table that names one string a thousand times costs
/// it nothing.
constexpr size_t kMaxReply = size_t{512} << 20;
/// Slots of Lua's stack that one level of a value takes.
constexpr int kStackSlots = 8;
/// Tables within tables of a reply: what the stack of any thread bears. (Redis stops at Lua's own
/// limit, some thousands, with the same words.)
constexpr int kMaxDepth = 1000;

class ReplyReader {
 public:
  ReplyReader(lua_State* lua, std::string_view rest) : lua_(lua), rest_(rest) {}

  void Push() {
    luaL_checkstack(lua_, kStackSlots, "reply is nested too deeply");
    const char type = rest_.front();
    const std::string_view line = TakeLine();
    switch (type) {
      case ':':
        return lua_pushnumber(lua_, static_cast<lua_Number>(IntegerOf(line)));
      case '$':
        return PushBulk(line);
      case '+':
        return PushField("ok", line);
      case '-':
        return PushError(lua_, line);
      case '_':
        return lua_pushnil(lua_);
      case '#':
        return lua_pushboolean(lua_, line == "t" ? 1 : 0);
      case ',':
        lua_createtable(lua_, 0, 1);
        lua_pushnumber(lua_, DoubleOf(line));
        return lua_setfield(lua_, -2, "double");
      case '(':
        return PushField("big_number", line);
      case '=':
        return PushVerbatim(line);
      case '%':
        return PushMap(IntegerOf(line));
      case '~':
        return PushSet(IntegerOf(line));
      default:
        return PushArray(IntegerOf(line));
    }
  }

 private:
  static int64_t IntegerOf(std::string_view text) {
    int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  static double DoubleOf(std::string_view text) {
    double value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  std::string_view TakeLine() {
    const size_t end = rest_.find('\r');
    const std::string_view line = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 2);
    return line;
  }
  std::string_view TakeBytes(std::string_view length) {
    const auto size = static_cast<size_t>(IntegerOf(length));
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size + 2);
    return bytes;
  }
  void PushField(const char* name, std::string_view text) {
    lua_createtable(lua_, 0, 1);
    lua_pushlstring(lua_, text.data(), text.size());
    lua_setfield(lua_, -2, name);
  }
  void PushBulk(std::string_view length) {
    if (length == "-1") return lua_pushboolean(lua_, 0);
    const std::string_view bytes = TakeBytes(length);
    lua_pushlstring(lua_, bytes.data(), bytes.size());
  }
  void PushVerbatim(std::string_view length) {
    const std::string_view bytes = TakeBytes(length);
    lua_createtable(lua_, 0, 1);
    PushField("string", bytes.substr(4));
    lua_pushlstring(lua_, bytes.data(), 3);
    lua_setfield(lua_, -2, "format");
    lua_setfield(lua_, -2, "verbatim_string");
  }
  void PushArray(int64_t count) {
    if (count < 0) return lua_pushboolean(lua_, 0);
    lua_createtable(lua_, static_cast<int>(count), 0);
    for (int i = 1; i <= count; ++i) {
      Push();
      lua_rawseti(lua_, -2, i);
    }
  }
  void PushMap(int64_t pairs) {
    lua_createtable(lua_, 0, 1);
    lua_createtable(lua_, 0, static_cast<int>(pairs));
    for (int64_t i = 0; i < pairs; ++i) {
      Push();
      Push();
      lua_rawset(lua_, -3);
    }
    lua_setfield(lua_, -2, "map");
  }
  void PushSet(int64_t count) {
    lua_createtable(lua_, 0, 1);
    lua_createtable(lua_, 0, static_cast<int>(count));
    for (int64_t i = 0; i < count; ++i) {
      Push();
      lua_pushboolean(lua_, 1);
      lua_rawset(lua_, -3);
    }
    lua_setfield(lua_, -2, "set");
  }

  lua_State* lua_;
  std::string_view rest_;
};

class ValueWriter {
 public:
  ValueWriter(lua_State* lua, Reply& reply, int protocol)
      : lua_(lua), reply_(reply), protocol_(protocol), start_(reply.out().size()) {}

  /// Writes the value on top of the stack and pops it.
  void Write() {
    if (depth_ == kMaxDepth || lua_checkstack(lua_, kStackSlots) == 0) {
      lua_pop(lua_, 1);
      return reply_.Error("ERR reached lua stack limit");
    }
    ++depth_;
    if (reply_.out().size() - start_ > kMaxReply) {
      luaL_error(lua_, "the reply of a script is too large");
    }
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING:
        reply_.Bulk(Text(-1));
        break;
      case LUA_TBOOLEAN:
        WriteBoolean(lua_toboolean(lua_, -1) != 0);
        break;
      case LUA_TNUMBER:
        reply_.Integer(IntegerOf(lua_tonumber(lua_, -1)));
        break;
      case LUA_TTABLE:
        WriteTable();
        break;
      default:
        reply_.Null();
    }
    --depth_;
    lua_pop(lua_, 1);
  }

 private:
  /// As a cast does where it is defined; beyond, the least integer, as on the machines of Redis.
  static int64_t IntegerOf(lua_Number number) {
    constexpr lua_Number kLimit = 9223372036854775808.0;
    if (number >= -kLimit && number < kLimit) return static_cast<int64_t>(number);
    return INT64_MIN;
  }
  std::string_view Text(int index) {
    size_t size = 0;
    const char* text = lua_tolstring(lua_, index, &size);
    return {text, size};
  }
  /// As one line: Redis takes such texts for C strings.
  std::string Line(int index) {
    std::string line(Text(index));
    line.resize(std::min(line.size(), line.find('\0')));
    for (char& c : line) {
      if (c == '\r' || c == '\n') c = ' ';
    }
    return line;
  }
  void WriteBoolean(bool value) {
    if (protocol_ >= 3) return reply_.Boolean(value);
    if (value) return reply_.Integer(1);
    reply_.Null();
  }
  /// Pushes a field, without metamethods: nothing of the script runs while it is answered. False,
  /// with nothing pushed, where its type is another.
  bool Field(const char* name, int type) {
    lua_pushstring(lua_, name);
    lua_rawget(lua_, -2);
    if (lua_type(lua_, -1) == type) return true;
    lua_pop(lua_, 1);
    return false;
  }

  void WriteTable() {
    if (Field("err", LUA_TSTRING)) {
      lua_pop(lua_, 1);
      return reply_.Error(ErrorText(lua_));
    }
    if (Field("ok", LUA_TSTRING)) {
      reply_.Simple(Line(-1));
    } else if (Field("double", LUA_TNUMBER)) {
      reply_.Double(lua_tonumber(lua_, -1));
    } else if (Field("map", LUA_TTABLE)) {
      WriteMap();
    } else if (Field("set", LUA_TTABLE)) {
      WriteSet();
    } else if (Field("big_number", LUA_TSTRING)) {
      reply_.BigNumber(Line(-1));
    } else if (Field("verbatim_string", LUA_TTABLE)) {
      WriteVerbatim();
    } else {
      return WriteArray();
    }
    lua_pop(lua_, 1);
  }
  void WriteVerbatim() {
    if (!Field("format", LUA_TSTRING)) return reply_.Null();
    const std::string format = (std::string(Text(-1)) + "   ").substr(0, 3);
    lua_pop(lua_, 1);
    if (!Field("string", LUA_TSTRING)) return reply_.Null();
    reply_.Verbatim(Text(-1), format);
    lua_pop(lua_, 1);
  }
  size_t Count() {
    size_t count = 0;
    for (lua_pushnil(lua_); lua_next(lua_, -2) != 0; lua_pop(lua_, 1)) ++count;
    return count;
  }
  void WriteMap() {
    reply_.Map(Count());
    for (lua_pushnil(lua_); lua_next(lua_, -2) != 0;) {
      lua_pushvalue(lua_, -2);
      Write();
      Write();
    }
  }
  void WriteSet() {
    reply_.Set(Count());
    for (lua_pushnil(lua_); lua_next(lua_, -2) != 0;) {
      lua_pop(lua_, 1);
      lua_pushvalue(lua_, -1);
      Write();
    }
  }
  void WriteArray() {
    int count = 0;
    for (bool more = true; more;) {
      lua_rawgeti(lua_, -1, count + 1);
      more = !lua_isnil(lua_, -1);
      lua_pop(lua_, 1);
      if (more) ++count;
    }
    reply_.Array(static_cast<size_t>(count));
    for (int i = 1; i <= count; ++i) {
      lua_rawgeti(lua_, -1, i);
      Write();
    }
  }

  lua_State* lua_;
  Reply& reply_;
  int protocol_;
  size_t start_;
  int depth_ = 0;
};

}  // namespace

void PushReply(lua_State* lua, std::string_view reply) { ReplyReader(lua, reply).Push(); }

void ReplyValue(lua_State* lua, Reply& reply, int protocol) {
  ValueWriter(lua, reply, protocol).Write();
}

void PushError(lua_State* lua, std::string_view text) {
  lua_createtable(lua, 0, 3);
  lua_pushlstring(lua, text.data(), text.size());
  lua_setfield(lua, -2, "err");
}

std::string ErrorText(lua_State* lua) {
  lua_pushstring(lua, "err");
  lua_rawget(lua, -2);
  size_t size = 0;
  const char* text = lua_isstring(lua, -1) != 0 ? lua_tolstring(lua, -1, &size) : nullptr;
  std::string error = text == nullptr ? "ERR unknown error" : std::string(text, size);
  error.resize(std::min(error.size(), error.find('\0')));
  lua_pop(lua, 1);
  return error;
}

}  // namespace starling
