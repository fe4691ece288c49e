#include "tests/differential/grammar.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>

namespace starling {
namespace {

Error Malformed(std::string_view what, std::string_view where) {
  return {Code::kInvalidArgument, std::string(what) + " in: " + std::string(where)};
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) {
    text.remove_suffix(1);
  }
  return text;
}

/// The first place of `mark` in `text` outside of double quotes.
size_t FindOutsideQuotes(std::string_view text, std::string_view mark) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text.substr(i, mark.size()) == mark) {
      return i;
    }
  }
  return std::string_view::npos;
}

bool TakeInteger(std::string_view& text, int64_t& value) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

/// Reads from behind the opening quote to behind the closing one.
Result<std::string> TakeQuoted(std::string_view& text) {
  std::string_view whole = text;
  std::string bytes;
  while (!text.empty() && text.front() != '"') {
    char c = text.front();
    text.remove_prefix(1);
    if (c != '\\') {
      bytes.push_back(c);
      continue;
    }
    if (text.empty()) break;
    char escape = text.front();
    text.remove_prefix(1);
    if (escape == 'x') {
      int value = 0;
      if (text.size() < 2 ||
          std::from_chars(text.data(), text.data() + 2, value, 16).ec != std::errc()) {
        return Malformed("\\x wants two digits", whole);
      }
      text.remove_prefix(2);
      bytes.push_back(static_cast<char>(value));
    } else {
      bytes.push_back(escape == 'r' ? '\r' : escape == 'n' ? '\n' : escape == 't' ? '\t' : escape);
    }
  }
  if (text.empty()) return Malformed("a missing quote", whole);
  text.remove_prefix(1);
  return bytes;
}

int64_t NowMillis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int64_t Between(int64_t low, int64_t high, Grammar::Random& random) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

}  // namespace

Result<Grammar::Symbol> Grammar::ParseSymbol(std::string_view& text) {
  std::string_view whole = text;
  Symbol symbol;
  if (text.front() == '"') {
    text.remove_prefix(1);
    Result<std::string> bytes = TakeQuoted(text);
    if (!bytes) return bytes.error();
    symbol.kind = Symbol::Kind::kBytes;
    symbol.text = *bytes;
    return symbol;
  }
  if (text.front() == '#') {
    text.remove_prefix(1);
    symbol.kind = Symbol::Kind::kInteger;
    if (!TakeInteger(text, symbol.low)) return Malformed("a bad range", whole);
    if (!text.starts_with("..")) return Malformed("a bad range", whole);
    text.remove_prefix(2);
    if (!TakeInteger(text, symbol.high)) return Malformed("a bad range", whole);
    return symbol;
  }
  if (text.front() == '~') {
    text.remove_prefix(1);
    symbol.kind = Symbol::Kind::kRandomBytes;
    if (!TakeInteger(text, symbol.low)) return Malformed("a bad length", whole);
    return symbol;
  }
  if (text.front() == '@') {
    bool millis = text.starts_with("@ms");
    text.remove_prefix(std::min<size_t>(millis ? 3 : 2, text.size()));
    symbol.kind = millis ? Symbol::Kind::kMillis : Symbol::Kind::kSeconds;
    if (!TakeInteger(text, symbol.low)) return Malformed("a bad time", whole);
    return symbol;
  }
  size_t end = 0;
  while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) ||
                               text[end] == '-' || text[end] == '_')) {
    ++end;
  }
  if (end == 0) return Malformed("a bad symbol", whole);
  symbol.text = text.substr(0, end);
  symbol.kind = std::isupper(static_cast<unsigned char>(text[0])) ? Symbol::Kind::kKeyword
                                                                  : Symbol::Kind::kRule;
  text.remove_prefix(end);
  if (Status repeated = ParseRepetition(text, symbol); !repeated) return repeated.error();
  return symbol;
}

Status Grammar::ParseRepetition(std::string_view& text, Symbol& symbol) {
  constexpr std::string_view kMarks = "?*+{";
  if (text.empty() || kMarks.find(text.front()) == std::string_view::npos) return {};
  const char mark = text.front();
  text.remove_prefix(1);
  symbol.least = mark == '+' ? 1 : 0;
  symbol.most = mark == '?' ? 1 : 3;
  if (mark != '{') return {};
  std::string_view whole = text;
  if (!TakeInteger(text, symbol.least) || !text.starts_with("..")) {
    return Malformed("a bad repetition", whole);
  }
  text.remove_prefix(2);
  if (!TakeInteger(text, symbol.most) || !text.starts_with("}")) {
    return Malformed("a bad repetition", whole);
  }
  text.remove_prefix(1);
  return {};
}

