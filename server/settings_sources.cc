#include "server/settings_sources.h"

#include <unistd.h>

#include <toml++/toml.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "node/address.h"
#include "server/option_table.h"

namespace starling {
namespace {

constexpr std::string_view kPrefix = "STARLING_";
constexpr int kHighestPort = 65535;
constexpr int kGossipOffset = 10'000;
/// Given with nothing in it (an unset variable of a script), each of these would silently mean less
/// than was meant; who wants none leaves it out.
constexpr std::string_view kNeedValue[] = {
    "name", "dir", "advertise", "join", "ports-file", "meeting-folder", "secret-file"};

Error Refused(std::string message) { return Error{Code::kInvalidArgument, std::move(message)}; }

Status Apply(const Option& option, std::string_view text, const std::string& where,
             Settings& settings) {
  if (option.change == Option::Change::kConstant) {
    return Refused(where + " cannot be given: its value is always '" + option.print(settings) +
                   "'");
  }
  const bool blank = text.find_first_not_of(" \t,") == std::string_view::npos;
  if (blank &&
      std::ranges::find(kNeedValue, std::string_view(option.name)) != std::end(kNeedValue)) {
    return Refused(where + " '" + std::string(text) + "': names nothing; leave it out for none");
  }
  Status parsed = option.parse(text, settings);
  if (parsed.ok()) return {};
  // A password's text does not belong into a terminal or a log.
  const bool secret = std::strcmp(option.name, "requirepass") == 0;
  std::string value = secret ? "" : " '" + std::string(text) + "'";
  std::string message = where + value + ": " + parsed.error().message;
  // Redis's words for what is no integer, alone among these, do not say what would be right.
  if (message.find(" must be ") == std::string::npos) {
    message.append(" (").append(option.value).append(": ").append(option.help).append(")");
  }
  return Refused(message);
}

// --- environment ---

std::string OptionName(std::string_view variable) {
  std::string name(variable.substr(kPrefix.size()));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return name;
}

Status ApplyEnvironment(const EnvironmentVariables& environment, Settings& settings) {
  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with(kPrefix)) continue;
    std::string name = OptionName(variable);
    if (name == "config") continue;  // read before, since the file comes below the environment
    const Option* option = FindOption(name);
    if (option == nullptr) {
      return Refused("environment variable " + variable + " is no option of starlingd" +
                     Suggestion(name));
    }
    Status applied = Apply(*option, value, "environment variable " + variable, settings);
    if (!applied.ok()) return applied;
  }
  return {};
}

// --- file ---

/// A TOML value in the form of a flag's; nullopt where no option takes such a value.
std::optional<std::string> FlagForm(const toml::node& node) {
  if (auto text = node.value_exact<std::string>()) return *text;
  if (auto number = node.value_exact<int64_t>()) return std::to_string(*number);
  if (auto truth = node.value_exact<bool>()) return *truth ? "yes" : "no";
  const toml::array* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::string words;
  for (const toml::node& element : *array) {
    std::optional<std::string> word = element.value_exact<std::string>();
    if (!word) return std::nullopt;
    words.append(words.empty() ? "" : " ").append(*word);
  }
  return words;
}

