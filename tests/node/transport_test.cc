#include "node/transport.h"

#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

namespace starling {
namespace {

using Lane = SendEffect::Lane;

std::shared_ptr<spdlog::logger> Quiet() {
  return std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
}

SharedBytes Bytes(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

std::string Framed(const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size());
  std::string framed;
  for (int shift = 0; shift < 32; shift += 8) framed += static_cast<char>(size >> shift);
  return framed + text;
}

/// Keeps what it hears.
class Recorder : public TransportHandler {
 public:
  void OnConnected(LinkId link, const Address& dialled) override {
    links.push_back(link);
    dialled_addresses.push_back(dialled);
  }
  void OnDialFailed(const Address& address, bool refused) override {
    failed.emplace_back(address, refused);
  }
  void OnDisconnected(LinkId link) override { gone.push_back(link); }
  void OnFrame(LinkId, std::string_view frame) override {
    frames.emplace_back(frame);
    if (on_frame) on_frame();
  }
  void OnBurstEnd() override { ++bursts; }

  std::vector<LinkId> links;
  std::vector<Address> dialled_addresses;
  std::vector<std::pair<Address, bool>> failed;
  std::vector<LinkId> gone;
  std::vector<std::string> frames;
  std::function<void()> on_frame;
  int bursts = 0;
};

class TransportTest : public testing::Test {
 protected:
  std::unique_ptr<Transport> Listen(Recorder& recorder, TransportOptions options = {}) {
    auto transport = Transport::Listen(io_, options, recorder, Quiet());
    EXPECT_TRUE(transport.ok()) << (transport ? "" : transport.error().message);
    return *std::move(transport);
  }

  /// Runs the loop until `done` holds; false after a minute without.
  bool RunUntil(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(50));
    }
    return true;
  }

  static Address At(const Transport& transport) {
    return "127.0.0.1:" + std::to_string(transport.port());
  }

  /// A plain socket connected to `transport`: a peer that may do anything.
  asio::ip::tcp::socket Raw(const Transport& transport) {
    asio::ip::tcp::socket socket(io_);
    socket.connect({asio::ip::address_v4::loopback(), transport.port()});
    return socket;
  }

  asio::io_context io_;
};

