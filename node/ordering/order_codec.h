/// The form of a client's requests on their way to the leaseholder, and of the replies.
///
/// Whole numbers are little endian. An order: `[version][database][protocol][epoch watched in:
/// 8][length: 4][name]`, in version 2 `[length: 4][asked again by]`, then its steps:
/// `[flags][commands: 4]` and each command `[words: 4]{[length: 4][bytes]}`. Version 1 is that of
/// an order that is not asked again. A reply: `[database][epoch: 8][length: 4][name]`, then what
/// the client reads, in its own protocol.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/command.h"
#include "starling/result.h"

namespace starling {

/// What the client brings with it.
struct OrderHead {
  uint8_t database = 0;
  uint8_t protocol = 2;
  uint64_t watch_epoch = 0;  ///< In which it began to watch keys; 0: it watches none.
  std::string_view name{};   ///< CLIENT SETNAME; of a decoded one borrowed from what was decoded.
  /// By which it is known where it is asked again (RecordNote); empty: it is not. Borrowed, too.
  std::string_view again_by{};
};

/// A name that is never used twice, for `again_by`.
std::string NewOrderName();

/// One request, or a transaction with all its commands.
struct OrderStep {
  bool transaction = false;
  bool silent = false;  ///< CLIENT REPLY: its reply is left out.
  /// Level `majority`: what it writes, a majority holds before its client is told.
  bool majority = false;
  std::vector<std::vector<std::string_view>> commands;
};

/// Gathers steps into the request of an order.
class OrderWriter {
 public:
  bool empty() const { return steps_ == 0; }
  size_t bytes() const { return bytes_.size(); }
  /// Steps that are answered.
  size_t replies() const { return replies_; }

  void Begin(const OrderHead& head);
  void AddCommand(Arguments words, bool silent, bool majority = false);
  /// All that `transaction` has queued.
  void AddTransaction(const ClientTransaction& transaction, bool silent, bool majority = false);
  /// The whole request; the writer is empty again.
  std::string Take();

 private:
  void AddStep(uint8_t flags, size_t commands);
  void AddWords(Arguments words);

  std::string bytes_;
  size_t steps_ = 0;
  size_t replies_ = 0;
};

struct DecodedOrder {
  OrderHead head;
  std::vector<OrderStep> steps;  ///< Borrow from what was decoded.
};

/// kCorruption (names what is wrong) for what OrderWriter does not write.
Result<DecodedOrder> DecodeOrder(std::string_view request);

/// What stands before the replies: how the client goes on.
struct ReplyHead {
  uint8_t database = 0;
  uint64_t epoch = 0;       ///< In which it was run.
  std::string_view name{};  ///< As OrderHead's.
};

void AppendReplyHead(std::string& out, const ReplyHead& head);
/// Removes the head from `reply`; kCorruption where there is none.
Result<ReplyHead> TakeReplyHead(std::string_view& reply);

}  // namespace starling
