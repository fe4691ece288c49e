#include "node/ordering/order_codec.h"

#include <optional>
#include <utility>

#include "node/little_endian.h"
#include "node/random_number.h"
#include "storage/record_note.h"

namespace starling {
namespace {

constexpr uint8_t kOrderVersion = 1;
constexpr uint8_t kNamedOrderVersion = 2;
constexpr size_t kLength = 4;
constexpr size_t kEpoch = 8;
constexpr uint8_t kTransaction = 1;
constexpr uint8_t kSilent = 2;
constexpr uint8_t kMajorityStep = 4;

uint8_t FlagsOf(bool transaction, bool silent, bool majority) {
  return static_cast<uint8_t>((transaction ? kTransaction : 0) | (silent ? kSilent : 0) |
                              (majority ? kMajorityStep : 0));
}

/// Cuts numbers and bytes from the front; `failed` once there was too little.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  size_t left() const { return bytes_.size(); }

  std::string_view Bytes(size_t count) {
    if (count > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  uint64_t Whole(size_t width) { return LittleEndian(Bytes(width)); }
  /// A count of things that take at least `least` bytes each: never more than there can be.
  size_t Count(size_t least) {
    const uint64_t count = Whole(kLength);
    if (count <= left() / least) return count;
    failed_ = true;
    return 0;
  }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

OrderStep ReadStep(Cursor& cursor) {
  OrderStep step;
  const uint64_t flags = cursor.Whole(1);
  step.transaction = (flags & kTransaction) != 0;
  step.silent = (flags & kSilent) != 0;
  step.majority = (flags & kMajorityStep) != 0;
  const size_t commands = cursor.Count(kLength);
  for (size_t i = 0; i < commands && !cursor.failed(); ++i) {
    std::vector<std::string_view>& words = step.commands.emplace_back();
    const size_t count = cursor.Count(kLength);
    words.reserve(count);
    for (size_t word = 0; word < count; ++word)
      words.push_back(cursor.Bytes(cursor.Whole(kLength)));
  }
  return step;
}

bool IsWhole(const OrderStep& step) {
  if (!step.transaction && step.commands.size() != 1) return false;
  for (const auto& words : step.commands) {
    if (words.empty()) return false;
  }
  return true;
}

}  // namespace

std::string NewOrderName() {
  std::string name;
  for (int half = 0; half < 2; ++half) AppendLittleEndian(name, RandomNumber(), sizeof(uint64_t));
  return name;
}

void OrderWriter::Begin(const OrderHead& head) {
  const bool named = !head.again_by.empty();
  bytes_.clear();
  AppendLittleEndian(bytes_, named ? kNamedOrderVersion : kOrderVersion, 1);
  AppendLittleEndian(bytes_, head.database, 1);
  AppendLittleEndian(bytes_, head.protocol, 1);
  AppendLittleEndian(bytes_, head.watch_epoch, kEpoch);
  AppendLittleEndian(bytes_, head.name.size(), kLength);
  bytes_.append(head.name);
  if (!named) return;
  AppendLittleEndian(bytes_, head.again_by.size(), kLength);
  bytes_.append(head.again_by);
}

void OrderWriter::AddStep(uint8_t flags, size_t commands) {
  ++steps_;
  replies_ += (flags & kSilent) != 0 ? 0 : 1;
  AppendLittleEndian(bytes_, flags, 1);
  AppendLittleEndian(bytes_, commands, kLength);
}

void OrderWriter::AddWords(Arguments words) {
  AppendLittleEndian(bytes_, words.size(), kLength);
  for (const std::string_view word : words) {
    AppendLittleEndian(bytes_, word.size(), kLength);
    bytes_.append(word);
  }
}

void OrderWriter::AddCommand(Arguments words, bool silent, bool majority) {
  AddStep(FlagsOf(false, silent, majority), 1);
  AddWords(words);
}

void OrderWriter::AddTransaction(const ClientTransaction& transaction, bool silent, bool majority) {
  AddStep(FlagsOf(true, silent, majority), transaction.size());
  for (size_t i = 0; i < transaction.size(); ++i) AddWords(transaction.At(i).words);
}

std::string OrderWriter::Take() {
  steps_ = replies_ = 0;
  return std::exchange(bytes_, {});
}

Result<DecodedOrder> DecodeOrder(std::string_view request) {
  Cursor cursor(request);
  DecodedOrder order;
  const uint64_t version = cursor.Whole(1);
  const bool named = version == kNamedOrderVersion;
  if (!named && version != kOrderVersion) {
    return Error{Code::kCorruption, "order of another version"};
  }
  order.head.database = static_cast<uint8_t>(cursor.Whole(1));
  order.head.protocol = static_cast<uint8_t>(cursor.Whole(1));
  order.head.watch_epoch = cursor.Whole(kEpoch);
  order.head.name = cursor.Bytes(cursor.Whole(kLength));
  if (named) order.head.again_by = cursor.Bytes(cursor.Whole(kLength));
  if (order.head.again_by.size() > RecordNote::kMaxName) {
    return Error{Code::kCorruption, "order with too long a name"};
  }
  while (cursor.left() > 0 && !cursor.failed()) {
    order.steps.push_back(ReadStep(cursor));
    if (!cursor.failed() && !IsWhole(order.steps.back())) {
      return Error{Code::kCorruption, "order with a step of no command"};
    }
  }
  if (cursor.failed()) return Error{Code::kCorruption, "order shorter than it says"};
  const bool known =
      order.head.database < kDatabases && (order.head.protocol == 2 || order.head.protocol == 3);
  if (!known) return Error{Code::kCorruption, "order of an unknown database or protocol"};
  return order;
}

void AppendReplyHead(std::string& out, const ReplyHead& head) {
  AppendLittleEndian(out, head.database, 1);
  AppendLittleEndian(out, head.epoch, kEpoch);
  AppendLittleEndian(out, head.name.size(), kLength);
  out.append(head.name);
}

Result<ReplyHead> TakeReplyHead(std::string_view& reply) {
  Cursor cursor(reply);
  ReplyHead head;
  head.database = static_cast<uint8_t>(cursor.Whole(1));
  head.epoch = cursor.Whole(kEpoch);
  head.name = cursor.Bytes(cursor.Whole(kLength));
  if (cursor.failed()) return Error{Code::kCorruption, "reply without its head"};
  if (head.database >= kDatabases) return Error{Code::kCorruption, "reply of an unknown database"};
  reply.remove_prefix(reply.size() - cursor.left());
  return head;
}

}  // namespace starling
