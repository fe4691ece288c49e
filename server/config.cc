#include "server/config.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "node/glob.h"
#include "server/option_table.h"
#include "server/settings_sources.h"

namespace starling {
namespace {

Error SetFailed(const std::string& name, const std::string& reason) {
  return Error{Code::kInvalidArgument,
               "CONFIG SET failed (possibly related to argument '" + name + "') - " + reason};
}

/// `text` as a TOML basic string.
std::string TomlString(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') {
      quoted.append(1, '\\').append(1, c);
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      std::snprintf(escaped, sizeof(escaped), "\\u%04X", static_cast<unsigned>(c));
      quoted.append(escaped);
    } else {
      quoted.push_back(c);
    }
  }
  return quoted.append("\"");
}

/// Whether `line` of the file sets `name`.
bool SetsOption(std::string_view line, std::string_view name) {
  size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos || !line.substr(begin).starts_with(name)) return false;
  size_t equals = line.find_first_not_of(" \t", begin + name.size());
  return equals != std::string_view::npos && line[equals] == '=';
}

/// The text with the line that sets `name` replaced, or one appended.
std::string WithOption(const std::string& text, const std::string& name, const std::string& value) {
  const std::string wanted = name + " = " + TomlString(value) + "\n";
  std::string result;
  bool replaced = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool same = SetsOption(line, name);
    result.append(same ? wanted : line + "\n");
    replaced = replaced || same;
  }
  return replaced ? result : result + wanted;
}

Error CannotWrite(const std::string& file) {
  return Error{Code::kIo, "configuration file " + file + " cannot be written"};
}

}  // namespace

Config::Config(Settings settings, std::string file)
    : file_(std::move(file)), settings_(std::make_shared<const Settings>(std::move(settings))) {}

std::shared_ptr<const Settings> Config::settings() const {
  std::lock_guard lock(mutex_);
  return settings_;
}

void Config::SetApplier(Applier applier) {
  std::lock_guard lock(mutex_);
  applier_ = std::move(applier);
}

SettingValues Config::Get(std::string_view pattern) const {
  std::shared_ptr<const Settings> now = settings();
  SettingValues values;
  for (const Option& option : AllOptions()) {
    if (!GlobMatch(pattern, option.name, GlobCase::kIgnore)) continue;
    values.emplace_back(option.name, option.print(*now));
  }
  return values;
}

Status Config::Parse(const SettingValues& values, Settings& next) const {
  std::set<std::string> seen;
  for (const auto& [name, value] : values) {
    const Option* option = FindOption(name);
    if (option == nullptr) {
      return Error{Code::kInvalidArgument,
                   "Unknown option or number of arguments for CONFIG SET - '" + name + "'"};
    }
    if (option->change != Option::Change::kLive) {
      return SetFailed(name, "can't set immutable config");
    }
    if (!seen.insert(option->name).second) return SetFailed(name, "duplicate parameter");
  }
  for (const auto& [name, value] : values) {
    Status parsed = FindOption(name)->parse(value, next);
    if (!parsed.ok()) return SetFailed(name, parsed.error().message);
  }
  return {};
}

Status Config::Set(const SettingValues& values) {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<Settings>(*settings_);
  Status parsed = Parse(values, *next);
  if (!parsed.ok()) return parsed;
  if (applier_) {
    Status applied = applier_(*next);
    if (!applied.ok()) return SetFailed(values.front().first, applied.error().message);
  }
  for (const auto& [name, value] : values) changed_.insert(FindOption(name)->name);
  settings_ = std::move(next);
  version_.fetch_add(1, std::memory_order_release);
  return {};
}

Status Config::Rewrite() {
  if (file_.empty()) {
    return Error{Code::kNotFound, "The server is running without a config file"};
  }
  std::lock_guard lock(mutex_);
  std::ostringstream whole;
  std::ifstream in(file_, std::ios::binary);
  if (in.peek() != std::ifstream::traits_type::eof()) whole << in.rdbuf();
  std::string text = std::move(whole).str();
  for (const std::string& name : changed_) {
    text = WithOption(text, name, FindOption(name)->print(*settings_));
  }
  // The proof that nothing else in the file meant the same: it reads back as what was set.
  Settings back;
  Status parsed = ApplyConfigText(text, file_, back);
  for (const std::string& name : changed_) {
    if (parsed.ok() && FindOption(name)->print(back) == FindOption(name)->print(*settings_)) {
      continue;
    }
    return Error{Code::kRefused, "'" + name + "' is not set on a line of its own in " + file_ +
                                     "; change it there"};
  }
  const std::string fresh = file_ + ".tmp-" + std::to_string(::getpid());
  {
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out) return CannotWrite(fresh);
  }
  if (std::rename(fresh.c_str(), file_.c_str()) != 0) return CannotWrite(file_);
  return {};
}

}  // namespace starling
