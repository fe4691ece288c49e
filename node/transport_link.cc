#include "node/transport_link.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <asio/write.hpp>
#include <cstring>

namespace starling {
namespace {

constexpr size_t kLengthBytes = 4;
constexpr size_t kInputBytes = size_t{64} << 10;
/// One system call carries at most this many frames and about this many bytes, so that control
/// frames wait for no more.
constexpr size_t kGatherFrames = 256;
constexpr size_t kGatherBytes = size_t{256} << 10;
/// What a queued frame costs beside its bytes.
constexpr size_t kFrameOverhead = 64;

uint32_t LoadLength(const char* bytes) {
  unsigned char b[kLengthBytes];
  std::memcpy(b, bytes, sizeof(b));
  return b[0] | (uint32_t{b[1]} << 8) | (uint32_t{b[2]} << 16) | (uint32_t{b[3]} << 24);
}

/// Small frames leave at once, and a peer that vanished without a word is noticed within seconds.
void TuneSocket(asio::ip::tcp::socket& socket) {
  const int descriptor = socket.native_handle();
  const auto set = [&](int level, int name, int value) {
    // A kernel that lacks one of these still carries the link.
    static_cast<void>(setsockopt(descriptor, level, name, &value, sizeof(value)));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 5);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 10'000);
}

}  // namespace

TransportLink::TransportLink(LinkId id, asio::ip::tcp::socket socket, Transport& transport)
    : id_(id),
      socket_(std::move(socket)),
      transport_(&transport),
      close_timer_(socket_.get_executor()),
      input_(kInputBytes) {
  asio::error_code error;
  const auto endpoint = socket_.remote_endpoint(error);
  peer_ =
      error ? "unknown" : endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
  TuneSocket(socket_);
}

void TransportLink::Start() { Read(); }

void TransportLink::Read() {
  MakeRoom();
  socket_.async_read_some(asio::buffer(input_.data() + input_end_, input_.size() - input_end_),
                          [self = shared_from_this()](const asio::error_code& error, size_t bytes) {
                            self->OnRead(error, bytes);
                          });
}

void TransportLink::OnRead(const asio::error_code& error, size_t bytes) {
  if (ended_ || transport_ == nullptr) return;
  if (error) {
    const bool ordinary = closing_ || error == asio::error::eof ||
                          error == asio::error::connection_reset ||
                          error == asio::error::operation_aborted;
    End(ordinary ? std::string() : "reading failed: " + error.message());
    return;
  }
  input_end_ += bytes;
  if (!closing_) {
    TakeFrames();
    if (transport_ != nullptr) transport_->handler_.OnBurstEnd();
  }
  if (ended_ || transport_ == nullptr) return;
  // While closing, what still comes is read and dropped: closing a socket with unread bytes would
  // reset the connection and take along what the peer has not read yet, a refusal say.
  if (closing_) input_begin_ = input_end_ = 0;
  Read();
}

void TransportLink::TakeFrames() {
  while (input_end_ - input_begin_ >= kLengthBytes) {
    const uint32_t length = LoadLength(input_.data() + input_begin_);
    if (length > transport_->options_.max_frame_bytes) {
      End("a frame of " + std::to_string(length) + " bytes, the largest allowed is " +
          std::to_string(transport_->options_.max_frame_bytes) + "; is the peer a starling?");
      return;
    }
    if (input_end_ - input_begin_ - kLengthBytes < length) break;
    const std::string_view frame(input_.data() + input_begin_ + kLengthBytes, length);
    transport_->handler_.OnFrame(id_, frame);
    if (ended_ || closing_ || transport_ == nullptr) return;
    input_begin_ += kLengthBytes + length;
  }
}

void TransportLink::MakeRoom() {
  if (input_begin_ == input_end_) {
    input_begin_ = input_end_ = 0;
    return;
  }
  if (input_end_ < input_.size() && input_begin_ == 0) return;
  // The rest of a frame moves to the front; the buffer grows to hold that frame whole, and only as
  // far.
  std::memmove(input_.data(), input_.data() + input_begin_, input_end_ - input_begin_);
  input_end_ -= input_begin_;
  input_begin_ = 0;
  if (input_end_ < input_.size()) return;
  const size_t whole = kLengthBytes + LoadLength(input_.data());
  input_.resize(std::max(whole, std::min(2 * input_.size(), whole + kInputBytes)));
}

bool TransportLink::Queue(SendEffect::Lane lane, SharedBytes frame) {
  if (closing_ || ended_) return true;
  const size_t cost = frame->size() + kFrameOverhead;
  if (queued_bytes_ + cost > transport_->options_.max_queued_bytes) return false;
  queued_bytes_ += cost;
  const auto length = static_cast<uint32_t>(frame->size());
  Frame queued{{static_cast<unsigned char>(length), static_cast<unsigned char>(length >> 8),
                static_cast<unsigned char>(length >> 16), static_cast<unsigned char>(length >> 24)},
               std::move(frame)};
  using Lane = SendEffect::Lane;
  auto& queue = lane == Lane::kControl ? control_ : lane == Lane::kOrders ? orders_ : bulk_;
  queue.push_back(std::move(queued));
  return true;
}

void TransportLink::StartWrite() {
  if (ended_ || !writing_.empty()) return;
  size_t bytes = 0;
  for (auto* lane : {&control_, &orders_, &bulk_}) {
    while (!lane->empty() && writing_.size() < kGatherFrames && bytes < kGatherBytes) {
      bytes += lane->front().bytes->size();
      writing_.push_back(std::move(lane->front()));
      lane->pop_front();
    }
  }
  if (writing_.empty()) return;
  gather_.clear();
  for (const Frame& frame : writing_) {
    gather_.push_back(asio::buffer(frame.length));
    gather_.push_back(asio::buffer(*frame.bytes));
  }
  asio::async_write(socket_, gather_,
                    [self = shared_from_this()](const asio::error_code& error, size_t written) {
                      self->OnWritten(error, written);
                    });
}

void TransportLink::OnWritten(const asio::error_code& error, size_t) {
  if (ended_ || transport_ == nullptr) return;
  for (const Frame& frame : writing_) queued_bytes_ -= frame.bytes->size() + kFrameOverhead;
  writing_.clear();
  if (error) {
    const bool ordinary = error == asio::error::broken_pipe ||
                          error == asio::error::connection_reset ||
                          error == asio::error::operation_aborted;
    End(ordinary ? std::string() : "writing failed: " + error.message());
    return;
  }
  StartWrite();
  if (closing_ && writing_.empty()) FinishSending();
}

void TransportLink::FinishSending() {
  asio::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (error) End({});  // else the peer's end comes by OnRead
}

void TransportLink::CloseAfterWrites() {
  if (closing_ || ended_) return;
  closing_ = true;
  close_timer_.expires_after(transport_->options_.close_timeout);
  close_timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
    if (!error && self->transport_ != nullptr) self->End({});
  });
  StartWrite();
  if (writing_.empty()) FinishSending();
}

void TransportLink::Abort() {
  if (ended_) return;
  ended_ = true;
  close_timer_.cancel();
  asio::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

void TransportLink::End(const std::string& reason) {
  if (ended_) return;
  if (!reason.empty()) transport_->log_->warn("link closed: peer={} reason={}", peer_, reason);
  Abort();
  transport_->Remove(id_, !closing_);
}

}  // namespace starling
