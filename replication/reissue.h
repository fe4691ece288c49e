/// Writes again what a node wrote on its own before its streams counted.
///
/// A joiner, and a forgotten member that returns, take the cluster's whole state; what they wrote
/// beyond what the cluster accepts is taken out first and then written anew, with stamps after that
/// state, as an incarnation that writes nothing else: counters as the difference to what the
/// cluster holds of them (nothing where it has reset since what it held), deletions of what was
/// written before them, all else only where the cluster holds nothing later (COUNTEREXAMPLES 18,
/// 27). What was written to a key that is a live claim there is not, nor is a local FLUSHDB. A key
/// that is written again has the deadline that it would have, had the two states merged: the later
/// of the cluster's and the node's, whoever wrote that; what had expired by it stays away (I8).
///
/// The writing is done aside, in a keyspace that holds of the cluster's state what concerns these
/// keys; what comes out is that incarnation's whole stream, for Store::ApplyWalk to take together
/// with the state. Its stamps lie between those of the node's former and its present incarnation,
/// so what clients write meanwhile is later than what they wrote before. Not thread-safe; locks the
/// node's keyspace while it copies.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "storage/batch_codec.h"
#include "storage/item_list.h"
#include "storage/keyspace.h"
#include "storage/store.h"

namespace starling {

class Reissue {
 public:
  /// How many stamps to leave free for what Capture would copy now (Store::RaiseIncarnation).
  static uint64_t StampsFor(Keyspace& keyspace, NodeId node, const VersionVector& accepted);
  /// Copies the items of `node` that `accepted` does not cover, those of `current` left out.
  void Capture(Keyspace& keyspace, NodeId node, const Origin& current,
               const VersionVector& accepted);
  /// Notes what the cluster holds of the captured keys: for each piece of the whole state.
  void Compare(const DecodedBatch& piece);

  struct Written {
    std::vector<std::string> stream;  ///< All batches of `between.origin`.
    size_t items = 0;                 ///< Of those captured, how many count.
  };
  /// Writes; nullopt where the stamps between the incarnations do not suffice, since more was
  /// written before the raise than was foreseen: raise again.
  std::optional<Written> Write(const Store::Between& between) const;

 private:
  using KeyName = std::pair<uint8_t, std::string>;
  using PartName = std::tuple<Part, ElementType, std::string, Origin>;
  struct Expiry {
    Stamp stamp;
    Origin origin;
    int64_t deadline_millis = 0;
    bool LaterThan(const Expiry& other) const {
      return std::tie(stamp, origin) > std::tie(other.stamp, other.origin);
    }
  };
  struct Theirs {
    Stamp latest;  ///< Of any item but slots.
    Stamp reset;   ///< Cut or base.
    Expiry expiry;
    std::map<std::string, Stamp> elements;
    std::map<PartName, std::pair<Stamp, Number>> slots;  ///< By their parts: born, net.
  };

  /// A key as it would be, had the two states merged.
  struct Merged {
    Stamp reset;                  ///< What was written until then is gone.
    int64_t deadline_millis = 0;  ///< Of what was written after it; 0: none.
    bool deadline_is_own = false;
    bool expired = false;  ///< By a deadline of this node: the cluster cannot know that.
  };

  /// What the cluster last reset the key at.
  Stamp ResetOf(const KeyName& key) const;
  /// `items`: of this key, all that was captured.
  Merged Merge(const KeyName& key, const std::vector<const Item*>& items, int64_t now_millis) const;
  /// Whether it deletes something that the cluster's state does not show.
  bool DeletesUnseen(const Item& item) const;
  std::vector<Item> Deletions(const std::map<KeyName, Merged>& keys, const Origin& origin,
                              HybridClock& clock) const;
  bool WriteItem(Access& access, const KeyRef& key, const Item& item, const Theirs& theirs,
                 Stamp reset) const;
  bool WriteSlot(Access& access, const KeyRef& key, const Item& item, const Theirs& theirs) const;
  /// What the cluster has added to the value `item` since that was written, which is written anew.
  static void AddSince(Access& access, const KeyRef& key, const Item& item, const Theirs& theirs);
  static bool WriteDeadline(Access& access, const KeyRef& key, const Merged& merged);

  NodeId node_;
  VersionVector accepted_;  // what the cluster holds of this node's streams
  ItemList items_;
  std::map<KeyName, Expiry> expiries_;  // that this node saw, where they counted
  std::map<KeyName, Theirs> theirs_;
  ItemList seen_;  // the cluster's items of these keys, and its database cuts
  std::map<uint8_t, Stamp> database_cuts_;
};

}  // namespace starling
