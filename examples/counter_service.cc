// A service with a counter that all its instances share. Each line on standard input is one visit.
// Start it twice, in two terminals: the instances find each other.
#include <iostream>
#include <string>

#include "starling/starling.h"

int main() {
  starling::Result<starling::Node> node = starling::Node::Open();
  if (!node) {
    std::cerr << node.error().message << '\n';
    return 1;
  }
  starling::Counter visits = node->GetCounter("visits");
  for (std::string line; std::getline(std::cin, line);) {
    visits.Add();
    std::cout << visits.Value().value() << " visits, " << node->Members().size() << " members"
              << std::endl;
  }
}
