// Who asked for a record, and what it is told where it asks again.
#include "storage/record_note.h"

#include <gtest/gtest.h>

#include <string>

#include "storage/held_shards.h"
#include "storage/records.h"
#include "storage/speculation.h"
#include "tests/storage/one_store.h"

namespace starling {
namespace {

const RecordNote kNote{"asker 1", "popped"};

Records::Written Record(Keyspace& keyspace, const RecordNote& note, uint64_t epoch = 1) {
  const HeldShards held(keyspace);
  Speculation speculation(keyspace);
  const KeyRef key = keyspace.Ref(0, "k");
  keyspace.Lock(key).SetString(key, "v");
  const std::string items = speculation.TakeItems();
  return keyspace.records().Write(epoch, items, note).value();
}

void Decide(Keyspace& keyspace, const RecordId& id, bool commit) {
  keyspace.records().Decide({&id, 1}, commit);
}

/// "none", "open", or the answer.
std::string Found(Keyspace& keyspace, const std::string& by = kNote.by) {
  const auto noted = keyspace.records().FindNoted(by);
  if (!noted) return "none";
  return noted->decided ? noted->answer : "open";
}

TEST(RecordNote, ComesBackAsItWasWritten) {
  for (const RecordNote& note : {kNote, RecordNote{"x", ""},
                                 RecordNote{std::string(RecordNote::kMaxName, '\xFF'),
                                            std::string(RecordNote::kMaxAnswer, '\0')}}) {
    std::string bytes;
    note.AppendTo(bytes);
    bytes += "rest";
    std::string_view left = bytes;
    const auto read = RecordNote::TakeFrom(left);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->by, note.by);
    EXPECT_EQ(read->answer, note.answer);
    EXPECT_EQ(left, "rest");
  }
}

TEST(RecordNote, IsRefusedWhereItIsTooShortOrTooLong) {  // I11
  std::string bytes;
  kNote.AppendTo(bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::string_view left = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(RecordNote::TakeFrom(left)) << size;
  }
  std::string_view nameless("\0\0\0\0\0", 5);
  EXPECT_FALSE(RecordNote::TakeFrom(nameless));
  std::string longer = std::string("\1x\0\1\0\1", 6) + std::string(RecordNote::kMaxAnswer + 1, 'x');
  std::string_view left = longer;
  EXPECT_FALSE(RecordNote::TakeFrom(left));
}

TEST(RecordNote, IsFoundByEveryNodeWhereItsRecordCountsOrMay) {
  for (const bool commit : {false, true}) {
    for (const bool verdict_first : {false, true}) {
      OneNode leaseholder(1), next(2), peer(3);
      const RecordId id = Record(leaseholder.keyspace, kNote).id;
      const SharedBytes record = leaseholder.Flush();
      next.Take(record);
      EXPECT_EQ(Found(leaseholder.keyspace), "open");
      EXPECT_EQ(Found(next.keyspace), "open");
      EXPECT_EQ(Found(next.keyspace, "asker 2"), "none");
      Decide(next.keyspace, id, commit);
      const SharedBytes verdict = next.Flush();
      peer.Take(verdict_first ? verdict : record);
      peer.Take(verdict_first ? record : verdict);
      leaseholder.Take(verdict);
      for (OneNode* node : {&leaseholder, &next, &peer}) {
        EXPECT_EQ(Found(node->keyspace), commit ? kNote.answer : "none");
        EXPECT_EQ(node->Get("k").has_value(), commit);
      }
    }
  }
}

// Who takes a state, or starts again, may know the record by its verdict alone.
TEST(RecordNote, ComesWithTheVerdict) {
  OneNode leaseholder(1), joiner(2);
  const RecordId id = Record(leaseholder.keyspace, kNote).id;
  (void)leaseholder.Flush();
  Decide(leaseholder.keyspace, id, true);
  joiner.Take(leaseholder.Flush());
  EXPECT_EQ(Found(joiner.keyspace), kNote.answer);

  OneStore one;
  ASSERT_TRUE(one.Open());
  const RecordId decided = Record(one.store->keyspace(), kNote).id;
  ASSERT_TRUE(one.store->journal().Commit());
  Decide(one.store->keyspace(), decided, true);
  ASSERT_TRUE(one.store->Checkpoint());
  ASSERT_TRUE(one.Open());
  EXPECT_EQ(Found(one.store->keyspace()), kNote.answer);
}

TEST(RecordNote, IsFoundAfterItsRecordWasRemoved) {
  OneNode node;
  const RecordId id = Record(node.keyspace, kNote).id;
  (void)node.Flush();
  Decide(node.keyspace, id, true);
  (void)node.Flush();
  node.keyspace.records().Remove({&id, 1});
  EXPECT_EQ(Found(node.keyspace), kNote.answer);
}

TEST(RecordNote, SurvivesARestartWhileItsRecordIsUndecided) {  // I10
  for (const bool checkpoint : {false, true}) {
    OneStore one;
    ASSERT_TRUE(one.Open());
    const RecordId id = Record(one.store->keyspace(), kNote).id;
    ASSERT_TRUE(one.store->journal().Commit());
    if (checkpoint) {
      ASSERT_TRUE(one.store->Checkpoint());
    }
    ASSERT_TRUE(one.Open());
    EXPECT_EQ(Found(one.store->keyspace()), "open");
    Decide(one.store->keyspace(), id, true);
    EXPECT_EQ(Found(one.store->keyspace()), kNote.answer);
  }
}

TEST(RecordAnswers, ForgetTheOldestWhereThereIsNoRoom) {  // I9
  RecordAnswers answers;
  const std::string large(RecordNote::kMaxAnswer, 'x');
  for (size_t i = 0; i < RecordAnswers::kMost; ++i) answers.Keep({std::to_string(i), "a"});
  ASSERT_NE(answers.Find("0"), nullptr);
  EXPECT_EQ(*answers.Find("0"), "a");
  answers.Keep({"new", "b"});
  EXPECT_EQ(answers.Find("0"), nullptr);
  EXPECT_NE(answers.Find("1"), nullptr);
  for (size_t i = 0; i <= RecordAnswers::kMostBytes / large.size(); ++i) {
    answers.Keep({"large " + std::to_string(i), large});
  }
  EXPECT_EQ(answers.Find("new"), nullptr);
  EXPECT_EQ(answers.Find("large 0"), nullptr);
  EXPECT_NE(answers.Find("large 200"), nullptr);
}

}  // namespace
}  // namespace starling
