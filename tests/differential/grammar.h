/// A small generative grammar: turns rules as text into random command lines.
///
/// One rule a line, `name = alternative | alternative`, the rest of a line after `//` is a remark.
/// An alternative is a row of symbols, optionally behind a weight (`5: GET key`):
///
///   - `name`: a rule, expanded here; `name?` perhaps, `name*` up to three times, `name+` once to
///     thrice, `name{20..150}` that many times
///   - `WORD`: a keyword of the command line, sometimes sent in lower case
///   - `"bytes"`: exactly these, with \" \\ \r \n \t \xhh
///   - `#low..high`: a random integer; `~length`: that many random bytes
///   - `@s+100`: now in Unix seconds plus 100; `@ms-5` in milliseconds
///
/// Rules given later add alternatives to those given before under the same name, so that each
/// family of commands is a text of its own. Not thread-safe; the same seed gives the same lines
/// (times aside).
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "starling/result.h"

namespace starling {

/// A generated command line.
struct Sentence {
  std::vector<std::string> words;
  /// Its keywords in order: which command with which options.
  std::string shape;
};

class Grammar {
 public:
  using Random = std::mt19937_64;

  /// Adds the rules of `text`. Errors name the line.
  Status Add(std::string_view text);
  /// Whether every rule that is used exists. Call once after the last Add.
  Status Check() const;
  /// Expands `rule`, which exists.
  Sentence Generate(const std::string& rule, Random& random) const;
  /// What the alternatives of `rule` say that are one "bytes" symbol.
  std::vector<std::string> Literals(const std::string& rule) const;

 private:
  struct Symbol {
    enum class Kind { kRule, kKeyword, kBytes, kInteger, kRandomBytes, kSeconds, kMillis };
    Kind kind = Kind::kRule;
    std::string text;   ///< Rule name, keyword, bytes.
    int64_t least = 1;  ///< Rules: how often, at least and at most.
    int64_t most = 1;
    int64_t low = 0;  ///< Range; length; offset of a time.
    int64_t high = 0;
  };
  struct Alternative {
    int weight = 1;
    std::vector<Symbol> symbols;
  };
  struct Rule {
    std::vector<Alternative> alternatives;
    int total_weight = 0;
  };

  static Result<Alternative> ParseAlternative(std::string_view text);
  static Result<Symbol> ParseSymbol(std::string_view& text);
  static Status ParseRepetition(std::string_view& text, Symbol& symbol);
  void Expand(const std::string& rule, Random& random, Sentence& sentence) const;
  void Emit(const Symbol& symbol, Random& random, Sentence& sentence) const;

  std::map<std::string, Rule> rules_;
};

}  // namespace starling
