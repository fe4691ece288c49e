// What a checkpoint writes of collections: each element that changed, however it stands in memory,
// and nothing that is gone.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "tests/storage/one_store.h"
#include "tests/support/seeds.h"

namespace starling {
namespace {

constexpr ElementType kTypes[] = {ElementType::kSet, ElementType::kHash, ElementType::kSortedSet,
                                  ElementType::kList};

/// Random writes to a few keys of each type, some of which outgrow a block.
class Writer {
 public:
  Writer(OneStore& node, uint64_t seed) : node_(node), random_(seed) {}

  void WriteOnce() {
    const ElementType type = kTypes[random_() % 4];
    const std::string key = KeyOf(type, random_() % 3);
    Access access = node_.Lock(key);
    const KeyRef ref = node_.Ref(key);
    // Now and then a key has two types: what shows is the one written last.
    const std::optional<KeyView> view = access.Find(ref);
    const size_t size = view ? view->size : 0;
    if (random_() % 150 == 0) {
      access.Delete(ref);
    } else if (type == ElementType::kList) {
      WriteList(access, ref, size);
    } else if (random_() % 3 == 0) {
      access.RemoveElement(ref, type, Member());
    } else if (type != ElementType::kSet && random_() % 4 == 0) {
      (void)access.IncrementElement(ref, type, Member(), 3);
    } else if (type == ElementType::kSortedSet && size > 0 && random_() % 4 == 0) {
      access.RemoveRange(ref, type, random_() % size, 1 + random_() % 3, random_() % 2 == 0);
    } else {
      access.AddElement(ref, type, Member(), PayloadFor(type));
    }
  }

  /// What a client sees of all keys.
  std::string Seen() {
    std::string text;
    for (const ElementType type : kTypes) {
      for (uint64_t number = 0; number < 3; ++number) {
        const std::string key = KeyOf(type, number);
        Access access = node_.Lock(key);
        std::vector<std::string> elements;
        const auto add = [&](std::string_view id, const Value& value) {
          std::string buffer;
          elements.push_back((type == ElementType::kList ? "" : std::string(id)) + "=" +
                             std::string(TextOf(value, buffer).substr(0, 20)));
          return true;
        };
        if (type == ElementType::kList || type == ElementType::kSortedSet) {
          access.ForEachInOrder(node_.Ref(key), type, 0, SIZE_MAX, false, add);
        } else {
          access.ForEachElement(node_.Ref(key), type, add);
          std::sort(elements.begin(), elements.end());
        }
        text += key + ":";
        for (const std::string& element : elements) text += " " + element;
        text += "\n";
      }
    }
    return text;
  }

 private:
  void WriteList(Access& access, const KeyRef& key, size_t size) {
    const size_t kind = random_() % 8;
    if (size == 0 || kind < 3) {
      access.PushElement(key, random_() % 2 == 0, PayloadFor(ElementType::kList));
    } else if (kind == 3) {
      access.SetElementAt(key, random_() % size, PayloadFor(ElementType::kList));
    } else if (kind == 4) {
      access.InsertElementAt(key, random_() % (size + 1), PayloadFor(ElementType::kList));
    } else {
      const bool right = random_() % 3 == 0;
      access.RemoveRange(key, ElementType::kList, right ? size - 1 : 0, 1 + random_() % 3, right);
    }
  }

  static std::string KeyOf(ElementType type, uint64_t number) {
    return std::string(1, static_cast<char>('a' + static_cast<int>(type))) + std::to_string(number);
  }
  std::string Member() {
    // Mostly few members, so that they are written again; a block has no room for the others.
    return "m" + std::to_string(random_() % (random_() % 2 ? 20 : 400));
  }
  Value PayloadFor(ElementType type) {
    if (type == ElementType::kSet) return {};
    if (type == ElementType::kSortedSet || random_() % 3 == 0) {
      return Value::OfNumber(Number::FromInt(static_cast<int64_t>(random_() % 1000)));
    }
    payload_ = std::to_string(random_()) + std::string(random_() % 60, 'p');
    return Value::Bytes(payload_);
  }

