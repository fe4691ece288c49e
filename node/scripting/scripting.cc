#include "node/scripting/scripting.h"

#include "node/arguments.h"
#include "node/claim_desk.h"
#include "node/guarded_run.h"
#include "node/node_services.h"
#include "storage/held_shards.h"
#include "storage/speculation.h"

namespace starling {
namespace {

constexpr std::string_view kNoSuchScript = "NOSCRIPT No matching script. Please use EVAL.";
constexpr std::string_view kStopped = "ERR This node stops; nothing was changed by the script.";

constexpr size_t kShaSize = 40;
/// The hash of all texts by their names, and the field that counts their bytes.
constexpr std::string_view kScriptsKey = "scripts";
constexpr std::string_view kBytesField = "bytes";

KeyRef ScriptsKey(const Keyspace& keyspace) { return keyspace.Ref(kClusterDatabase, kScriptsKey); }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

/// How many of the words behind it are keys; nullopt: has replied.
std::optional<size_t> ReadKeyCount(CommandContext& context, Arguments arguments) {
  const std::optional<int64_t> count = ReadInteger(context, arguments[2]);
  if (!count) return std::nullopt;
  if (*count > static_cast<int64_t>(arguments.size()) - 3) {
    context.reply.Error("ERR Number of keys can't be greater than number of args");
    return std::nullopt;
  }
  if (*count < 0) {
    context.reply.Error("ERR Number of keys can't be negative");
    return std::nullopt;
  }
  return static_cast<size_t>(*count);
}

}  // namespace

void Scripting::Forget() {
  interpreter_.reset();
  compiled_.clear();
  text_bytes_ = 0;
}

Status Scripting::Compile(const std::string& sha, std::string_view text) {
  if (compiled_.contains(sha)) return {};
  const Result<ScriptHeader> header = ReadScriptHeader(text);
  if (!header) return header.error();
  const bool full = interpreter_ && interpreter_->memory_bytes() > limits_.interpreter_bytes / 2;
  if (full || text_bytes_ + text.size() > limits_.text_bytes) Forget();
  if (!interpreter_) interpreter_ = std::make_unique<Interpreter>(limits_.interpreter_bytes);
  const Status compiled = interpreter_->Compile(sha, text.substr(header->size));
  if (!compiled) {
    return Error{Code::kInvalidArgument,
                 "Error compiling script (new function): " + compiled.error().message};
  }
  compiled_.emplace(sha, *header);
  text_bytes_ += text.size();
  return {};
}

void Scripting::Publish(Keyspace& keyspace, const std::string& sha, std::string_view text) const {
  const KeyRef key = ScriptsKey(keyspace);
  Access access = keyspace.Lock(key);
  if (access.HasElement(key, ElementType::kHash, sha)) return;
  const auto size = static_cast<int64_t>(text.size());
  const std::optional<Value> bytes = access.GetElement(key, ElementType::kHash, kBytesField);
  const int64_t known = bytes ? bytes->number.ClampedInt64() : 0;
  if (known + size > static_cast<int64_t>(limits_.text_bytes)) access.Clear(key);
  access.AddElement(key, ElementType::kHash, sha, Value::Bytes(text));
  (void)access.IncrementElement(key, ElementType::kHash, kBytesField, size);
}

Result<std::string> Scripting::Load(Keyspace& keyspace, std::string_view text) {
  const std::string sha = ScriptSha(text);
  {
    std::lock_guard lock(mutex_);
    if (Status compiled = Compile(sha, text); !compiled) return compiled.error();
  }
  Publish(keyspace, sha, text);
  return sha;
}

void Scripting::Keep(Keyspace& keyspace, std::string_view text) {
  const std::string sha = ScriptSha(text);
  {
    std::lock_guard lock(mutex_);
    if (!compiled_.contains(sha)) return;
  }
  Publish(keyspace, sha, text);
}

bool Scripting::Exists(Keyspace& keyspace, std::string_view sha) {
  if (sha.size() != kShaSize) return false;
  const KeyRef key = ScriptsKey(keyspace);
  return keyspace.Lock(key).HasElement(key, ElementType::kHash, Lower(sha));
}

void Scripting::Flush(Keyspace& keyspace) {
  {
    std::lock_guard lock(mutex_);
    Forget();
  }
  const KeyRef key = ScriptsKey(keyspace);
  Access access = keyspace.Lock(key);
  if (access.Exists(key)) access.Clear(key);
}

Scripting::KillOutcome Scripting::Kill() {
  State expected = State::kRunning;
  if (state_.compare_exchange_strong(expected, State::kKilled)) return KillOutcome::kAsked;
  if (expected == State::kIdle) return KillOutcome::kNotRunning;
  return expected == State::kWrote ? KillOutcome::kHasWritten : KillOutcome::kAsked;
}

void Scripting::Eval(CommandContext& context, Arguments arguments, bool read_only) {
  if (!ReadKeyCount(context, arguments)) return;
  const HeldShards held(context.keyspace());
  std::lock_guard lock(mutex_);
  if (interpreter_) interpreter_->Collect();
  const std::string sha = ScriptSha(arguments[1]);
  if (Status compiled = Compile(sha, arguments[1]); !compiled) {
    return context.reply.Error("ERR " + compiled.error().message);
  }
  // Within a transaction it would be part of what a claim may undo: Keep comes later.
  if (!context.within) Publish(context.keyspace(), sha, arguments[1]);
  Run(context, arguments, sha, read_only);
}

void Scripting::EvalSha(CommandContext& context, Arguments arguments, bool read_only) {
  if (arguments[1].size() != kShaSize) return context.reply.Error(kNoSuchScript);
  if (!ReadKeyCount(context, arguments)) return;
  const HeldShards held(context.keyspace());
  std::lock_guard lock(mutex_);
  if (interpreter_) interpreter_->Collect();
  const std::string sha = Lower(arguments[1]);
  {
    const KeyRef key = ScriptsKey(context.keyspace());
    Access access = context.keyspace().Lock(key);
    const std::optional<Value> text = access.GetElement(key, ElementType::kHash, sha);
    // An EVAL of the same transaction may have compiled it.
    const bool fresh = !text && context.within && compiled_.contains(sha);
    if (!text && !fresh) return context.reply.Error(kNoSuchScript);
    std::string buffer;
    if (Status compiled = fresh ? Status() : Compile(sha, TextOf(*text, buffer)); !compiled) {
      return context.reply.Error("ERR " + compiled.error().message);
    }
  }
  Run(context, arguments, sha, read_only);
}

void Scripting::Run(CommandContext& context, Arguments arguments, const std::string& sha,
                    bool read_only) {
  const ScriptHeader& header = compiled_.at(sha);
  if (read_only && header.given && !header.no_writes) {
    return context.reply.Error("ERR Can not execute a script with write flag using *_ro command.");
  }
  const size_t keys = *ReadKeyCount(context, arguments);
  state_ = State::kRunning;
  ScriptRun run{context, sha, arguments.subspan(3, keys), arguments.subspan(3 + keys)};
  run.read_only = read_only || header.no_writes;
  run.client = context.client;
  run.client.protocol = 2;
  std::optional<Speculation> speculation;
  // A script within a transaction is part of its speculation.
  if (context.claims != nullptr && !context.within) speculation.emplace(context.keyspace());
  bool stopped = false;  // it did not come to its own end
  run.must_end = [&]() -> std::string {
    if (state_ == State::kKilled)
      return "ERR Error running script: Script killed by user with SCRIPT KILL...";
    stopped = stopped_;
    if (stopped) return std::string(kStopped);
    // It is rolled back and comes again: this is read by nobody.
    if (speculation && speculation->blocked()) return "ERR what it met is being decided";
    context.services.WhileScriptRuns();
    return {};
  };
  run.on_write = [this] {
    State expected = State::kRunning;
    state_.compare_exchange_strong(expected, State::kWrote);
  };
  run.on_log = [this](int level, std::string_view line) {
    constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::debug,
                                                     spdlog::level::info, spdlog::level::warn};
    if (log_) log_->log(kLevels[level], "event=script_log text=\"{}\"", line);
  };
  const size_t start = context.reply.out().size();
  interpreter_->Run(run);
  state_ = State::kIdle;
  if (stopped && context.claims != nullptr) context.claims->Abandon(kStopped);
  if (speculation) ConcludeGuarded(context, *speculation, start);
}

}  // namespace starling
