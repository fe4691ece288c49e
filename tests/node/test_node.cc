#include "tests/node/test_node.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

namespace starling {
namespace {

std::shared_ptr<spdlog::logger> SilentLog() {
  return std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
}

Status NotHere() { return Error{Code::kUnavailable, "this node has no such part"}; }

}  // namespace

std::vector<std::pair<std::string, std::string>> EmptyServices::GetConfig(std::string_view) {
  return {};
}
Status EmptyServices::SetConfig(const std::vector<std::pair<std::string, std::string>>&) {
  return NotHere();
}
Status EmptyServices::RewriteConfig() { return NotHere(); }
Status EmptyServices::Forget(const std::vector<std::string>&) { return NotHere(); }
Status EmptyServices::Join(const std::vector<std::string>&) { return NotHere(); }
Status EmptyServices::Backup(const std::string&) { return NotHere(); }
void EmptyServices::CountCommand(const CommandSpec& command, CommandOutcome outcome) {
  ++counted[{command.name, outcome}];
}

TestNode::TestNode(std::string name, ManualTime& time) {
  client_.authenticated = true;
  StoreOptions options;
  options.name = std::move(name);
  options.boot_id = "boot";
  options.folder_identity = options.name;
  options.keyspace.hash_seed = 1;
  Result<std::unique_ptr<Engine>> engine = disk_.Open();
  EXPECT_TRUE(engine) << engine.error().message;
  Result<std::unique_ptr<Store>> store =
      Store::Open(options, std::move(*engine), time, SilentLog());
  EXPECT_TRUE(store) << store.error().message;
  store_ = std::move(*store);
  transaction_ = std::make_unique<ClientTransaction>(store_->keyspace());
  store_->journal().SetSink(
      [this](const BatchHeader&, SharedBytes bytes) { batches_.push_back(std::move(bytes)); });
}

std::string TestNode::Do(std::string_view line) {
  std::vector<std::string> words;
  while (!line.empty()) {
    size_t end = std::min(line.find(' '), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return Do(std::move(words));
}

std::string TestNode::Do(std::vector<std::string> words) {
  std::string out;
  Reply reply(out, client_.protocol);
  CommandContext context{*store_, services_, client_, reply, random_, *transaction_};
  std::vector<std::string_view> arguments(words.begin(), words.end());
  RunCommand(services_.commands(), context, arguments);
  return out;
}

std::vector<SharedBytes> TestNode::TakeBatches() {
  Status committed = store_->journal().Commit();
  EXPECT_TRUE(committed) << committed.error().message;
  return std::exchange(batches_, {});
}

void TestNode::Apply(const std::vector<SharedBytes>& batches) {
  for (const SharedBytes& bytes : batches) {
    Result<DecodedBatch> batch = DecodedBatch::Decode(*bytes);
    ASSERT_TRUE(batch) << batch.error().message;
    Result<bool> applied = store_->ApplyBatch(*batch, *bytes);
    ASSERT_TRUE(applied) << applied.error().message;
  }
}

void Exchange(TestNode& a, TestNode& b) {
  std::vector<SharedBytes> from_a = a.TakeBatches();
  std::vector<SharedBytes> from_b = b.TakeBatches();
  a.Apply(from_b);
  b.Apply(from_a);
}

}  // namespace starling
