// STARLING DEBUG KEY: what a key is made of.
#include <map>
#include <string>

#include "node/commands/generic_commands.h"
#include "node/commands/starling_commands.h"
#include "node/node_services.h"
#include "storage/key_description.h"

namespace starling {
namespace {

using Members = std::vector<MemberInfo>;

/// Writes the parts of a key, naming members where their ids are known.
class DescriptionReply {
 public:
  DescriptionReply(Reply& reply, const Members& members) : reply_(reply), members_(members) {
    for (const MemberInfo& member : members) names_[member.id] = member.name;
  }

  void Write(const KeyDescription& key) {
    reply_.Map(10);
    Cut(key.cut);
    Number("database-cut", key.database_cut);
    Base(key.base);
    Slots(key.slots);
    Expiry(key.expiry);
    Elements(key.elements);
    Waiting(key.waiting);
    Number("bytes", key.memory_bytes);
    Number("payload-bytes", key.payload_bytes);
    Number("merge-bytes", key.merge_bytes);
  }

 private:
  using Written = KeyDescription::Written;

  void Text(const char* name, std::string_view text) {
    reply_.Bulk(name);
    reply_.Bulk(text);
  }
  void Number(const char* name, size_t number) {
    reply_.Bulk(name);
    reply_.Integer(static_cast<int64_t>(number));
  }
  /// Stamps exceed 2^53, which some clients cannot hold in a number.
  void Number(const char* name, Stamp stamp) { Text(name, std::to_string(stamp.value)); }
  /// Two pairs.
  void By(const Written& written) {
    const auto known = names_.find(written.origin.node);
    Text("by", known == names_.end() ? written.origin.ToString() : known->second);
    Number("stamp", written.stamp);
  }

  void Cut(const std::optional<KeyDescription::Cut>& cut) {
    reply_.Bulk("cut");
    if (!cut) return reply_.Null();
    reply_.Map(3);
    Number("at", cut->at);
    By(cut->written);
  }

  void Base(const std::optional<KeyDescription::Base>& base) {
    reply_.Bulk("base");
    if (!base) return reply_.Null();
    reply_.Map(4);
    Text("kind", base->kind == Value::Kind::kNumber ? "number" : "bytes");
    Number("bytes", base->bytes);
    By(base->written);
  }

  void Slots(const std::vector<KeyDescription::SlotOf>& slots) {
    reply_.Bulk("slots");
    reply_.Array(slots.size());
    for (const KeyDescription::SlotOf& slot : slots) {
      reply_.Map(4);
      Text("net", slot.net.ToString());
      Number("born", slot.born);
      By(slot.written);
    }
  }

  void Expiry(const std::optional<KeyDescription::Expiry>& expiry) {
    reply_.Bulk("expiry");
    if (!expiry) return reply_.Null();
    reply_.Map(3);
    reply_.Bulk("deadline-ms");
    expiry->deadline_millis == 0 ? reply_.Null() : reply_.Integer(expiry->deadline_millis);
    By(expiry->written);
  }

  void Elements(const std::vector<KeyDescription::Elements>& elements) {
    reply_.Bulk("elements");
    reply_.Array(elements.size());
    for (const KeyDescription::Elements& of : elements) {
      reply_.Map(8);
      Text("type", TypeName(of.type));
      Number("live", of.live);
      Number("removed", of.removed);
      Number("numeric", of.numeric);
      Number("slots", of.slots);
      Text("representation", of.packed ? "packed" : "indexed");
      By(of.newest);
    }
  }

  /// Members that, as far as this node knows, do not hold what it wrote up to `stamp`.
  void Lacking(const Written& written) {
    const MemberInfo* self = nullptr;
    for (const MemberInfo& member : members_) {
      if (member.self) self = &member;
    }
    std::vector<std::string_view> names;
    // Who holds what of another member's stream is known only in sum, as stability.
    const bool own = self != nullptr && self->id == written.origin.node;
    for (const MemberInfo& member : members_) {
      if (own && !member.self && member.acknowledged < written.stamp) names.push_back(member.name);
    }
    reply_.Bulk("for");
    reply_.Array(names.size());
    for (std::string_view name : names) reply_.Bulk(name);
  }

  void Waiting(const std::vector<KeyDescription::Waiting>& waiting) {
    reply_.Bulk("waiting");
    reply_.Array(waiting.size());
    for (const KeyDescription::Waiting& of : waiting) {
      reply_.Map(4);
      Number("tombstones", of.tombstones);
      By(of.newest);
      Lacking(of.newest);
    }
  }

  Reply& reply_;
  const Members& members_;
  std::map<NodeId, std::string> names_;
};

}  // namespace

void DebugKey(CommandContext& context, Arguments arguments) {
  const KeyRef key = context.Key(arguments[3]);
  // Described first: no lock is held while members are asked.
  const std::optional<KeyDescription> description = context.keyspace().Lock(key).Describe(key);
  if (!description) return context.reply.Null();
  const Members members = context.services.Members();
  DescriptionReply(context.reply, members).Write(*description);
}

}  // namespace starling