  OneStore& node_;
  std::mt19937_64 random_;
  std::string payload_;
};

/// Gives `peer` what it lacks of `node`'s stream.
void Hear(OneStore& peer, OneStore& node) {
  ASSERT_TRUE(node.store->journal().Commit());
  const Stamp heard = peer.store->vector().Get(node.store->origin());
  const auto batches = node.store->ReadStream(node.store->origin(), heard, SIZE_MAX);
  ASSERT_TRUE(batches.ok()) << batches.error().message;
  for (const SharedBytes& batch : *batches) ASSERT_TRUE(peer.Apply(batch).ok());
}

class CollectionCheckpoints : public testing::TestWithParam<uint64_t> {};

TEST_P(CollectionCheckpoints, LeaveWhatWasSeenBeforeEachKill) {  // I8, I10
  std::mt19937_64 random(GetParam());
  OneStore node("a", GetParam());
  OneStore peer("peer", GetParam() + 1);
  ASSERT_TRUE(node.Open());
  ASSERT_TRUE(peer.Open());
  const bool with_peer = GetParam() % 2 == 0;
  Writer writer(node, GetParam());
  Writer other(peer, GetParam() + 2);
  for (int life = 0; life < 6; ++life) {
    for (int i = 0; i < 600; ++i) {
      writer.WriteOnce();
      if (with_peer && random() % 4 == 0) other.WriteOnce();
      if (with_peer && random() % 60 == 0) {
        // Some of it older than what is here.
        ASSERT_TRUE(peer.store->journal().Commit());
        const SharedBytes batch =
            peer.disk->FindLog(peer.store->origin(), peer.store->journal().upto());
        if (batch != nullptr) {
          ASSERT_TRUE(node.Apply(batch));
        }
      }
      if (random() % 40 == 0) {
        ASSERT_TRUE(node.store->journal().Commit());
        // What is stable the peer holds; its stream has passed what it has flushed, and no more.
        if (with_peer) Hear(peer, node);
        const Stamp passed = with_peer ? peer.store->journal().upto() : Stamp{UINT64_MAX};
        node.store->Maintain({node.store->vector(), passed});
      }
      if (random() % 80 == 0) {
        if (with_peer) Hear(peer, node);
        ASSERT_TRUE(node.store->Checkpoint());
      }
    }
    ASSERT_TRUE(node.store->journal().Commit());
    if (with_peer) Hear(peer, node);
    const std::string seen = writer.Seen();
    if (random() % 2 == 0) {
      // Killed within a checkpoint: what it has written is in part there.
      node.disk->CrashAt(1 + random() % 6, CrashKind::kKill, random() % 2 == 0);
      (void)node.store->Checkpoint();
    }
    ASSERT_TRUE(node.Open());
    ASSERT_EQ(writer.Seen(), seen) << "life " << life;
    ASSERT_TRUE(node.store->Checkpoint());
    ASSERT_TRUE(node.Open());
    ASSERT_EQ(writer.Seen(), seen) << "life " << life << ", after a checkpoint";
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CollectionCheckpoints, test::Seeds(120));

TEST(CollectionCheckpoint, WritesAnElementOnceHoweverOftenItChanged) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  const auto add = [&](int times) {
    for (int i = 0; i < times; ++i) {
      node.Lock("large").AddElement(node.Ref("large"), ElementType::kHash,
                                    "field" + std::to_string(i % 300), Value::Bytes("v"));
    }
  };
  add(300);
  ASSERT_TRUE(node.store->Checkpoint());
  add(6000);
  ASSERT_TRUE(node.store->journal().Commit());
  Keyspace::ChangedPtr changed = node.store->keyspace().TakeChanged();
  std::vector<Engine::StateWrite> writes;
  while (node.store->keyspace().EncodeChanged(*changed, 100'000, writes)) {
  }
  EXPECT_LE(writes.size(), 310u);
}

TEST(CollectionCheckpoint, WritesNothingOfWhatWasPushedAndPoppedSinceTheLast) {
  OneStore node;
  ASSERT_TRUE(node.Open());
  const KeyRef queue = node.Ref("queue");
  const auto push = [&](int times) {
    for (int i = 0; i < times; ++i) {
      node.Lock("queue").PushElement(queue, false, Value::Bytes("a job"));
    }
  };
  push(100);
  ASSERT_TRUE(node.store->Checkpoint());
  push(5000);
  node.Lock("queue").RemoveRange(queue, ElementType::kList, 0, 5000);
  ASSERT_TRUE(node.store->journal().Commit());
  node.FreeAll();
  // The names of the hundred that the checkpoint had written.
  EXPECT_LT(node.store->keyspace().erased_name_bytes(), 100 * 60u);
  const auto held = node.Walk();
  ASSERT_TRUE(node.store->Checkpoint());
  ASSERT_TRUE(node.Open());
  EXPECT_EQ(node.Walk(), held);
}

TEST(CollectionCheckpoint, OfAListThatWasPoppedFromLeavesNoTombstones) {  // I9
  for (const size_t elements : {3, 500}) {
    OneStore node;
    ASSERT_TRUE(node.Open());
    const KeyRef queue = node.Ref("queue");
    for (size_t i = 0; i <= elements; ++i) {
      node.Lock("queue").PushElement(queue, false, Value::Bytes("a job"));
    }
    node.Lock("queue").RemoveRange(queue, ElementType::kList, 0, elements);
    ASSERT_TRUE(node.store->journal().Commit());
    EXPECT_EQ(node.FreeAll(), elements);
    EXPECT_EQ(node.store->keyspace().tombstones(), 0u);
    EXPECT_EQ(node.Walk().size(), 1u);
  }
}

}  // namespace
}  // namespace starling
