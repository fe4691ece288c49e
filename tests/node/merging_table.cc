#include "tests/node/merging_table.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace starling {
namespace {

constexpr std::string_view kHeader = "| both have | on A | on B | B's later | A's later | why |";
constexpr std::string_view kArrow = "→";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// The pieces between `mark`s that stand outside backticks.
std::vector<std::string_view> SplitOutsideCode(std::string_view text, std::string_view marks) {
  std::vector<std::string_view> pieces;
  bool code = false;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '`') code = !code;
    if (code || marks.find(text[i]) == marks.npos) continue;
    pieces.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  pieces.push_back(text.substr(begin));
  return pieces;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : SplitOutsideCode(text, " ")) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text = Trim(text.substr(prefix.size()));
  return true;
}

/// Takes what stands in backticks at the front.
std::optional<std::string_view> TakeCode(std::string_view& text) {
  const size_t end = text.empty() || text[0] != '`' ? text.npos : text.find('`', 1);
  if (end == text.npos || end == 1) return std::nullopt;
  const std::string_view code = text.substr(1, end - 1);
  text = Trim(text.substr(end + 1));
  return code;
}

std::optional<std::string> ReadAnswer(std::string_view text) {
  if (const auto code = TakeCode(text)) {
    return text.empty() ? std::optional<std::string>(*code) : std::nullopt;
  }
  const bool error = !text.empty() && std::all_of(text.begin(), text.end(),
                                                  [](char c) { return c >= 'A' && c <= 'Z'; });
  if (error || text == "nil" || text == "empty") return std::string(text);
  return std::nullopt;
}

std::optional<MergingStep> ReadStep(std::string_view text) {
  MergingStep step;
  if (text.ends_with(" s pass")) {
    int seconds = 0;
    const char* const end = text.data() + text.size() - std::string_view(" s pass").size();
    const auto read = std::from_chars(text.data(), end, seconds);
    if (read.ec != std::errc() || read.ptr != end || seconds <= 0) return std::nullopt;
    step.pass = std::chrono::seconds(seconds);
    return step;
  }
  if (TakePrefix(text, "on A ")) step.node = 'A';
  if (TakePrefix(text, "on B ")) step.node = 'B';
  const auto command = TakeCode(text);
  if (!command) return std::nullopt;
  step.words = Words(*command);
  if (text.empty()) return step;
  if (!TakePrefix(text, kArrow)) return std::nullopt;
  step.answer = ReadAnswer(text);
  if (!step.answer) return std::nullopt;
  return step;
}

/// Reads lines into sections; keeps what could not be read.
class Reader {
 public:
  explicit Reader(MergingDocument& document) : document_(document) {}

  void Line(std::string_view line) {
    ++number_;
    if (line.starts_with("## ")) {
      EndParagraph();
      document_.sections.push_back({std::string(line.substr(3)), {}, {}});
      in_table_ = false;
    } else if (line.starts_with('|')) {
      EndParagraph();
      TableLine(line);
    } else {
      if (line.empty()) EndParagraph();
      if (!paragraph_.empty()) paragraph_ += ' ';
      paragraph_ += line;
      in_table_ = false;
    }
  }

  void End() { EndParagraph(); }

 private:
  void Fault(const std::string& text) {
    document_.faults.push_back("line " + std::to_string(number_) + ": " + text);
  }

  void TableLine(std::string_view line) {
    if (!in_table_) {
      in_table_ = true;
      if (line != kHeader) Fault("a table begins with '" + std::string(kHeader) + "'");
      if (document_.sections.empty()) Fault("a table stands in no section");
      return;
    }
    if (line.starts_with("|---")) return;
    const auto cells = SplitOutsideCode(line, "|");
    if (cells.size() != 8 || !Trim(cells.back()).empty()) return Fault("a row has six cells");
    if (document_.sections.empty()) return;
    MergingRow row;
    row.line = number_;
    row.both_have = ReadSteps(cells[1], true);
    row.on_a = ReadSteps(cells[2], false);
    row.on_b = ReadSteps(cells[3], false);
    row.b_later = ReadResult(cells[4]);
    row.same = Trim(cells[5]) == "same";
    row.a_later = row.same ? row.b_later : ReadResult(cells[5]);
    if (!row.b_later && !row.a_later) Fault("a row says what one order, at least, comes to");
    document_.sections.back().rows.push_back(std::move(row));
  }

  std::optional<std::vector<MergingStep>> ReadResult(std::string_view cell) {
    if (Trim(cell) == "-") return std::nullopt;
    std::vector<MergingStep> steps = ReadSteps(cell, false);
    const bool told = std::any_of(steps.begin(), steps.end(),
                                  [](const MergingStep& step) { return step.answer.has_value(); });
    if (!told) Fault("a result has an answer: '" + std::string(cell) + "'");
    return steps;
  }

  std::vector<MergingStep> ReadSteps(std::string_view cell, bool may_be_empty) {
    std::vector<MergingStep> steps;
    if (Trim(cell).empty()) {
      if (!may_be_empty) Fault("this cell may not be empty");
      return steps;
    }
    for (const std::string_view piece : SplitOutsideCode(cell, ";")) {
      if (std::optional<MergingStep> step = ReadStep(Trim(piece))) {
        steps.push_back(*std::move(step));
      } else {
        Fault("cannot read '" + std::string(Trim(piece)) + "'");
      }
    }
    return steps;
  }

