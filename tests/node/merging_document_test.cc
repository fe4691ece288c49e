// docs/MERGING.md, row by row: what its tables say is what the nodes do, in either order (I1, I2,
// I8), and its tables have what it promises.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/node/merging_table.h"
#include "tests/node/test_node.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

std::string DocumentText() {
  std::ifstream file(STARLING_MERGING_DOCUMENT);
  return {std::istreambuf_iterator<char>(file), {}};
}

const MergingDocument& Document() {
  static const MergingDocument document = ReadMergingDocument(DocumentText());
  return document;
}

/// Which writes carry the later stamps; kBoth: all of one millisecond.
enum class Later { kA, kB, kBoth };

/// A and B as the document has them, and two more nodes: one hears all of A before B, the other all
/// of B before A.
class FourNodes {
 public:
  FourNodes() { time_.Advance(1s); }

  void BothHave(const std::vector<MergingStep>& steps) {
    for (const MergingStep& step : steps) {
      Take(step, step.node == 'B' ? b_ : a_);
      Meet();
      time_.Advance(1ms);
    }
  }

  void Run(const MergingRow& row, Later later) {
    const auto pause = later == Later::kBoth ? 0ms : 5ms;
    time_.Advance(pause);
    for (const MergingStep& step : later == Later::kA ? row.on_b : row.on_a) {
      Take(step, later == Later::kA ? b_ : a_);
    }
    time_.Advance(pause);
    for (const MergingStep& step : later == Later::kA ? row.on_a : row.on_b) {
      Take(step, later == Later::kA ? a_ : b_);
    }
    Meet();
    time_.Advance(1ms);
  }

  /// What all show: the answers, and the same of everything else.
  void ExpectShown(const std::vector<MergingStep>& steps) {
    for (const MergingStep& step : steps) {
      if (step.node != 0 || step.pass > 0s) {
        Take(step, step.node == 'B' ? b_ : a_);
        Meet();
        continue;
      }
      Observe();
      for (TestNode* node : {&a_, &b_, &first_a_, &first_b_}) Take(step, *node);
    }
    Observe();
    const std::vector<std::string> expected = Shown(a_);
    for (TestNode* node : {&b_, &first_a_, &first_b_}) EXPECT_EQ(Shown(*node), expected);
  }

 private:
  void Take(const MergingStep& step, TestNode& node) {
    time_.Advance(step.pass);
    if (step.words.empty()) return;
    const std::string answer = AnswerText(step.words, node.Do(step.words));
    if (step.answer) {
      EXPECT_EQ(answer, *step.answer) << "to " << step.Line();
    } else {
      EXPECT_FALSE(answer == "ERR" || answer == "WRONGTYPE") << "to " << step.Line();
    }
  }

  void Meet() {
    const std::vector<SharedBytes> from_a = a_.TakeBatches();
    const std::vector<SharedBytes> from_b = b_.TakeBatches();
    a_.Apply(from_b);
    b_.Apply(from_a);
    unseen_a_.insert(unseen_a_.end(), from_a.begin(), from_a.end());
    unseen_b_.insert(unseen_b_.end(), from_b.begin(), from_b.end());
  }

  void Observe() {
    Meet();
    first_a_.Apply(unseen_a_);
    first_a_.Apply(unseen_b_);
    first_b_.Apply(unseen_b_);
    first_b_.Apply(unseen_a_);
    unseen_a_.clear();
    unseen_b_.clear();
  }

  /// All keys with type, deadline and content.
  static std::vector<std::string> Shown(TestNode& node) {
    static const std::map<std::string, std::vector<std::string>> kReads = {
        {"string", {"GET"}},
        {"hash", {"HGETALL"}},
        {"set", {"SMEMBERS"}},
        {"zset", {"ZRANGE", "0", "-1", "WITHSCORES"}},
        {"list", {"LRANGE", "0", "-1"}}};
    const auto ask = [&node](std::vector<std::string> words, const std::string& key) {
      words.insert(words.begin() + 1, key);
      return AnswerText(words, node.Do(words));
    };
    std::vector<std::string> shown;
    for (int database = 0; database < 2; ++database) {
      node.Do("SELECT " + std::to_string(database));
      const std::string keys = AnswerText({"KEYS"}, node.Do("KEYS *"));
      for (const std::string_view key : SplitWords(keys == "empty" ? "" : keys)) {
        const std::string name(key);
        const std::string type = ask({"TYPE"}, name);
        shown.push_back(std::to_string(database) + " " + name + " " + type + " until " +
                        ask({"PEXPIRETIME"}, name) + ": " + ask(kReads.at(type), name));
      }
    }
    node.Do("SELECT 0");
    return shown;
  }

