/// Writes again what a node wrote on its own before its streams counted.
///
/// A joiner, and a forgotten member that returns, take the cluster's whole state; what they wrote
/// beyond what the cluster accepts is taken out first and then written anew, with stamps after that
/// state, as a new incarnation: counters as the difference to what the cluster holds of them, all
/// else only where the cluster holds nothing later (COUNTEREXAMPLES 18, 27). A local FLUSHDB is not
/// repeated. Not thread-safe; locks the keyspace key by key.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "storage/batch_codec.h"
#include "storage/item_list.h"
#include "storage/keyspace.h"

namespace starling {

class Reissue {
 public:
  /// Copies the items of `node` that `accepted` does not cover, those of `current` left out.
  void Capture(Keyspace& keyspace, NodeId node, const Origin& current,
               const VersionVector& accepted);
  /// Notes what the cluster holds of the captured keys: for each piece of the whole state.
  void Compare(const DecodedBatch& piece);
  /// Writes. Returns how many items were written again.
  size_t Write(Keyspace& keyspace) const;

  bool empty() const { return items_.items().empty(); }

 private:
  using KeyName = std::pair<uint8_t, std::string>;
  using PartName = std::tuple<ElementType, std::string, Origin>;
  struct Theirs {
    Stamp latest;  ///< Of any item but slots.
    Stamp reset;   ///< Cut or base.
    bool present = false;
    std::map<std::string, Stamp> elements;
    std::map<PartName, std::pair<Stamp, Number>> slots;  ///< Born, net.
  };

  bool WriteItem(Access& access, const KeyRef& key, const Item& item, const Theirs& theirs) const;
  bool WriteSlot(Access& access, const KeyRef& key, const Item& item, const Theirs& theirs) const;

  ItemList items_;
  std::map<KeyName, Theirs> theirs_;
  std::map<uint8_t, Stamp> database_cuts_;
};

}  // namespace starling