  /// Finds the promises of a paragraph's sentences.
  void EndParagraph() {
    const std::string paragraph = std::exchange(paragraph_, {});
    if (document_.sections.empty()) return;
    auto& pairs = document_.sections.back().pairs;
    for (std::string_view sentence : SplitOutsideCode(paragraph, ".:;")) {
      sentence = Trim(sentence);
      if (TakePrefix(sentence, "Every pair of ") || TakePrefix(sentence, "every pair of ")) {
        const auto kinds = ReadKinds(sentence);
        for (size_t i = 0; i < kinds.size(); ++i) {
          for (size_t j = i; j < kinds.size(); ++j) pairs.emplace_back(kinds[i], kinds[j]);
        }
      } else if (TakePrefix(sentence, "Each of ")) {
        const size_t with = sentence.find(" with each of ");
        if (with == sentence.npos) return Fault("'Each of ...' goes on 'with each of ...'");
        for (const std::string& left : ReadKinds(sentence.substr(0, with))) {
          for (const std::string& right : ReadKinds(sentence.substr(with))) {
            pairs.emplace_back(left, right);
          }
        }
      }
    }
  }

  static std::vector<std::string> ReadKinds(std::string_view text) {
    std::vector<std::string> kinds;
    for (size_t at = text.find('`'); at != text.npos; at = text.find('`')) {
      text.remove_prefix(at);
      const auto kind = TakeCode(text);
      if (!kind) break;
      kinds.emplace_back(*kind);
    }
    return kinds;
  }

  MergingDocument& document_;
  int number_ = 0;
  bool in_table_ = false;
  std::string paragraph_;
};

/// The kind with the most words that all stand in the command, its name first.
std::string KindOf(const std::vector<std::string>& command, const std::set<std::string>& kinds) {
  std::string best;
  size_t most = 0;
  for (const std::string& kind : kinds) {
    const std::vector<std::string> words = Words(kind);
    const bool fits = !command.empty() && command[0] == words[0] &&
                      std::all_of(words.begin(), words.end(), [&](const std::string& word) {
                        return std::find(command.begin(), command.end(), word) != command.end();
                      });
    if (fits && words.size() > most) {
      best = kind;
      most = words.size();
    }
  }
  return best;
}

/// A reply taken apart: its text, or its parts.
struct Answer {
  std::string text;
  std::vector<Answer> parts;
  bool array = false;
};

Answer TakeAnswer(std::string_view& reply) {
  const char kind = reply.empty() ? '?' : reply[0];
  const size_t end = reply.find("\r\n");
  if (end == reply.npos) return {"(not a reply)", {}, false};
  const std::string_view line = reply.substr(1, end - 1);
  reply.remove_prefix(end + 2);
  if (kind == '-') return {std::string(line.substr(0, line.find(' '))), {}, false};
  if (kind != '$' && kind != '*') return {std::string(line), {}, false};
  if (line == "-1") return {"nil", {}, false};
  size_t count = 0;
  std::from_chars(line.data(), line.data() + line.size(), count);
  Answer answer;
  if (kind == '$') {
    answer.text = reply.substr(0, count);
    reply.remove_prefix(std::min(count + 2, reply.size()));
  } else {
    answer.array = true;
    for (size_t i = 0; i < count && !reply.empty(); ++i) answer.parts.push_back(TakeAnswer(reply));
  }
  return answer;
}

std::string Join(const Answer& answer, bool inner) {
  if (!answer.array) return answer.text;
  if (answer.parts.empty() && !inner) return "empty";
  std::string text;
  for (const Answer& part : answer.parts) text += (text.empty() ? "" : " ") + Join(part, true);
  return inner ? "[" + text + "]" : text;
}

/// Sorts an array in groups of `width` by each group's first text.
void Sort(Answer& answer, size_t width) {
  std::vector<std::vector<Answer>> groups;
  for (size_t i = 0; i + width <= answer.parts.size(); i += width) {
    const auto first = answer.parts.begin() + static_cast<ptrdiff_t>(i);
    groups.emplace_back(first, first + static_cast<ptrdiff_t>(width));
  }
  std::sort(groups.begin(), groups.end(), [](const auto& left, const auto& right) {
    return left.front().text < right.front().text;
  });
  answer.parts.clear();
  for (auto& group : groups) answer.parts.insert(answer.parts.end(), group.begin(), group.end());
}

}  // namespace

std::string MergingStep::Line() const {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

MergingDocument ReadMergingDocument(std::string_view text) {
  MergingDocument document;
  Reader reader(document);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    reader.Line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  reader.End();
  return document;
}

std::vector<std::string> MissingPairs(const MergingSection& section) {
  std::set<std::string> kinds;
  for (const auto& [left, right] : section.pairs) kinds.insert({left, right});
  std::set<std::pair<std::string, std::string>> met;
  for (const MergingRow& row : section.rows) {
    for (const MergingStep& a : row.on_a) {
      for (const MergingStep& b : row.on_b) {
        const std::string left = KindOf(a.words, kinds);
        const std::string right = KindOf(b.words, kinds);
        met.insert({left, right});
        met.insert({right, left});
      }
    }
  }
  std::vector<std::string> missing;
  for (const auto& pair : section.pairs) {
    if (!met.contains(pair)) missing.push_back(pair.first + " with " + pair.second);
  }
  return missing;
}

std::string AnswerText(const std::vector<std::string>& command, std::string_view reply) {
  static const std::set<std::string> kUnordered = {"SMEMBERS", "SINTER", "SUNION", "SDIFF",
                                                   "HKEYS",    "HVALS",  "KEYS"};
  Answer answer = TakeAnswer(reply);
  if (kUnordered.contains(command[0])) Sort(answer, 1);
  if (command[0] == "HGETALL") Sort(answer, 2);
  return Join(answer, false);
}

}  // namespace starling