TEST_F(TransportTest, DeliversFramesInOrderBothWays) {
  Recorder a, b;
  auto left = Listen(a);
  auto right = Listen(b);
  left->Dial(At(*right));
  ASSERT_TRUE(RunUntil([&] { return a.links.size() == 1 && b.links.size() == 1; }));
  EXPECT_EQ(a.dialled_addresses.front(), At(*right));
  EXPECT_EQ(b.dialled_addresses.front(), "");

  std::vector<std::string> sent;
  for (int i = 0; i < 2000; ++i) {
    // Empty, small, and larger than any buffer.
    sent.push_back(std::string(i % 100 == 99 ? 300'000 : i % 7, static_cast<char>('a' + i % 26)));
    left->Send(a.links[0], Lane::kControl, Bytes(sent.back()));
    right->Send(b.links[0], Lane::kControl, Bytes(sent.back()));
  }
  left->Flush();
  right->Flush();
  ASSERT_TRUE(
      RunUntil([&] { return a.frames.size() == sent.size() && b.frames.size() == sent.size(); }));
  EXPECT_EQ(a.frames, sent);
  EXPECT_EQ(b.frames, sent);
  EXPECT_LT(b.bursts, 2000) << "small frames travel together";
}

TEST_F(TransportTest, ControlFramesOvertakeBulkFrames) {
  Recorder a, b;
  auto left = Listen(a);
  auto right = Listen(b);
  left->Dial(At(*right));
  ASSERT_TRUE(RunUntil([&] { return a.links.size() == 1 && b.links.size() == 1; }));
  for (int i = 0; i < 100; ++i)
    left->Send(a.links[0], Lane::kBulk, Bytes(std::string(100'000, 'b')));
  left->Send(a.links[0], Lane::kControl, Bytes("control"));
  left->Flush();
  ASSERT_TRUE(RunUntil([&] { return b.frames.size() == 101; }));
  EXPECT_EQ(b.frames.front(), "control");
}

TEST_F(TransportTest, ControlFramesOvertakeOrdersAndTheseOvertakeBulk) {
  Recorder a, b;
  auto left = Listen(a);
  auto right = Listen(b);
  left->Dial(At(*right));
  ASSERT_TRUE(RunUntil([&] { return a.links.size() == 1 && b.links.size() == 1; }));
  left->Send(a.links[0], Lane::kBulk, Bytes("bulk"));
  for (int i = 0; i < 100; ++i)
    left->Send(a.links[0], Lane::kOrders, Bytes(std::string(100'000, 'o')));
  left->Send(a.links[0], Lane::kControl, Bytes("control"));
  left->Flush();
  ASSERT_TRUE(RunUntil([&] { return b.frames.size() == 102; }));
  EXPECT_EQ(b.frames.front(), "control");
  EXPECT_EQ(b.frames.back(), "bulk");
}

TEST_F(TransportTest, FramesSplitAtEveryByteArriveWhole) {
  Recorder recorder;
  auto transport = Listen(recorder);
  auto peer = Raw(*transport);
  peer.set_option(asio::ip::tcp::no_delay(true));
  const std::string bytes = Framed("first") + Framed("") + Framed("second one");
  for (size_t i = 0; i < bytes.size(); ++i) {
    asio::write(peer, asio::buffer(bytes.data() + i, 1));
    io_.restart();
    io_.poll();
  }
  ASSERT_TRUE(RunUntil([&] { return recorder.frames.size() == 3; }));
  EXPECT_EQ(recorder.frames, (std::vector<std::string>{"first", "", "second one"}));
}

TEST_F(TransportTest, ALengthBeyondTheMaximumEndsTheLinkWithoutTakingMemory) {
  Recorder recorder;
  auto transport = Listen(recorder);
  auto peer = Raw(*transport);
  asio::write(peer, asio::buffer(std::string("GET / HTTP/1.1\r\n\r\n")));
  ASSERT_TRUE(RunUntil([&] { return recorder.gone.size() == 1; }));
  EXPECT_EQ(recorder.gone, recorder.links);
  EXPECT_TRUE(recorder.frames.empty());
  EXPECT_EQ(transport->link_count(), 0u);
}

TEST_F(TransportTest, ADialToNobodyIsToldAsRefused) {
  Recorder a, b;
  auto left = Listen(a);
  Address nobody;
  {
    auto right = Listen(b);
    nobody = At(*right);
  }
  left->Dial(nobody);
  EXPECT_TRUE(a.failed.empty()) << "never from within the call";
  ASSERT_TRUE(RunUntil([&] { return a.failed.size() == 1; }));
  EXPECT_EQ(a.failed.front(), std::make_pair(nobody, true));
}

TEST_F(TransportTest, ADialToNonsenseFails) {
  Recorder recorder;
  auto transport = Listen(recorder);
  for (const char* address : {"", "host", "host:0", "host:99999", "1:2:3", "[::1]"}) {
    transport->Dial(address);
  }
  ASSERT_TRUE(RunUntil([&] { return recorder.failed.size() == 6; }));
  for (const auto& [address, refused] : recorder.failed) EXPECT_FALSE(refused) << address;
}

TEST_F(TransportTest, APeerThatDoesNotReadCostsABoundedQueue) {
  Recorder recorder;
  TransportOptions options;
  options.max_queued_bytes = 1 << 20;
  auto transport = Listen(recorder, options);
  auto peer = Raw(*transport);
  ASSERT_TRUE(RunUntil([&] { return recorder.links.size() == 1; }));
  const SharedBytes frame = Bytes(std::string(256 << 10, 'x'));
  for (int i = 0; i < 1000 && recorder.gone.empty(); ++i) {
    transport->Send(recorder.links[0], Lane::kBulk, frame);
    transport->Flush();
    io_.restart();
    io_.poll();
  }
  EXPECT_EQ(recorder.gone, recorder.links);
}

TEST_F(TransportTest, CloseSendsWhatIsQueuedFirst) {
  Recorder a, b;
  auto left = Listen(a);
  auto right = Listen(b);
  left->Dial(At(*right));
  ASSERT_TRUE(RunUntil([&] { return a.links.size() == 1 && b.links.size() == 1; }));
  // The peer is in the middle of saying much when it is told why it is refused.
  for (int i = 0; i < 20; ++i)
    right->Send(b.links[0], Lane::kBulk, Bytes(std::string(200'000, 'z')));
  right->Flush();
  left->Send(a.links[0], Lane::kControl, Bytes("refused: wrong secret"));
  left->Close(a.links[0]);
  ASSERT_TRUE(RunUntil([&] { return b.gone.size() == 1; }));
  EXPECT_EQ(b.frames, std::vector<std::string>{"refused: wrong secret"});
  ASSERT_TRUE(RunUntil([&] { return left->link_count() == 0; }));
  EXPECT_TRUE(a.gone.empty()) << "who closes is not told";
}

TEST_F(TransportTest, AHandlerMayCloseTheLinkWithinAFrame) {
  Recorder recorder;
  auto transport = Listen(recorder);
  recorder.on_frame = [&] { transport->Close(recorder.links[0]); };
  auto peer = Raw(*transport);
  asio::write(peer, asio::buffer(Framed("one") + Framed("two")));
  ASSERT_TRUE(RunUntil([&] { return !recorder.frames.empty(); }));
  peer.close();
  ASSERT_TRUE(RunUntil([&] { return transport->link_count() == 0; }));
  EXPECT_EQ(recorder.frames, std::vector<std::string>{"one"});
}

TEST_F(TransportTest, ShutdownEndsWithinItsTimeEvenWhenPeersDoNotRead) {
  Recorder recorder;
  TransportOptions options;
  options.close_timeout = std::chrono::milliseconds(50);
  auto transport = Listen(recorder, options);
  auto silent = Raw(*transport);
  ASSERT_TRUE(RunUntil([&] { return recorder.links.size() == 1; }));
  for (int i = 0; i < 100; ++i) {
    transport->Send(recorder.links[0], Lane::kBulk, Bytes(std::string(256 << 10, 'x')));
  }
  bool done = false;
  transport->Shutdown([&] { done = true; });
  ASSERT_TRUE(RunUntil([&] { return done; }));
  EXPECT_TRUE(recorder.gone.empty());
}

TEST_F(TransportTest, AnAddressInUseIsAnErrorThatNamesIt) {
  Recorder a, b;
  auto first = Listen(a);
  TransportOptions options;
  options.port = first->port();
  const auto second = Transport::Listen(io_, options, b, Quiet());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kIo);
  EXPECT_NE(second.error().message.find(At(*first)), std::string::npos) << second.error().message;
}

}  // namespace
}  // namespace starling
