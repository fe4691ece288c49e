/// One TCP connection of the transport: framing, lanes, gathered writes.
///
/// Belongs to the io_context's thread. Kept alive by its pending operations; tells the transport
/// once when it ends.
#pragma once

#include <array>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "node/transport.h"

namespace starling {

class TransportLink : public std::enable_shared_from_this<TransportLink> {
 public:
  TransportLink(LinkId id, asio::ip::tcp::socket socket, Transport& transport);

  /// Begins to read.
  void Start();
  /// Queues a frame; false when that passes the link's maximum (nothing is queued).
  bool Queue(SendEffect::Lane lane, SharedBytes frame);
  /// Writes what is queued unless a write is under way.
  void StartWrite();
  /// Reads no more, sends what is queued, then ends.
  void CloseAfterWrites();
  /// Ends at once.
  void Abort();
  /// The transport is going: callbacks must not touch it.
  void Detach() { transport_ = nullptr; }

  const std::string& peer() const { return peer_; }
  size_t queued_bytes() const { return queued_bytes_; }
  bool unflushed = false;  ///< In the transport's list of links to flush.

 private:
  struct Frame {
    std::array<unsigned char, 4> length;
    SharedBytes bytes;
  };

  void Read();
  void OnRead(const asio::error_code& error, size_t bytes);
  /// Hands over the whole frames in the buffer.
  void TakeFrames();
  void MakeRoom();
  void OnWritten(const asio::error_code& error, size_t bytes);
  /// All is written: tells the peer so, and waits for its end.
  void FinishSending();
  /// `reason` empty: nothing worth a log line.
  void End(const std::string& reason);

  LinkId id_;
  asio::ip::tcp::socket socket_;
  Transport* transport_;
  asio::steady_timer close_timer_;
  std::string peer_;

  std::vector<char> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;

  std::deque<Frame> control_;
  std::deque<Frame> orders_;
  std::deque<Frame> bulk_;
  std::vector<Frame> writing_;
  std::vector<asio::const_buffer> gather_;
  size_t queued_bytes_ = 0;
  bool closing_ = false;
  bool ended_ = false;
};

}  // namespace starling
