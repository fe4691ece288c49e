/// Lets many threads work while a door is open, and closes it once the last of them is out.
///
/// Thread-safe. Entering costs two atomic operations on a line that few threads share. Close is for
/// one caller.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace starling {

class OperationGate {
 public:
  /// Inside while it lives, if it could enter.
  class Pass {
   public:
    explicit Pass(OperationGate& gate) : stripe_(gate.MyStripe()) {
      stripe_.inside.fetch_add(1, std::memory_order_seq_cst);
      entered_ = !gate.closed_.load(std::memory_order_seq_cst);
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() { stripe_.inside.fetch_sub(1, std::memory_order_release); }

    /// False: the gate is closed, keep out.
    explicit operator bool() const { return entered_; }

   private:
    friend class OperationGate;
    struct alignas(64) Stripe {
      std::atomic<int64_t> inside{0};
    };

    Stripe& stripe_;
    bool entered_;
  };

  /// Lets nobody in any more and returns when nobody is inside.
  void Close() {
    closed_.store(true, std::memory_order_seq_cst);
    for (const Pass::Stripe& stripe : stripes_) {
      while (stripe.inside.load(std::memory_order_seq_cst) != 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }
  bool closed() const { return closed_.load(std::memory_order_acquire); }

 private:
  static constexpr int kStripeBits = 4;

  Pass::Stripe& MyStripe() {
    // Thread descriptors lie apart by at least a page; the multiplication spreads them over the top
    // bits.
    const auto self = static_cast<uint64_t>(pthread_self());
    return stripes_[(self >> 12) * 0x9E3779B97F4A7C15u >> (64 - kStripeBits)];
  }

  std::atomic<bool> closed_{false};
  Pass::Stripe stripes_[1 << kStripeBits];
};

}  // namespace starling
