// A service whose instances handle each webhook once, whichever of them it is delivered to. Each
// line on standard input is the id of a delivery. Start it twice, in two terminals, and give both
// the same id: the second says who had it. An id that ends in "!" fails, and may be delivered
// again.
#include <iostream>
#include <string>

#include "starling/starling.h"

namespace {

bool Handle(const std::string& id) { return !id.ends_with('!'); }

}  // namespace

int main() {
  starling::Result<starling::Node> node = starling::Node::Open();
  if (!node) {
    std::cerr << node.error().message << '\n';
    return 1;
  }
  const starling::Claims claims = node->claims();
  for (std::string id; std::getline(std::cin, id);) {
    const std::string key = "webhook:" + id;
    const auto claim = claims.First(key, std::chrono::hours(24));
    if (!claim) {
      std::cout << "deliver it again: " << claim.error().message << std::endl;
    } else if (!claim->first) {
      std::cout << "handled by " << claim->by << std::endl;
    } else if (Handle(id)) {
      std::cout << "handled" << std::endl;
    } else {
      const starling::Status withdrawn = claims.Withdraw(key, claim->by);
      std::cout << "failed" << (withdrawn ? ", deliver it again" : "") << std::endl;
    }
  }
}
