/// Where the commands of one turn of an I/O thread run that belong to the leaseholder.
#pragma once

#include <cstdint>

namespace starling {

struct TurnOrder {
  enum class Place : uint8_t {
    kHere,  ///< This node leads, or nobody can be reached and it goes on by itself.
    kElsewhere,
    kNowhere,  ///< Nobody can be reached, and such commands are refused then.
  };
  Place place = Place::kHere;
  uint64_t epoch = 0;  ///< In which this node leads; 0: it does not.

  /// This node can never have a lease: what has one winner has it here.
  bool lone = false;

  bool forwards() const { return place == Place::kElsewhere; }
  bool refuses() const { return place == Place::kNowhere; }
};

}  // namespace starling
