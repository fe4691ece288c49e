#include "replication/fragments.h"

#include <utility>

#include "replication/limits.h"
#include "replication/peer_codec.h"
#include "storage/reused_buffer.h"

namespace starling {

void CutIntoFrames(std::string_view message, uint64_t number, uint16_t version,
                   const std::function<void(std::string frame)>& emit) {
  if (message.size() <= limits::kFrameBytes) {
    emit(std::string(message));
    return;
  }
  const size_t piece = limits::kFragmentBytes;
  Fragment fragment;
  fragment.message = number;
  fragment.count = static_cast<uint32_t>((message.size() + piece - 1) / piece);
  for (; fragment.index < fragment.count; ++fragment.index) {
    fragment.data = message.substr(fragment.index * piece, piece);
    emit(EncodePeerMessage(fragment, version));
  }
}

Result<std::optional<std::string>> FragmentAssembler::Add(const Fragment& fragment) {
  if (fragment.count == 0 || fragment.index >= fragment.count || fragment.data.empty()) {
    return Error{Code::kCorruption, "fragment: index outside its message"};
  }
  if (fragment.index == 0) {
    message_ = fragment.message;
    count_ = fragment.count;
    next_ = 0;
    bytes_.clear();
  } else if (fragment.message != message_ || fragment.index != next_ || fragment.count != count_) {
    if (fragment.message == message_ && fragment.index < next_) return std::optional<std::string>{};
    count_ = 0;  // a hole: nothing more of this message is wanted
    EmptyKeeping(bytes_, 0);
    return std::optional<std::string>{};
  }
  if (count_ == 0) return std::optional<std::string>{};
  if (bytes_.size() + fragment.data.size() > limits::kMessageBytes) {
    count_ = 0;
    EmptyKeeping(bytes_, 0);
    return Error{
        Code::kLimitExceeded,
        "message of more than " + std::to_string(limits::kMessageBytes) + " bytes in fragments"};
  }
  bytes_.append(fragment.data);
  ++next_;
  if (next_ < count_) return std::optional<std::string>{};
  count_ = 0;
  return std::optional<std::string>(std::exchange(bytes_, {}));
}

}  // namespace starling
