#include <algorithm>

#include "node/arguments.h"
#include "node/commands/generic_commands.h"
#include "node/commands/starling_commands.h"
#include "node/commands/starling_locks.h"
#include "node/member_state_name.h"
#include "node/node_services.h"
#include "node/subcommands.h"

namespace starling {
namespace {

constexpr std::string_view kHelp[] = {
    "ACQUIRE <token> <ttl-ms> <wait-ms> <key> [<key> ...]",
    "    Claim the first of the keys that is free, or wait for one in turn. Answers the key and "
    "its",
    "    fencing token, or nil when the time to wait is over.",
    "BACKUP <folder>",
    "    Write a verified copy of this node's data to a new folder of its host.",
    "CLAIM <key> <by> <ttl-ms>",
    "    Claim a key unless it is there. Answers whether it was absent (1, else 0), the claim's",
    "    fencing token, and who made it.",
    "DEBUG KEY <key>",
    "    Each part of a key: who wrote it and when, its elements, its bytes, what waits to be "
    "freed.",
    "EXTEND <key> <token> <ttl-ms>",
    "    Give the key more time where it holds the token: 1, else 0.",
    "FENCE <key>",
    "    The fencing token of the claim on a key: it only grows, from holder to holder.",
    "FORGET <name> [<name> ...]",
    "    End members that will not come back, at the leaseholder; what only they held is lost. "
    "Voters",
    "    are first taken out by VOTERS REMOVE. It is done when MEMBERS shows them forgotten.",
    "JOIN <host:port> [<host:port> ...]",
    "    Look for members there too.",
    "KEY <key>",
    "    How this node holds the key, and who else holds all that this node wrote.",
    "LEASE",
    "    Who may order commands, as this node sees it.",
    "LEVEL [local|leased|majority|default]",
    "    How strongly this connection's commands are ordered; default: as --level says.",
    "MEMBERS",
    "    The members of the cluster, as this node sees them.",
    "RELEASE <key> <token>",
    "    Delete the key where it holds the token: 1, else 0.",
    "VOTERS",
    "    The members that count for majorities; none where the meeting folder votes.",
    "VOTERS ADD <name>|REMOVE <name>|REPLACE <old> <new>",
    "    Change them, at the leaseholder; STARLING LEASE shows how far it is.",
    "VOTERS FORCE <name> [<name> ...]",
    "    After a majority is lost for good: these vote from now on; what only the others held is "
    "lost.",
    "VOTERS SET <name> [<name> ...]",
    "    Let these vote, instead of the others or of the meeting folder.",
};

void ReplyStatus(CommandContext& context, const Status& status) {
  if (status.ok()) return context.reply.Ok();
  context.reply.Error("ERR " + status.error().message);
}

std::vector<std::string> Texts(Arguments words) { return {words.begin(), words.end()}; }

std::vector<MemberInfo> SortedMembers(CommandContext& context) {
  std::vector<MemberInfo> members = context.services.Members();
  std::sort(members.begin(), members.end(),
            [](const MemberInfo& a, const MemberInfo& b) { return a.name < b.name; });
  return members;
}

/// Stamps exceed 2^53, which some clients cannot hold in a number.
void ReplyStamp(Reply& reply, Stamp stamp) { reply.Bulk(std::to_string(stamp.value)); }

void Members(CommandContext& context, Arguments) {
  Reply& reply = context.reply;
  const std::vector<MemberInfo> members = SortedMembers(context);
  reply.Array(members.size());
  for (const MemberInfo& member : members) {
    reply.Map(9);
    reply.Bulk("name");
    reply.Bulk(member.name);
    reply.Bulk("id");
    reply.Bulk(member.id.ToString());
    reply.Bulk("address");
    reply.Bulk(member.address);
    reply.Bulk("state");
    reply.Bulk(MemberStateName(member.state));
    reply.Bulk("self");
    reply.Integer(member.self ? 1 : 0);
    reply.Bulk("connected");
    reply.Integer(member.connected ? 1 : 0);
    reply.Bulk("held");
    ReplyStamp(reply, member.held);
    reply.Bulk("acknowledged");
    ReplyStamp(reply, member.acknowledged);
    reply.Bulk("rtt-ms");
    reply.Integer(member.rtt.count());
  }
}

void ReplyNames(Reply& reply, const std::vector<std::string>& names) {
  reply.Array(names.size());
  for (const std::string& name : names) reply.Bulk(name);
}

void Lease(CommandContext& context, Arguments) {
  Reply& reply = context.reply;
  const LeaseInfo lease = context.services.Lease();
  reply.Map(12);
  reply.Bulk("mode");
  reply.Bulk(NameOf(lease.mode));
  reply.Bulk("epoch");
  reply.Integer(static_cast<int64_t>(lease.view.epoch));
  reply.Bulk("holder");
  if (lease.view.holder.empty()) {
    reply.Null();
  } else {
    reply.Bulk(lease.view.holder);
  }
  reply.Bulk("leading");
  reply.Integer(lease.view.leading ? 1 : 0);
  reply.Bulk("valid-ms");
  reply.Integer(lease.valid_for.count());
  reply.Bulk("majority-begun");
  reply.Integer(lease.view.majority_begun ? 1 : 0);
  reply.Bulk("voters");
  ReplyNames(reply, lease.voters);
  reply.Bulk("voters-version");
  reply.Bulk(VersionText(lease.voters_version));
  reply.Bulk("voters-held");
  reply.Integer(lease.voters_held ? 1 : 0);
  reply.Bulk("voters-wanted");
  ReplyNames(reply, lease.voters_wanted);
  reply.Bulk("promised");
  reply.Integer(static_cast<int64_t>(lease.promised));
  reply.Bulk("recovering");
  reply.Integer(lease.recovering ? 1 : 0);
}

struct VoterWord {
  std::string_view word;
  VoterRequest::Kind kind;
  size_t names;  ///< That it takes; 0: one or more.
};
constexpr VoterWord kVoterWords[] = {
    {"add", VoterRequest::Kind::kAdd, 1},         {"remove", VoterRequest::Kind::kRemove, 1},
    {"replace", VoterRequest::Kind::kReplace, 2}, {"set", VoterRequest::Kind::kSet, 0},
    {"force", VoterRequest::Kind::kForce, 0},
};

/// Why the lease has to be looked for elsewhere; empty: it is here.
std::string WhyNotHere(const LeaseInfo& lease) {
  if (lease.holding) return {};
  if (!lease.view.holder.empty()) {
    return "NOTLEADER '" + lease.view.holder + "' holds the lease: ask it";
  }
  return "NOQUORUM nobody in reach holds the lease; where a majority of the voters is lost for "
         "good, see STARLING VOTERS FORCE";
}

/// Names may be given as words or as a list with commas.
std::vector<std::string> NamesIn(Arguments words) {
  std::vector<std::string> names;
  for (std::string_view word : words) {
    for (size_t end = 0; end != std::string_view::npos;) {
      end = word.find(',');
      names.emplace_back(word.substr(0, end));
      if (end != std::string_view::npos) word.remove_prefix(end + 1);
    }
  }
  return names;
}

void Voters(CommandContext& context, Arguments arguments) {
  if (arguments.size() == 2) return ReplyNames(context.reply, context.services.Lease().voters);
  const auto* found =
      std::find_if(std::begin(kVoterWords), std::end(kVoterWords),
                   [&](const VoterWord& each) { return IsWord(arguments[2], each.word); });
  const size_t names = arguments.size() - 3;
  const bool fits =
      found != std::end(kVoterWords) && (found->names == 0 ? names > 0 : names == found->names);
  if (!fits) {
    return context.reply.Error(
        "ERR VOTERS takes ADD name, REMOVE name, REPLACE old new, SET name ... or FORCE name ...");
  }
  if (found->kind != VoterRequest::Kind::kForce) {
    const std::string why = WhyNotHere(context.services.Lease());
    if (!why.empty()) return context.reply.Error(why);
  }
  const Result<std::string> changed =
      context.services.ChangeVoters({found->kind, NamesIn(arguments.subspan(3))});
  if (!changed) return context.reply.Error("ERR " + changed.error().message);
  if (changed->empty()) return context.reply.Ok();
  context.reply.Bulk(*changed);
}

void Fence(CommandContext& context, Arguments arguments) {
  const KeyRef key = context.Key(arguments[2]);
  Access access = context.keyspace().Lock(key);
  (void)access.Find(key);  // a transaction that reads it waits for it
  const std::optional<Stamp> token = access.ClaimToken(key);
  token ? ReplyStamp(context.reply, *token) : context.reply.Null();
}

void Forget(CommandContext& context, Arguments arguments) {
  const std::string why = WhyNotHere(context.services.Lease());
  if (!why.empty()) return context.reply.Error(why);
  ReplyStatus(context, context.services.Forget(Texts(arguments.subspan(2))));
}

void Join(CommandContext& context, Arguments arguments) {
  ReplyStatus(context, context.services.Join(Texts(arguments.subspan(2))));
}

void Backup(CommandContext& context, Arguments arguments) {
  // Relative to what: the client does not know where the daemon was started.
  if (!arguments[2].starts_with('/')) {
    return context.reply.Error("ERR BACKUP needs a path that begins with '/'");
  }
  ReplyStatus(context, context.services.Backup(std::string(arguments[2])));
}

/// What KEY tells of a key, copied so that no lock is held while members are asked.
struct HeldKey {
  KeyType type = KeyType::kNone;
  bool counter = false;
  bool number = false;
  size_t elements = 0;
  size_t bytes = 0;
  std::optional<int64_t> deadline;
};

std::optional<HeldKey> Look(CommandContext& context, const KeyRef& key) {
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key, false);
  if (!view) return std::nullopt;
  HeldKey held;
  held.type = view->type;
  held.counter = view->counter;
  held.number = view->value.kind == Value::Kind::kNumber;
  held.elements = view->size;
  held.deadline = view->deadline_millis;
  held.bytes = access.MemoryUsage(key).value_or(0);
  return held;
}

void Key(CommandContext& context, Arguments arguments) {
  Reply& reply = context.reply;
  std::optional<HeldKey> held = Look(context, context.Key(arguments[2]));
  if (!held) return reply.Null();
  const Stamp written = context.store.journal().upto();
  std::vector<std::string> holders;
  for (const MemberInfo& member : SortedMembers(context)) {
    if (member.self || member.acknowledged >= written) holders.push_back(member.name);
  }
  reply.Map(8);
  reply.Bulk("database");
  reply.Integer(context.client.database);
  reply.Bulk("type");
  reply.Bulk(TypeName(held->type));
  reply.Bulk("merge");
  reply.Bulk(held->counter                    ? "sum of what every node added"
             : held->type == KeyType::kString ? "latest write"
                                              : "latest write of each element");
  reply.Bulk("representation");
  reply.Bulk(held->type != KeyType::kString ? "collection" : held->number ? "number" : "bytes");
  reply.Bulk("elements");
  reply.Integer(static_cast<int64_t>(held->elements));
  reply.Bulk("bytes");
  reply.Integer(static_cast<int64_t>(held->bytes));
  reply.Bulk("deadline-ms");
  if (held->deadline) {
    reply.Integer(*held->deadline);
  } else {
    reply.Null();
  }
  reply.Bulk("held-by");
  reply.Array(holders.size());
  for (const std::string& holder : holders) reply.Bulk(holder);
}

void Debug(CommandContext& context, Arguments arguments) {
  if (!IsWord(arguments[2], "key")) return context.reply.Error(error_text::kSyntax);
  DebugKey(context, arguments);
}

void SetLevel(CommandContext& context, Arguments arguments) {
  std::optional<Level>& level = context.client.level;
  if (arguments.size() == 2) return context.reply.Bulk(level ? NameOf(*level) : "default");
  const std::optional<Level> named = LevelNamed(arguments[2]);
  if (arguments.size() > 3 || (!named && !IsWord(arguments[2], "default"))) {
    return context.reply.Error("ERR LEVEL takes local, leased, majority or default");
  }
  level = named;
  context.reply.Ok();
}

void Help(CommandContext& context, Arguments) { ReplyHelp(context.reply, "STARLING", kHelp); }

constexpr Subcommand kSubcommands[] = {
    {"acquire", AcquireLock}, {"extend", ExtendLock}, {"release", ReleaseLock},
    {"backup", Backup},       {"claim", ClaimFirst},  {"debug", Debug},
    {"fence", Fence},         {"forget", Forget},     {"help", Help},
    {"join", Join},           {"key", Key},           {"lease", Lease},
    {"level", SetLevel},      {"members", Members},   {"voters", Voters},
};

void Starling(CommandContext& context, Arguments arguments) {
  RunSubcommand(kSubcommands, context, arguments);
}

constexpr uint32_t kOperator = kAdmin | kNoScript | kLoading | kStale;

constexpr CommandSpec kStarlingCommands[] = {
    {"starling", -2, 0, 0, 0, 0, "server", "starling 0.1.0", "What concerns the cluster.",
     Starling},
    {"starling|acquire", -6, kWrite | kDenyOom | kNoScript | kBlocking | kClaims, 5, -1, 1,
     "server", "starling 0.1.0", "Claim one of some keys, or wait for it.", nullptr},
    {"starling|backup", 3, kOperator | kOutside, 0, 0, 0, "server", "starling 0.1.0",
     "Write a verified copy of this node's data.", nullptr},
    {"starling|claim", 5, kWrite | kDenyOom | kFast | kClaims, 2, 2, 1, "server", "starling 0.1.0",
     "Claim a key, and hear who was first.", nullptr},
    {"starling|debug", 4, kReadOnly | kByThisNode, 3, 3, 1, "server", "starling 0.1.0",
     "Each part of a key, as it merges.", nullptr},
    {"starling|extend", 5, kWrite | kFast, 2, 2, 1, "server", "starling 0.1.0",
     "Give a key that holds a token more time to live.", nullptr},
    {"starling|fence", 3, kReadOnly, 2, 2, 1, "server", "starling 0.1.0",
     "The fencing token of the claim on a key.", nullptr},
    {"starling|forget", -3, kOperator | kOutside, 0, 0, 0, "server", "starling 0.1.0",
     "End members that will not come back.", nullptr},
    {"starling|help", 2, kLoading | kStale, 0, 0, 0, "server", "starling 0.1.0",
     "List the subcommands.", nullptr},
    {"starling|join", -3, kOperator | kOutside, 0, 0, 0, "server", "starling 0.1.0",
     "Look for members at more addresses.", nullptr},
    {"starling|key", 3, kReadOnly | kOutside | kByThisNode, 2, 2, 1, "server", "starling 0.1.0",
     "How a key is held, and by whom.", nullptr},
    {"starling|lease", 2, kOperator | kOutside, 0, 0, 0, "server", "starling 0.1.0",
     "Who may order commands.", nullptr},
    {"starling|level", -2, kNoScript | kLoading | kStale, 0, 0, 0, "server", "starling 0.1.0",
     "How strongly this connection's commands are ordered.", nullptr},
    {"starling|members", 2, kOperator | kOutside, 0, 0, 0, "server", "starling 0.1.0",
     "The members of the cluster.", nullptr},
    {"starling|release", 4, kWrite | kFast, 2, 2, 1, "server", "starling 0.1.0",
     "Delete a key that holds a token.", nullptr},
    {"starling|voters", -2, kOperator | kOutside, 0, 0, 0, "server", "starling 0.1.0",
     "The members that count for majorities, and changes of them.", nullptr},
};

}  // namespace

std::span<const CommandSpec> StarlingCommands() { return kStarlingCommands; }

}  // namespace starling
