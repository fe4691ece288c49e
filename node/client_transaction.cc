#include "node/client_transaction.h"

#include "node/command.h"
#include "storage/reused_buffer.h"

namespace starling {

void ClientTransaction::Queue(const CommandSpec& row, const CommandSpec& runner,
                              std::span<const std::string_view> words) {
  if (broken_ || watches_.touched()) return;
  commands_.push_back({&row, &runner, word_ends_.size(), words.size()});
  for (const std::string_view word : words) {
    text_.append(word);
    word_ends_.push_back(text_.size());
  }
  flags_ |= row.flags;
}

ClientTransaction::Queued ClientTransaction::At(size_t index) const {
  const Command& command = commands_[index];
  Queued queued{command.row, command.runner, {}};
  queued.words.reserve(command.words);
  size_t begin = command.first_word == 0 ? 0 : word_ends_[command.first_word - 1];
  for (size_t i = 0; i < command.words; ++i) {
    const size_t end = word_ends_[command.first_word + i];
    queued.words.emplace_back(text_.data() + begin, end - begin);
    begin = end;
  }
  return queued;
}

void ClientTransaction::Unqueue() {
  open_ = broken_ = false;
  flags_ = 0;
  // What a large transaction took is given back.
  EmptyKeeping(commands_, 0);
  EmptyKeeping(word_ends_, 0);
  EmptyKeeping(text_, 0);
}

void ClientTransaction::Discard() {
  Unqueue();
  watches_.Clear();
}

size_t ClientTransaction::queued_bytes() const {
  return commands_.capacity() * sizeof(Command) + word_ends_.capacity() * sizeof(size_t) +
         (text_.capacity() > std::string().capacity() ? text_.capacity() : 0);
}

}  // namespace starling
