/// The differential test: the same random commands to Debian's redis-server and to starlingd.
///
///   starling_differential --starlingd PATH [--redis-server PATH] [--commands N] [--seed N]
///   [--shapes]
///
/// Exit status 0: every reply agreed. On a divergence it prints the seed and the shortest history
/// found that still shows it. `--shapes` lists what was covered.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "tests/differential/command_rows.h"
#include "tests/differential/duel.h"
#include "tests/differential/grammar.h"
#include "tests/differential/redis_grammar.h"
#include "tests/differential/shrink.h"
#include "tests/support/server_process.h"

namespace starling {
namespace {

/// Commands between two fresh starts: long enough for states to pile up, short enough to replay.
constexpr size_t kEpisode = 2000;

struct Options {
  std::string starlingd;
  std::string redis_server = "redis-server";
  uint64_t commands = 50000;
  uint64_t seed = 1;
  bool shapes = false;
};

/// Which commands ran with which keywords, and how often they succeeded and failed.
struct Coverage {
  struct Count {
    uint64_t done = 0;
    uint64_t refused = 0;
  };
  std::map<std::string, Count> shapes;
  uint64_t commands = 0;

  void Print(bool all) const {
    uint64_t done = 0;
    uint64_t refused = 0;
    for (const auto& [shape, count] : shapes) {
      done += count.done > 0;
      refused += count.refused > 0;
      if (all) {
        std::printf("%8llu done %8llu refused  %s\n", static_cast<unsigned long long>(count.done),
                    static_cast<unsigned long long>(count.refused), shape.c_str());
      }
    }
    std::printf(
        "%llu commands agree: %zu combinations of command and options, %llu of them with "
        "success, %llu with an error\n",
        static_cast<unsigned long long>(commands), shapes.size(),
        static_cast<unsigned long long>(done), static_cast<unsigned long long>(refused));
  }
};

/// What a damaged line may have in place of a key.
constexpr const char* kOddKey = "abc";

/// Now and then a line is damaged: a word too few, too many, or another one.
void Damage(std::vector<std::string>& words, std::mt19937_64& random) {
  if (random() % 32 != 0) return;
  switch (random() % 3) {
    case 0:
      if (words.size() > 1) words.pop_back();
      return;
    case 1:
      words.push_back(random() % 2 == 0 ? "foo" : "");
      return;
    default:
      if (words.size() > 1) words[1 + random() % (words.size() - 1)] = kOddKey;
  }
}

/// What is looked at when an episode ends: everything there is.
std::vector<Step> Inventory(const std::vector<std::string>& keys) {
  std::vector<Step> steps = {{0, {"RESET"}}};  // no transaction is left open
  for (const char* database : {"0", "1", "2"}) {
    steps.push_back({0, {"SELECT", database}});
    steps.push_back({0, {"DBSIZE"}});
    steps.push_back({0, {"KEYS", "*"}});
    for (const std::string& key : keys) {
      for (const char* command : {"TYPE", "GET", "SMEMBERS", "HGETALL", "PTTL"}) {
        steps.push_back({0, {command, key}});
      }
      steps.push_back({0, {"LRANGE", key, "0", "-1"}});
      steps.push_back({0, {"ZRANGE", key, "0", "-1", "WITHSCORES"}});
    }
  }
  return steps;
}

class Run {
 public:
  Run(const Options& options, Duel& duel, const Grammar& grammar)
      : options_(options), duel_(duel), grammar_(grammar), keys_(grammar.Literals("key")) {
    keys_.emplace_back(kOddKey);
    duel_.SetKeyUniverse(keys_);
  }

  /// Whether all commands agreed.
  bool All() {
    for (uint64_t episode = 0; coverage_.commands < options_.commands; ++episode) {
      if (!Episode(options_.seed + episode)) return false;
    }
    coverage_.Print(options_.shapes);
    return true;
  }

 private:
  bool Episode(uint64_t seed) {
    std::mt19937_64 random(seed);
    if (Status restarted = duel_.Restart(); !restarted) {
      std::fprintf(stderr, "seed %llu: %s\n", static_cast<unsigned long long>(seed),
                   restarted.error().message.c_str());
      return false;
    }
    std::vector<Step> history;
    for (size_t i = 0; i < kEpisode && coverage_.commands < options_.commands; ++i) {
      const size_t connection = random() % Duel::kConnections;
      Sentence sentence =
          grammar_.Generate(duel_.queues(connection) ? "queued" : "command", random);
      Damage(sentence.words, random);
      history.push_back({connection, std::move(sentence.words)});
      if (!Take(history, seed)) return false;
      ++coverage_.commands;
      Coverage::Count& count = coverage_.shapes[sentence.shape];
      ++(duel_.last_was_error() ? count.refused : count.done);
    }
    for (const Step& step : Inventory(keys_)) {
      history.push_back(step);
      if (!Take(history, seed)) return false;
    }
    return true;
  }

