/// Fuzzes the peer protocol: the decoder, and a replicator behind an established link (I11).
///
/// The input is cut into frames (two bytes of length, then the frame). Whatever they hold, the
/// decoder refuses by name or gives a message that encodes to itself, and the replicator neither
/// crashes nor keeps a link that sent nonsense. The link's handshake is done honestly first, since
/// a stranger's frames end there.
#include <spdlog/sinks/null_sink.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replication/peer_codec.h"
#include "replication/proof.h"
#include "replication/replicator.h"
#include "storage/store.h"

namespace {

using namespace starling;  // NOLINT: a program of one file

void Require(bool condition) {
  if (!condition) std::abort();
}

class FixedTime final : public TimeSource {
 public:
  int64_t WallMillis() override { return 1'700'000'000'000 + millis; }
  std::chrono::nanoseconds Monotonic() override { return std::chrono::milliseconds(millis); }
  int64_t millis = 1;
};

void CheckDecoder(std::string_view frame) {
  const std::string exact(frame);
  const Result<DecodedMessage> decoded = DecodePeerMessage(exact);
  if (!decoded) {
    Require(decoded.error().code == Code::kCorruption && !decoded.error().message.empty());
    return;
  }
  const std::string encoded = EncodePeerMessage(decoded->message);
  const Result<DecodedMessage> again = DecodePeerMessage(encoded);
  Require(again.ok());
  Require(EncodePeerMessage(again->message) == encoded);
  Require(ToString(again->message) == ToString(decoded->message));
}

/// A member with a peer that shook hands honestly and then sends what the input says.
class Victim {
 public:
  Victim()
      : log_(std::make_shared<spdlog::logger>("fuzz",
                                              std::make_shared<spdlog::sinks::null_sink_mt>())) {
    StoreOptions options;
    options.name = "victim";
    options.ephemeral = true;
    options.keyspace.shards = 1;
    auto engine = OpenRocksEngine({});
    Require(engine.ok());
    auto store = Store::Open(options, *std::move(engine), time_, log_);
    Require(store.ok());
    store_ = *std::move(store);
  }

  void Run(const std::vector<std::string_view>& frames) {
    ReplicatorOptions options;
    options.advertise = "victim:1";
    options.expect = 1;
    options.random_seed = 7;
    Replicator replicator(options, *store_, log_);
    Effects effects;
    replicator.Start(Now(), effects);
    replicator.OnConnected(1, {}, Now(), effects);
    ShakeHands(replicator, effects);
    bool open = true;
    for (const std::string_view frame : frames) {
      effects.clear();
      time_.millis += 50;
      replicator.OnFrame(1, frame, Now(), effects);
      replicator.OnTick(Now(), effects);
      for (const Effect& effect : effects) {
        if (std::holds_alternative<CloseEffect>(effect)) open = false;
        // What it says itself is always well formed.
        if (const auto* send = std::get_if<SendEffect>(&effect)) {
          Require(DecodePeerMessage(*send->frame).ok());
        }
      }
      if (!open) break;
    }
    (void)replicator.members();
    (void)replicator.stability();
    (void)store_->Maintain(replicator.stability());
  }

 private:
  Instant Now() { return time_.Monotonic(); }

  void ShakeHands(Replicator& replicator, Effects& effects) {
    Hello theirs;
    for (const Effect& effect : effects) {
      const auto* send = std::get_if<SendEffect>(&effect);
      if (send == nullptr) continue;
      const auto decoded = DecodePeerMessage(*send->frame);
      if (const auto* hello = std::get_if<Hello>(&decoded->message)) theirs = *hello;
    }
    Hello own;
    own.cluster_name = theirs.cluster_name;
    own.cluster_id = theirs.cluster_id;
    own.node_name = "peer";
    own.incarnation = 1;
    own.session = 99;
    own.nonce = std::string(32, 'p');
    own.wall_millis = time_.WallMillis();
    own.clock = Stamp::FirstOf(time_.WallMillis());
    own.address = "peer:1";
    replicator.OnFrame(1, EncodePeerMessage(own), Now(), effects);
    const Proof proof{MakeProof("", LinkRole::kDialler, own, theirs)};
    replicator.OnFrame(1, EncodePeerMessage(proof), Now(), effects);
  }

  std::shared_ptr<spdlog::logger> log_;
  FixedTime time_;
  std::unique_ptr<Store> store_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Never ended at exit: RocksDB's own statics, which it needs, would be gone before it.
  static Victim* victim = nullptr;
  static int runs = 0;
  // What one input leaves in the store the next ones meet; now and then a fresh one bounds memory.
  if (victim == nullptr || ++runs % 5000 == 0) {
    delete victim;
    victim = new Victim;
  }
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> frames;
  while (rest.size() > 2 && frames.size() < 64) {
    const size_t length = static_cast<uint8_t>(rest[0]) | static_cast<uint8_t>(rest[1]) << 8;
    rest.remove_prefix(2);
    frames.push_back(rest.substr(0, length));
    rest.remove_prefix(std::min(length, rest.size()));
  }
  for (const std::string_view frame : frames) CheckDecoder(frame);
  victim->Run(frames);
  return 0;
}
