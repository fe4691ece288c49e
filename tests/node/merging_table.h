/// The tables of docs/MERGING.md as rows that can be run.
///
/// A row: `| both have | on A | on B | B's later | A's later | why |`. A cell is a list of steps
/// with semicolons between them: a command in backticks, after `on A` or `on B` where it matters,
/// with its answer after an arrow where that is told; or `2 s pass`. Answers are texts in
/// backticks, `nil`, `empty`, or an error's first word. In the last column but one `same` stands
/// for the cell before it, and `-` in a result for an order in which the row says nothing.
///
/// Sentences `Every pair of ...` and `Each of ... with each of ...` say which pairs of operations
/// a section must have rows for. Stateless.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace starling {

/// One thing to do: a command, or letting time pass (no words).
struct MergingStep {
  char node = 0;  ///< 'A', 'B'; 0: the cell's own, or every node where results are read.
  std::vector<std::string> words;
  std::optional<std::string> answer;  ///< As AnswerText gives it.
  std::chrono::seconds pass{0};

  std::string Line() const;
};

struct MergingRow {
  int line = 0;
  std::vector<MergingStep> both_have;
  std::vector<MergingStep> on_a;
  std::vector<MergingStep> on_b;
  /// What all show when B's, and when A's writes are the later ones; nothing: not said.
  std::optional<std::vector<MergingStep>> b_later;
  std::optional<std::vector<MergingStep>> a_later;
  bool same = false;  ///< The order does not matter.
};

struct MergingSection {
  std::string title;
  std::vector<MergingRow> rows;
  /// Kinds of operations (`ZADD`, `ZADD GT`) that rows must bring together.
  std::vector<std::pair<std::string, std::string>> pairs;
};

struct MergingDocument {
  std::vector<MergingSection> sections;
  /// What could not be read, each beginning with its line number.
  std::vector<std::string> faults;
};

MergingDocument ReadMergingDocument(std::string_view text);

/// The pairs that a section promises and has no row for.
std::vector<std::string> MissingPairs(const MergingSection& section);

/// A RESP2 reply as the document writes it: texts as they are, arrays with spaces between (inner
/// ones in brackets), `nil`, `empty` for an array of nothing, an error by its first word. What a
/// set's or hash's command gives in no order is sorted.
std::string AnswerText(const std::vector<std::string>& command, std::string_view reply);

}  // namespace starling