  bool Take(const std::vector<Step>& history, uint64_t seed) {
    Result<std::optional<Divergence>> outcome = duel_.Run(history.back());
    if (outcome && !outcome->has_value()) return true;
    std::fprintf(stderr, "seed %llu: command %zu diverges (--seed %llu replays it)\n  %s\n",
                 static_cast<unsigned long long>(seed), history.size(),
                 static_cast<unsigned long long>(seed), history.back().ToString().c_str());
    if (outcome) {
      std::fprintf(stderr, "  redis-server: %s\n  starlingd:    %s\n", (*outcome)->expected.c_str(),
                   (*outcome)->actual.c_str());
    } else {
      std::fprintf(stderr, "  %s\n", outcome.error().message.c_str());
    }
    std::fprintf(stderr, "the shortest history that shows it:\n");
    for (const Step& step : Shrink(duel_, history)) {
      std::fprintf(stderr, "  %s\n", step.ToString().c_str());
    }
    return false;
  }

  const Options& options_;
  Duel& duel_;
  const Grammar& grammar_;
  std::vector<std::string> keys_;
  Coverage coverage_;
};

bool ParseNumber(const std::string& text, uint64_t& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool ParseOptions(const std::vector<std::string>& words, Options& options) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--shapes") {
      options.shapes = true;
      continue;
    }
    if (i + 1 == words.size()) return false;
    const std::string& value = words[++i];
    if (words[i - 1] == "--starlingd") {
      options.starlingd = value;
    } else if (words[i - 1] == "--redis-server") {
      options.redis_server = value;
    } else if (words[i - 1] == "--commands") {
      if (!ParseNumber(value, options.commands)) return false;
    } else if (words[i - 1] == "--seed") {
      if (!ParseNumber(value, options.seed)) return false;
    } else {
      return false;
    }
  }
  return !options.starlingd.empty();
}

/// Whether both say the same of every command that both know.
bool RowsAgree(uint16_t redis_port, uint16_t starling_port) {
  Result<RespClient> redis = RespClient::Connect(redis_port);
  Result<RespClient> starling = RespClient::Connect(starling_port);
  if (!redis || !starling) return false;
  Result<RowComparison> rows = CompareCommandRows(*redis, *starling);
  if (!rows) {
    std::fprintf(stderr, "COMMAND: %s\n", rows.error().message.c_str());
    return false;
  }
  for (const std::string& line : rows->differences) {
    std::fprintf(stderr, "COMMAND INFO differs: %s\n", line.c_str());
  }
  std::printf("%zu rows of COMMAND compared\n", rows->compared);
  return rows->compared > 0 && rows->differences.empty();
}

int Main(const Options& options) {
  Grammar grammar;
  for (std::string_view family : RedisGrammar()) {
    if (Status added = grammar.Add(family); !added) {
      std::fprintf(stderr, "%s\n", added.error().message.c_str());
      return 2;
    }
  }
  if (Status checked = grammar.Check(); !checked) {
    std::fprintf(stderr, "%s\n", checked.error().message.c_str());
    return 2;
  }
  auto redis = ServerProcess::Start([&](uint16_t port, const std::string& folder) {
    return std::vector<std::string>{options.redis_server,
                                    "--port",
                                    std::to_string(port),
                                    "--bind",
                                    "127.0.0.1",
                                    "--dir",
                                    folder,
                                    "--save",
                                    "",
                                    "--appendonly",
                                    "no"};
  });
  auto starling = ServerProcess::Start([&](uint16_t port, const std::string& folder) {
    return std::vector<std::string>{options.starlingd,
                                    "--port",
                                    std::to_string(port),
                                    "--bind",
                                    "127.0.0.1",
                                    "--gossip-port",
                                    "0",
                                    "--dir",
                                    folder,
                                    "--name",
                                    "differential",
                                    "--meeting-folder",
                                    folder + "/meeting",
                                    "--appendonly",
                                    "no"};
  });
  for (const auto* server : {&redis, &starling}) {
    if (*server) continue;
    std::fprintf(stderr, "%s\n", server->error().message.c_str());
    return 2;
  }
  Duel duel((*redis)->port(), (*starling)->port());
  bool rows_agree = RowsAgree((*redis)->port(), (*starling)->port());
  if (Run(options, duel, grammar).All()) return rows_agree ? 0 : 1;
  if (!(*starling)->Running()) {
    std::fprintf(stderr, "starlingd has ended:\n%s\n", (*starling)->Output().c_str());
  }
  return 1;
}

}  // namespace
}  // namespace starling

int main(int count, char** words) {
  starling::Options options;
  if (!starling::ParseOptions({words + 1, words + count}, options)) {
    std::fprintf(stderr,
                 "usage: %s --starlingd PATH [--redis-server PATH] [--commands N] [--seed N] "
                 "[--shapes]\n",
                 words[0]);
    return 2;
  }
  return starling::Main(options);
}
