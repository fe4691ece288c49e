#include "storage/collection.h"

#include <algorithm>
#include <array>
#include <memory>

#include "storage/check.h"
#include "storage/indexed_elements.h"
#include "storage/list_elements.h"

namespace starling {

struct Collection::Parts {
  std::array<std::unique_ptr<CollectionPart>, kElementTypes> of;
};

uint64_t Collection::HashOf(const CollectionSpace& space, ElementType type, std::string_view id) {
  return HashElement(type, id, space.hash_seed);
}

ElementName Collection::NameOf(const CollectionSpace& space, ElementType type,
                               std::string_view id) {
  ElementName name{HashOf(space, type, id), std::nullopt};
  if (type == ElementType::kList) name.list_id = id;
  return name;
}

ElementBlock* Collection::BlockOf(ElementType type) const {
  return packed() && block()->type() == type ? block() : nullptr;
}

CollectionPart* Collection::PartOf(ElementType type) const {
  return none() || packed() ? nullptr : parts().of[static_cast<size_t>(type)].get();
}

// --- from a block to parts ---

bool Collection::FitsBlock(const Element& element) { return element.id.size() <= kMaxPackedBytes; }

void Collection::LeaveBlockIfLarge(CollectionSpace& space) {
  const bool list = block()->type() == ElementType::kList;
  if (list ? block()->bytes() > ListElements::kBlockBytes && block()->count() > 1
           : block()->count() > kMaxPacked || block()->bytes() > kMaxPackedBytes) {
    LeaveBlock(space);
  }
}

void Collection::LeaveBlock(CollectionSpace& space) {
  ElementBlock* const old = block();
  const ElementType type = old->type();
  auto* const parts = new Parts;
  space.outside_bytes += sizeof(Parts);
  auto& part = parts->of[static_cast<size_t>(type)];
  if (type == ElementType::kList) {
    part = std::make_unique<ListElements>(old, space);
  } else {
    part = std::make_unique<IndexedElements>(type, space);
    for (ElementBlock::Cursor cursor(old, space); !cursor.AtEnd(); cursor.Next()) {
      const Element element = cursor.Get();
      part->Update(element.id, [&](Element& fresh) {
        fresh.value = element.value;
        return true;
      });
    }
    ElementBlock::Delete(old, space);
  }
  bits_ = reinterpret_cast<uintptr_t>(parts) | kPartsBit;
}

CollectionPart& Collection::NeedPart(CollectionSpace& space, ElementType type) {
  if (packed()) LeaveBlock(space);
  if (none()) {
    bits_ = reinterpret_cast<uintptr_t>(new Parts) | kPartsBit;
    space.outside_bytes += sizeof(Parts);
  }
  auto& part = parts().of[static_cast<size_t>(type)];
  if (part) return *part;
  if (type == ElementType::kList) {
    part = std::make_unique<ListElements>(ElementBlock::New(type, space), space);
  } else {
    part = std::make_unique<IndexedElements>(type, space);
  }
  return *part;
}

// --- reading ---

std::optional<Element> Collection::Find(CollectionSpace& space, ElementType type,
                                        std::string_view id) const {
  if (ElementBlock* const block = BlockOf(type)) {
    ElementBlock::Cursor cursor(block, space);
    if (!ElementBlock::Find(cursor, id)) return std::nullopt;
    return cursor.Get();
  }
  const CollectionPart* part = PartOf(type);
  return part == nullptr ? std::nullopt : part->Find(id);
}

bool Collection::Has(CollectionSpace& space, ElementType type, std::string_view id) const {
  if (ElementBlock* const block = BlockOf(type)) {
    ElementBlock::Cursor cursor(block, space);
    return ElementBlock::Find(cursor, id) && cursor.live();
  }
  const CollectionPart* const part = PartOf(type);
  return part != nullptr && part->Has(id);
}

void Collection::ForEachLive(
    CollectionSpace& space, ElementType type, ScoreText& text,
    absl::FunctionRef<void(std::string_view id, const Value& payload)> visit) const {
  if (ElementBlock* const block = BlockOf(type)) {
    for (ElementBlock::Cursor cursor(block, space); !cursor.AtEnd(); cursor.Next()) {
      if (cursor.live()) visit(cursor.Id(), cursor.Payload(text));
    }
  } else if (const CollectionPart* const part = PartOf(type)) {
    part->ForEachLive(text, [&](std::string_view id, const Value& payload) {
      visit(id, payload);
      return true;
    });
  }
}

size_t Collection::live(ElementType type) const {
  if (const ElementBlock* const block = BlockOf(type)) return block->live();
  const CollectionPart* part = PartOf(type);
  return part == nullptr ? 0 : part->live();
}

size_t Collection::size() const {
  if (none()) return 0;
  if (packed()) return block()->count();
  size_t size = 0;
  for (const auto& part : parts().of) size += part ? part->size() : 0;
  return size;
}

size_t Collection::tombstones() const {
  if (none()) return 0;
  if (packed()) return block()->count() - block()->live();
  size_t tombstones = 0;
  for (const auto& part : parts().of) tombstones += part ? part->size() - part->live() : 0;
  return tombstones;
}

Stamp Collection::NewestLive(CollectionSpace& space, ElementType type) const {
  Stamp newest;
  if (ElementBlock* const block = BlockOf(type)) {
    for (ElementBlock::Cursor cursor(block, space); !cursor.AtEnd(); cursor.Next()) {
      newest = std::max(newest, cursor.Get().NewestLive());
    }
  } else if (const CollectionPart* part = PartOf(type)) {
    newest = part->NewestLive();
  }
  return newest;
}

bool Collection::AllUpTo(Stamp reset) const {
  if (none()) return true;
  if (packed()) return block()->newest() <= reset;
  return std::all_of(parts().of.begin(), parts().of.end(),
                     [&](const auto& part) { return !part || part->newest() <= reset; });
}

// --- changing ---

ElementChange Collection::Note(ElementType type, CollectionPart::Change change,
                               absl::FunctionRef<bool(CollectionPart::Change)> update) {
  ElementChange done;
  const bool was_packed = packed();
  const ElementType packed_type = was_packed ? block()->type() : ElementType::kNone;
  Stamp newest;
  if (packed_type == type) {
    newest = block()->newest();
  } else if (const CollectionPart* const part = PartOf(type)) {
    newest = part->newest();
  }
  done.changed = update([&](Element& element) {
    done.before = element.value.Newest();
    done.was_tombstone = !element.none() && !element.live();
    return change(element);
  });
  if (!done.changed) return done;
  if (was_packed && !packed() && packed_type != ElementType::kList) done.indexed = packed_type;
  if (packed() || type == ElementType::kList) done.block_before = newest;
  return done;
}

ElementChange Collection::Update(CollectionSpace& space, ElementType type, std::string_view id,
                                 CollectionPart::Change change) {
  return Note(type, change, [&](CollectionPart::Change noted) {
    if (BlockOf(type) != nullptr) return UpdateBlock(space, id, noted);
    if (CollectionPart* const part = PartOf(type)) return part->Update(id, noted);
    // The first of its type: room is made only for what counts.
    Element fresh;
    fresh.type = type;
    fresh.id = id;
    if (!noted(fresh)) return false;
    Restore(space, fresh);
    return true;
  });
}

ElementChange Collection::UpdateAt(CollectionSpace& space, ElementType type, size_t position,
                                   CollectionPart::Change change) {
  return Note(type, change, [&](CollectionPart::Change noted) {
    if (BlockOf(type) != nullptr) return UpdateBlockAt(space, position, noted);
    return PartOf(type)->UpdateAt(position, noted);
  });
}

bool Collection::UpdateBlock(CollectionSpace& space, std::string_view id,
                             CollectionPart::Change change) {
  ElementBlock::Cursor cursor(block(), space);
  bool found = false;
  if (block()->EndsBefore(id)) {
    cursor.ToEnd();
  } else {
    found = ElementBlock::Find(cursor, id);
  }
  Element element;
  if (found) cursor.GetTo(element);
  element.type = block()->type();
  element.id = id;
  if (!change(element)) return false;
  PutInBlock(cursor, found, element, space);
  return true;
}

bool Collection::UpdateBlockAt(CollectionSpace& space, size_t position,
                               CollectionPart::Change change) {
  ElementBlock::Cursor cursor(block(), space);
  cursor.SkipLive(position);
  Element element;
  cursor.GetTo(element);
  if (!change(element)) return false;
  PutInBlock(cursor, true, element, space);
  return true;
}

void Collection::PutInBlock(ElementBlock::Cursor& cursor, bool replace, Element& element,
                            CollectionSpace& space) {
  if (FitsBlock(element)) {
    Name(ElementBlock::Put(cursor, replace, element));
    return LeaveBlockIfLarge(space);
  }
  // No block has held it, so it borrows nothing from the one that is about to go.
  NeedPart(space, element.type).Update(element.id, [&](Element& fresh) {
    fresh.value = element.value;
    return true;
  });
}

bool Collection::MergeInto(Element& element, const Item& item, OriginIndex origin, Stamp reset,
                           const OriginTable& origins) {
  if (item.part == Part::kElementSlot) {
    return element.value.MergeSlot({origin, item.at, item.stamp, item.value.number},
                                   std::max(reset, element.value.version.stamp), origins);
  }
  if (item.stamp <= reset) return false;
  // An element may come without a payload; in memory only what is removed has none.
  const Value value = item.removed                            ? Value{}
                      : item.value.kind == Value::Kind::kNone ? Value::Bytes("")
                                                              : item.value;
  return element.value.MergeBase({item.stamp, origin}, value, origins);
}

ElementChange Collection::Merge(CollectionSpace& space, const Item& item, OriginIndex origin,
                                Stamp reset) {
  return Update(space, item.element_type, item.element, [&](Element& element) {
    return MergeInto(element, item, origin, reset, space.origins);
  });
}

void Collection::Restore(CollectionSpace& space, Element& element) {
  if (none() && FitsBlock(element)) Name(ElementBlock::New(element.type, space));
  const auto take = [&](Element& fresh) {
    STARLING_CHECK(fresh.none());
    fresh.value = element.value;
    return true;
  };
  if (BlockOf(element.type) != nullptr) {
    UpdateBlock(space, element.id, take);
  } else {
    NeedPart(space, element.type).Update(element.id, take);
  }
}

bool Collection::Purge(CollectionSpace& space, Stamp reset, CollectionPart::PurgeVisitor changed) {
  bool any = false;
  const auto note = [&](const Element& element, bool whole) {
    any = true;
    changed(element, whole);
  };
  if (packed()) {
    if (block()->oldest() > reset) return false;
    Name(ElementBlock::Purge(block(), reset, note, space));
    return true;  // the block has moved, whatever went
  }
  for (size_t type = 0; !none() && type < kElementTypes; ++type) {
    CollectionPart* const part = parts().of[type].get();
    if (part != nullptr && part->oldest() <= reset) part->Purge(reset, note);
  }
  return any;
}

ElementBlock::Cursor Collection::FindTombstone(CollectionSpace& space, const ElementName& name,
                                               const Version& version) const {
  ElementBlock::Cursor cursor(block(), space);
  for (; !cursor.AtEnd(); cursor.Next()) {
    if (cursor.live() || cursor.version().stamp != version.stamp ||
        cursor.version().origin != version.origin) {
      continue;
    }
    const Element element = cursor.Get();
    if (HashOf(space, element.type, element.id) == name.hash) break;
  }
  return cursor;
}

bool Collection::HasTombstone(CollectionSpace& space, const ElementName& name,
                              const Version& version) const {
  if (packed()) return !FindTombstone(space, name, version).AtEnd();
  bool has = false;
  ForEachNamed(space, name, [&](const Element& element) {
    has |= !element.live() && element.value.version.stamp == version.stamp &&
           element.value.version.origin == version.origin;
  });
  return has;
}

size_t Collection::Free(CollectionSpace& space, std::span<ElementTombstone> tombstones,
                        Visitor dropped) {
  size_t freed = 0;
  if (packed()) {
    for (const auto& [name, version] : tombstones) {
      ElementBlock::Cursor cursor = FindTombstone(space, name, version);
      if (cursor.AtEnd()) continue;
      dropped(cursor.Get());
      Name(ElementBlock::Erase(cursor));
      ++freed;
    }
  } else if (!none() && !tombstones.empty()) {
    const bool lists = tombstones.front().name.list_id.has_value();
    for (const auto& part : parts().of) {
      const bool is_list = part && part->type() == ElementType::kList;
      if (part && is_list == lists) freed += part->Free(tombstones, dropped);
    }
  }
  return freed;
}

Collection Collection::CloneBlock(CollectionSpace& space) const {
  Collection clone;
  clone.Name(ElementBlock::Clone(block(), space));
  return clone;
}

bool Collection::FreeSome(CollectionSpace& space, size_t limit) {
  if (none()) return true;
  if (packed()) {
    ElementBlock::Delete(block(), space);
    bits_ = 0;
    return true;
  }
  for (auto& part : parts().of) {
    if (!part) continue;
    if (!part->FreeSome(limit)) return false;
    part.reset();
  }
  delete &parts();
  space.outside_bytes -= sizeof(Parts);
  bits_ = 0;
  return true;
}

// --- going over all ---

void Collection::ForEach(CollectionSpace& space, Visitor visit) const {
  if (none()) return;
  if (packed()) {
    for (ElementBlock::Cursor cursor(block(), space); !cursor.AtEnd(); cursor.Next()) {
      visit(cursor.Get());
    }
    return;
  }
  for (const auto& part : parts().of) {
    if (part) part->ForEach(visit);
  }
}

void Collection::ForEachNamed(CollectionSpace& space, const ElementName& name,
                              Visitor visit) const {
  if (none()) return;
  if (packed()) {
    if ((block()->type() == ElementType::kList) != name.list_id.has_value()) return;
    for (ElementBlock::Cursor cursor(block(), space); !cursor.AtEnd(); cursor.Next()) {
      const bool same = name.list_id
                            ? cursor.CompareId(*name.list_id) == 0
                            : HashOf(space, block()->type(), cursor.WrittenId()) == name.hash;
      if (same) visit(cursor.Get());
    }
    return;
  }
  for (const auto& part : parts().of) {
    if (part && (part->type() == ElementType::kList) == name.list_id.has_value()) {
      part->ForEachNamed(name, visit);
    }
  }
}

uint64_t Collection::Scan(CollectionSpace& space, ElementType type, uint64_t cursor, size_t count,
                          Visitor visit) const {
  if (BlockOf(type) != nullptr) {
    ForEach(space, visit);
    return 0;
  }
  const CollectionPart* part = PartOf(type);
  return part == nullptr ? 0 : part->Scan(cursor, count, visit);
}

bool Collection::Walk(CollectionSpace& space, ElementsWalked& walked, size_t count,
                      Visitor visit) const {
  if (none()) return true;
  if (packed()) {
    ForEach(space, visit);
    return true;
  }
  for (; walked.type < kElementTypes; ++walked.type) {
    const CollectionPart* part = parts().of[walked.type].get();
    if (part == nullptr) continue;
    if (!part->Walk(walked, {}, count, visit)) return false;
  }
  return true;
}

bool Collection::WalkBlocks(CollectionSpace& space, ElementsWalked& walked, Stamp since,
                            size_t count, Visitor visit) const {
  if (packed()) ForEach(space, visit);
  const CollectionPart* const list = PartOf(ElementType::kList);
  return list == nullptr || list->Walk(walked, since, count, visit);
}

Element Collection::Random(CollectionSpace& space, ElementType type,
                           std::mt19937_64& random) const {
  STARLING_CHECK(live(type) > 0);
  ElementBlock* const block = BlockOf(type);
  if (block == nullptr) return PartOf(type)->Random(random);
  ElementBlock::Cursor cursor(block, space);
  for (size_t skip = random() % block->live();; cursor.Next()) {
    if (cursor.live() && skip-- == 0) return cursor.Get();
  }
}

size_t Collection::memory_bytes(CollectionSpace& space) const {
  if (none()) return 0;
  if (packed()) return ElementBlock::BytesWithPayloads(block(), space);
  size_t bytes = sizeof(Parts);
  for (const auto& part : parts().of) bytes += part ? part->memory_bytes() : 0;
  return bytes;
}

}  // namespace starling