Result<Grammar::Alternative> Grammar::ParseAlternative(std::string_view text) {
  Alternative alternative;
  if (size_t colon = FindOutsideQuotes(text, ":"); colon != std::string_view::npos) {
    std::string_view weight = Trim(text.substr(0, colon));
    int64_t value = 0;
    if (!TakeInteger(weight, value) || value < 1) return Malformed("a bad weight", text);
    alternative.weight = static_cast<int>(value);
    text.remove_prefix(colon + 1);
  }
  for (text = Trim(text); !text.empty(); text = Trim(text)) {
    Result<Symbol> symbol = ParseSymbol(text);
    if (!symbol) return symbol.error();
    alternative.symbols.push_back(*symbol);
  }
  return alternative;
}

Status Grammar::Add(std::string_view text) {
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = Trim(line.substr(0, FindOutsideQuotes(line, "//")));
    if (line.empty()) continue;
    size_t equals = FindOutsideQuotes(line, "=");
    if (equals == std::string_view::npos) return Malformed("no =", line);
    Rule& rule = rules_[std::string(Trim(line.substr(0, equals)))];
    std::string_view rest = line.substr(equals + 1);
    while (true) {
      size_t bar = FindOutsideQuotes(rest, "|");
      Result<Alternative> alternative = ParseAlternative(Trim(rest.substr(0, bar)));
      if (!alternative) return alternative.error();
      rule.total_weight += alternative->weight;
      rule.alternatives.push_back(std::move(*alternative));
      if (bar == std::string_view::npos) break;
      rest.remove_prefix(bar + 1);
    }
  }
  return {};
}

Status Grammar::Check() const {
  for (const auto& [name, rule] : rules_) {
    for (const Alternative& alternative : rule.alternatives) {
      for (const Symbol& symbol : alternative.symbols) {
        if (symbol.kind == Symbol::Kind::kRule && !rules_.contains(symbol.text)) {
          return Malformed("no rule " + symbol.text, name);
        }
      }
    }
  }
  return {};
}

void Grammar::Emit(const Symbol& symbol, Random& random, Sentence& sentence) const {
  switch (symbol.kind) {
    case Symbol::Kind::kRule:
      return Expand(symbol.text, random, sentence);
    case Symbol::Kind::kKeyword: {
      std::string word = symbol.text;
      if (random() % 4 == 0) {
        for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
      sentence.shape += (sentence.shape.empty() ? "" : " ") + symbol.text;
      sentence.words.push_back(std::move(word));
      return;
    }
    case Symbol::Kind::kBytes:
      sentence.words.push_back(symbol.text);
      return;
    case Symbol::Kind::kInteger:
      sentence.words.push_back(std::to_string(Between(symbol.low, symbol.high, random)));
      return;
    case Symbol::Kind::kRandomBytes: {
      std::string bytes;
      for (int64_t i = 0; i < symbol.low; ++i) bytes.push_back(static_cast<char>(random() & 0xFF));
      sentence.words.push_back(std::move(bytes));
      return;
    }
    case Symbol::Kind::kSeconds:
      sentence.words.push_back(std::to_string(NowMillis() / 1000 + symbol.low));
      return;
    case Symbol::Kind::kMillis:
      sentence.words.push_back(std::to_string(NowMillis() + symbol.low));
      return;
  }
}

void Grammar::Expand(const std::string& name, Random& random, Sentence& sentence) const {
  const Rule& rule = rules_.at(name);
  int place = static_cast<int>(random() % static_cast<uint64_t>(rule.total_weight));
  size_t chosen = 0;
  while (place >= rule.alternatives[chosen].weight) place -= rule.alternatives[chosen++].weight;
  for (const Symbol& symbol : rule.alternatives[chosen].symbols) {
    int64_t times = symbol.least;
    if (symbol.most > symbol.least) times = Between(symbol.least, symbol.most, random);
    for (int64_t i = 0; i < times; ++i) Emit(symbol, random, sentence);
  }
}

Sentence Grammar::Generate(const std::string& rule, Random& random) const {
  Sentence sentence;
  Expand(rule, random, sentence);
  return sentence;
}

std::vector<std::string> Grammar::Literals(const std::string& name) const {
  std::vector<std::string> literals;
  for (const Alternative& alternative : rules_.at(name).alternatives) {
    if (alternative.symbols.size() == 1 && alternative.symbols[0].kind == Symbol::Kind::kBytes) {
      literals.push_back(alternative.symbols[0].text);
    }
  }
  return literals;
}

}  // namespace starling
