// What a user's program does with an installed starling, in small: succeeds when all of it works.
#include <chrono>
#include <iostream>

#include "starling/starling.h"

int main() {
  starling::NodeOptions options;
  options.ephemeral = true;
  options.meeting_folder = false;
  starling::Result<starling::Node> node = starling::Node::Open(options);
  if (!node) {
    std::cerr << node.error().message << '\n';
    return 1;
  }
  starling::Counter guests = node->GetCounter("guests");
  guests.Add(2);
  starling::Kv book = node->kv();
  const bool written = book.Set("last", "Ada", std::chrono::minutes(1)).ok() && node->Sync().ok();
  const auto last = book.Get("last");
  const auto count = guests.Value();
  const bool right = written && count.ok() && *count == 2 && last.ok() && *last == "Ada";
  std::cout << (right ? "the guest book works\n" : "the guest book is wrong\n");
  return right && node->Close().ok() ? 0 : 1;
}