  static std::vector<std::string> SplitWords(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
      const size_t end = std::min(text.find(' '), text.size());
      words.emplace_back(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
  }

  ManualTime time_;
  TestNode a_{"a", time_};
  TestNode b_{"b", time_};
  TestNode first_a_{"c", time_};
  TestNode first_b_{"d", time_};
  std::vector<SharedBytes> unseen_a_;  // by c and d
  std::vector<SharedBytes> unseen_b_;
};

void RunRow(const MergingRow& row, Later later, const std::vector<MergingStep>& result) {
  SCOPED_TRACE("docs/MERGING.md:" + std::to_string(row.line) +
               (later == Later::kA   ? ", A's later"
                : later == Later::kB ? ", B's later"
                                     : ", all in one millisecond"));
  FourNodes nodes;
  nodes.BothHave(row.both_have);
  nodes.Run(row, later);
  nodes.ExpectShown(result);
}

TEST(MergingDocument, ReadsWhole) {
  for (const std::string& fault : Document().faults) ADD_FAILURE() << "docs/MERGING.md " << fault;
  EXPECT_GE(Document().sections.size(), 5u) << STARLING_MERGING_DOCUMENT;
}

TEST(MergingDocument, EachRowHoldsInEitherOrder_I1_I2_I8) {
  size_t rows = 0;
  for (const MergingSection& section : Document().sections) {
    for (const MergingRow& row : section.rows) {
      ++rows;
      if (row.b_later) RunRow(row, Later::kB, *row.b_later);
      if (row.a_later) RunRow(row, Later::kA, *row.a_later);
      if (row.same) RunRow(row, Later::kBoth, *row.b_later);
    }
  }
  EXPECT_GE(rows, 300u);
}

TEST(MergingDocument, HasARowForEachPairThatItPromises) {
  for (const MergingSection& section : Document().sections) {
    EXPECT_EQ(section.rows.empty(), section.pairs.empty())
        << section.title << " has tables and says which pairs they cover";
    for (const std::string& missing : MissingPairs(section)) {
      ADD_FAILURE() << section.title << " has no row for " << missing;
    }
  }
}

// What would make the tests above pass over a row in silence.
TEST(MergingDocument, WhatCannotBeReadIsNamedByItsLine) {
  const std::string head =
      "## S\n| both have | on A | on B | B's later | A's later | why |\n"
      "|---|---|---|---|---|---|\n";
  const std::pair<const char*, const char*> rows[] = {
      {"| | `INCR k` | `INCR k` | `GET k` → `2` |\n", "line 4: a row has six cells"},
      {"| | INCR k | `INCR k` | `GET k` → `2` | same | |\n", "line 4: cannot read 'INCR k'"},
      {"| | `INCR k` | `INCR k` | `GET k` -> `2` | same | |\n",
       "line 4: cannot read '`GET k` -> `2`'"},
      {"| | `INCR k` | `INCR k` | `GET k` → two | same | |\n",
       "line 4: cannot read '`GET k` → two'"},
      {"| | | `INCR k` | `GET k` → `1` | same | |\n", "line 4: this cell may not be empty"},
      {"| | `INCR k`; x s pass | `INCR k` | `GET k` → `1` | same | |\n",
       "line 4: cannot read 'x s pass'"},
      {"| | `INCR k` | `INCR k` | - | - | |\n",
       "line 4: a row says what one order, at least, comes to"},
      {"| | `INCR k` | `INCR k` | `GET k` | same | |\n",
       "line 4: a result has an answer: ' `GET k` '"},
      {"\n| a | table |\n",
       "line 5: a table begins with '| both have | on A | on B | B's later | "
       "A's later | why |'"},
  };
  for (const auto& [row, fault] : rows) {
    const MergingDocument document = ReadMergingDocument(head + row);
    ASSERT_FALSE(document.faults.empty()) << row;
    EXPECT_EQ(document.faults[0], fault);
  }
  const MergingDocument document =
      ReadMergingDocument("## S\nEvery pair of `ZADD`, `ZADD GT`.\n" + head.substr(5) +
                          "| | `ZADD z GT 1 m` | `ZADD z 2 m` | `ZCARD z` → `1` | same | |\n");
  EXPECT_TRUE(document.faults.empty());
  EXPECT_EQ(MissingPairs(document.sections[0]),
            (std::vector<std::string>{"ZADD with ZADD", "ZADD GT with ZADD GT"}));
}

}  // namespace
}  // namespace starling
