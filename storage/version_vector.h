/// For each origin, the stamp up to which its stream is held.
///
/// A value type, ordered by origin; absent means nothing held. Source: Parker et al., "Detection of
/// Mutual Inconsistency in Distributed Systems", 1983. Not thread-safe.
///
/// An entry up to kOver says that the streams of this node's incarnations up to this one have ended
/// and are held to their ends: one entry for however many restarts. It stands for its lower
/// incarnations in every operation, and no entry of theirs stands beside it.
#pragma once

#include <string>
#include <vector>

#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling {

class VersionVector {
 public:
  struct Entry {
    Origin origin;
    Stamp upto;
    friend constexpr auto operator<=>(const Entry&, const Entry&) = default;
  };

  /// After every stamp: see above.
  static constexpr Stamp kOver{~uint64_t{0}};

  /// The stamp up to which `origin`'s stream is held, or none.
  Stamp Get(const Origin& origin) const;
  /// Sets one entry, up or down; a stamp of none removes it. With kOver, entries of lower
  /// incarnations go; with another stamp, an entry of kOver that stands for this origin goes.
  void Set(const Origin& origin, Stamp upto);
  /// Raises one entry; lower values change nothing.
  void Raise(const Origin& origin, Stamp upto);
  /// The entry-wise maximum.
  void MergeFrom(const VersionVector& other);
  /// Up to which incarnation of `node` streams are over; 0: of none.
  uint64_t OverUpTo(NodeId node) const;
  /// Takes out the entry of kOver of `node`, if there is one.
  void ForgetOver(NodeId node);
  /// The largest stamp of all entries but those of kOver.
  Stamp Newest() const;
  /// The entry-wise minimum; an origin absent on either side becomes absent.
  void IntersectWith(const VersionVector& other);

  bool Covers(const Origin& origin, Stamp stamp) const { return Get(origin) >= stamp; }
  /// Whether every entry of `other` is covered.
  bool Covers(const VersionVector& other) const;

  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  /// `origin:stamp` pairs, for logs and golden transcripts.
  std::string ToString() const;

  friend bool operator==(const VersionVector&, const VersionVector&) = default;

 private:
  std::vector<Entry> entries_;  // sorted by origin
};

}  // namespace starling
