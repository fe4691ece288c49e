#include "node/scripting/scripting.h"

#include "node/arguments.h"
#include "storage/held_shards.h"

namespace starling {
namespace {

constexpr std::string_view kNoSuchScript = "NOSCRIPT No matching script. Please use EVAL.";

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
  known_.clear();
  text_bytes_ = 0;
}

Status Scripting::Learn(const std::string& sha, std::string_view text) {
  if (known_.contains(sha)) return {};
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
  known_.emplace(sha, *header);
  text_bytes_ += text.size();
  return {};
}

Result<std::string> Scripting::Load(std::string_view text) {
  const std::string sha = ScriptSha(text);
  std::lock_guard lock(mutex_);
  if (Status learned = Learn(sha, text); !learned) return learned.error();
  return sha;
}

bool Scripting::Exists(std::string_view sha) {
  std::lock_guard lock(mutex_);
  return known_.contains(Lower(sha));
}

void Scripting::Flush() {
  std::lock_guard lock(mutex_);
  Forget();
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
  if (Status learned = Learn(sha, arguments[1]); !learned) {
    return context.reply.Error("ERR " + learned.error().message);
  }
  Run(context, arguments, sha, read_only);
}

void Scripting::EvalSha(CommandContext& context, Arguments arguments, bool read_only) {
  constexpr size_t kShaSize = 40;
  if (arguments[1].size() != kShaSize) return context.reply.Error(kNoSuchScript);
  if (!ReadKeyCount(context, arguments)) return;
  const HeldShards held(context.keyspace());
  std::lock_guard lock(mutex_);
  if (interpreter_) interpreter_->Collect();
  const std::string sha = Lower(arguments[1]);
  if (!known_.contains(sha)) return context.reply.Error(kNoSuchScript);
  Run(context, arguments, sha, read_only);
}

void Scripting::Run(CommandContext& context, Arguments arguments, const std::string& sha,
                    bool read_only) {
  const ScriptHeader& header = known_.at(sha);
  if (read_only && header.given && !header.no_writes) {
    return context.reply.Error("ERR Can not execute a script with write flag using *_ro command.");
  }
  const size_t keys = *ReadKeyCount(context, arguments);
  TimeSource& time = context.store.clock().time();
  const std::chrono::nanoseconds end = time.Monotonic() + limits_.time;
  state_ = State::kRunning;
  ScriptRun run{context, sha, arguments.subspan(3, keys), arguments.subspan(3 + keys)};
  run.read_only = read_only || header.no_writes;
  run.client = context.client;
  run.client.protocol = 2;
  run.must_end = [&]() -> std::string {
    if (state_ == State::kKilled)
      return "ERR Error running script: Script killed by user with SCRIPT KILL...";
    if (time.Monotonic() < end) return {};
    return "ERR the script was ended: it ran for longer than scripts may";
  };
  run.on_write = [this] {
    State expected = State::kRunning;
    state_.compare_exchange_strong(expected, State::kWrote);
  };
  interpreter_->Run(run);
  state_ = State::kIdle;
}

}  // namespace starling
