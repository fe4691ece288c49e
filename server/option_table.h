/// The one table of options: it drives flags, file, environment, CONFIG GET/SET and the help.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/settings.h"
#include "starling/result.h"

namespace starling {

/// Flag `--name`, key `name` of the file, variable `STARLING_NAME` (dashes become underscores).
struct Option {
  enum class Change : uint8_t {
    kAtStart,   ///< Fixed once the process runs.
    kLive,      ///< CONFIG SET changes it.
    kConstant,  ///< What clients ask for and starling has only one answer to; cannot be given.
  };

  const char* name;
  const char* value;  ///< Form of the value, for the help.
  const char* help;   ///< One line: unit, range, what each direction costs.
  Change change;
  /// Errors (nothing changed): what a right value would be, in the words of Redis's CONFIG SET.
  Status (*parse)(std::string_view text, Settings& settings);
  /// The value in the form that `parse` takes.
  std::string (*print)(const Settings& settings);
};

/// In the order of the help.
std::span<const Option> AllOptions();
/// Null when there is none of that name (any case).
const Option* FindOption(std::string_view name);
/// `; did you mean 'maxclients'?` where some option is called nearly so, else empty.
std::string Suggestion(std::string_view name);

}  // namespace starling
