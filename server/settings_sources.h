/// Fills the settings from their three sources: flags over environment over file over defaults.
///
/// What is unknown or malformed is refused by its name, its source and what would be right; nothing
/// is passed over.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/settings.h"
#include "starling/result.h"

namespace starling {

using EnvironmentVariables = std::vector<std::pair<std::string, std::string>>;

struct LoadedSettings {
  enum class Wish : uint8_t { kServe, kShowHelp, kShowVersion };
  Wish wish = Wish::kServe;
  Settings settings;
  std::string config_file;  ///< Empty: none was given.
  std::string help;         ///< kShowHelp only.
};

/// `arguments` without the program's name. Errors: kInvalidArgument, kIo (the file cannot be read).
Result<LoadedSettings> LoadSettings(std::span<const std::string> arguments,
                                    const EnvironmentVariables& environment);

/// Applies a configuration file's text; `file` is its name for errors. On errors `settings` may be
/// half filled.
Status ApplyConfigText(std::string_view text, const std::string& file, Settings& settings);

/// The process's environment.
EnvironmentVariables ProcessEnvironment();

/// Fills in what depends on other settings or on the host: name, dir, gossip port. `port` is the
/// one that is open. Errors: kInvalidArgument says which option to give.
Status ResolveSettings(int port, const EnvironmentVariables& environment, Settings& settings);

}  // namespace starling