Result<toml::table> ParseToml(std::string_view text, const std::string& file) {
  try {
    return toml::table(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return Refused(file + ":" + std::to_string(error.source().begin.line) + ": " +
                   std::string(error.description()));
  }
}

// --- flags ---

struct Flags {
  std::vector<std::pair<const Option*, std::string>> values;
  std::string config_file;
};

/// What --help says of an option: its default too, where the text does not tell how it comes about.
std::string HelpOf(const Option& option) {
  std::string help = option.help;
  const std::string value = option.print(Settings{});
  if (!value.empty() && help.find("Default: ") == std::string::npos) {
    help.append(" Default: ").append(value).append(".");
  }
  return help;
}

/// One string per option, filled by CLI11.
struct FlagParser {
  CLI::App app{
      "starlingd, a node of a starling cluster that speaks Redis's protocol.\n"
      "Every option can also stand in the file (key = \"value\") and in the environment\n"
      "(--gossip-port is STARLING_GOSSIP_PORT); flags come before environment before file.",
      "starlingd"};
  std::vector<std::string> texts;
  std::vector<CLI::Option*> flags;
  std::string config_file;
  bool version = false;

  FlagParser() : texts(AllOptions().size()), flags(AllOptions().size()) {
    app.allow_extras();
    app.add_option("--config", config_file, "Configuration file (TOML).")->type_name("<path>");
    app.add_flag("--version", version, "Print the version and end.");
    for (size_t i = 0; i < AllOptions().size(); ++i) {
      const Option& option = AllOptions()[i];
      if (option.change == Option::Change::kConstant) continue;
      flags[i] = app.add_option(std::string("--") + option.name, texts[i], HelpOf(option));
      flags[i]->type_name(option.value);
      flags[i]->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    app.get_formatter()->column_width(36);
  }
};

std::string ReadWhole(std::istream& in) {
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

Status ApplyFile(const std::string& file, Settings& settings) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::string text = in ? ReadWhole(in) : "";
  if (std::error_code ignored; std::filesystem::is_directory(file, ignored)) errno = EISDIR;
  if (!in || in.bad() || errno == EISDIR) {
    return Error{Code::kIo, "configuration file " + file + ": " +
                                (errno != 0 ? std::strerror(errno) : "cannot be read")};
  }
  return ApplyConfigText(text, file, settings);
}

Error UnknownArgument(const std::string& argument) {
  if (!argument.starts_with("-")) {
    return Refused("argument '" + argument +
                   "' belongs to no option; a configuration file is given by --config");
  }
  std::string name = argument.substr(0, argument.find('='));
  name.erase(0, name.find_first_not_of('-'));
  return Refused("option " + argument.substr(0, argument.find('=')) + " is no option of starlingd" +
                 Suggestion(name) + (Suggestion(name).empty() ? "; --help lists them" : ""));
}

}  // namespace

Status ApplyConfigText(std::string_view text, const std::string& file, Settings& settings) {
  Result<toml::table> table = ParseToml(text, file);
  if (!table) return table.error();
  for (const auto& [key, node] : *table) {
    const std::string name(key.str());
    const std::string where = file + ":" + std::to_string(node.source().begin.line) + ": ";
    const Option* option = FindOption(name);
    if (option == nullptr) {
      return Refused(where + (node.is_table() ? "the file has no sections, so not [" + name + "]"
                                              : "key '" + name + "' is no option of starlingd" +
                                                    Suggestion(name)));
    }
    std::optional<std::string> value = FlagForm(node);
    if (!value) {
      return Refused(where + "key '" + name +
                     "' needs a text, a whole number, true or false, or a list of texts");
    }
    Status applied = Apply(*option, *value, where + "key '" + name + "'", settings);
    if (!applied.ok()) return applied;
  }
  return {};
}

Result<LoadedSettings> LoadSettings(std::span<const std::string> arguments,
                                    const EnvironmentVariables& environment) {
  LoadedSettings loaded;
  FlagParser parser;
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11's order
    parser.app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    loaded.wish = LoadedSettings::Wish::kShowHelp;
    loaded.help = parser.app.help();
    return loaded;
  } catch (const CLI::ParseError& error) {
    return Refused(error.what());
  }
  if (parser.version) {
    loaded.wish = LoadedSettings::Wish::kShowVersion;
    return loaded;
  }
  if (std::vector<std::string> unknown = parser.app.remaining(); !unknown.empty()) {
    return UnknownArgument(unknown.front());
  }

  loaded.config_file = parser.config_file;
  for (const auto& [variable, value] : environment) {
    if (variable == "STARLING_CONFIG" && loaded.config_file.empty()) loaded.config_file = value;
  }
  Status applied;
  if (!loaded.config_file.empty()) applied = ApplyFile(loaded.config_file, loaded.settings);
  if (applied.ok()) applied = ApplyEnvironment(environment, loaded.settings);
  for (size_t i = 0; i < AllOptions().size() && applied.ok(); ++i) {
    if (parser.flags[i] == nullptr || parser.flags[i]->count() == 0) continue;
    const Option& option = AllOptions()[i];
    applied =
        Apply(option, parser.texts[i], std::string("option --") + option.name, loaded.settings);
  }
  if (!applied.ok()) return applied.error();
  return loaded;
}

EnvironmentVariables ProcessEnvironment() {
  EnvironmentVariables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

namespace {

std::string Variable(const EnvironmentVariables& environment, std::string_view name) {
  for (const auto& [variable, value] : environment) {
    if (variable == name) return value;
  }
  return {};
}

/// The host's name with everything replaced that a member's name may not hold.
std::string PlainHostName() {
  char host[256] = {};
  if (::gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0') return "node";
  std::string name = host;
  for (char& c : name) {
    if (!IsPlainName(std::string_view(&c, 1)) && c != '.') c = '-';
  }
  name.resize(std::min<size_t>(name.size(), 100));
  return IsPlainName(name) ? name : "node";
}

}  // namespace

Status ResolveSettings(int port, const EnvironmentVariables& environment, Settings& settings) {
  if (settings.name.empty()) {
    if (settings.port == 0 && settings.appendonly) {
      return Refused("option --name: needed with --port 0, or each start would be a new member");
    }
    settings.name = PlainHostName() + "-" + std::to_string(port);
  }
  if (!IsPlainName(settings.name)) {
    return Refused("option --name '" + settings.name +
                   "': letters, digits, '.', '_' and '-' make a name, at most 128 of them");
  }
  if (!settings.advertise.empty() && !IsHostName(settings.advertise) &&
      !IsNumericHost(settings.advertise)) {
    return Refused("option --advertise '" + settings.advertise +
                   "': neither an address nor a host name (the port is gossip-port's)");
  }
  if (settings.gossip_port < 0) {
    const int wished = port + kGossipOffset;
    if (wished > kHighestPort && settings.port != 0) {
      return Refused("option --gossip-port: needed, since port + 10000 is above 65535");
    }
    settings.gossip_port = settings.port == 0 ? 0 : wished;
  }
  settings.port = port;
  if (!settings.dir.empty() || !settings.appendonly) return {};
  std::string state = Variable(environment, "XDG_STATE_HOME");
  if (state.empty() && !Variable(environment, "HOME").empty()) {
    state = Variable(environment, "HOME") + "/.local/state";
  }
  if (state.empty()) {
    return Refused("option --dir: needed, since neither XDG_STATE_HOME nor HOME is set");
  }
  settings.dir = state + "/starling/" + settings.name;
  return {};
}

}  // namespace starling
