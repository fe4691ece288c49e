#include "tests/differential/shrink.h"

#include <algorithm>

namespace starling {

bool LastDiverges(Duel& duel, const std::vector<Step>& steps) {
  if (!duel.Restart()) return false;
  for (size_t i = 0; i < steps.size(); ++i) {
    Result<std::optional<Divergence>> outcome = duel.Run(steps[i]);
    // A connection that fails counts: the server may have died of this very step.
    bool diverged = !outcome || outcome->has_value();
    if (diverged) return i + 1 == steps.size();
  }
  return false;
}

std::vector<Step> Shrink(Duel& duel, std::vector<Step> steps) {
  if (!LastDiverges(duel, steps)) return steps;
  for (size_t chunk = std::max<size_t>(steps.size() / 2, 1); chunk > 0; chunk /= 2) {
    for (size_t begin = 0; begin + 1 < steps.size();) {
      size_t end = std::min(begin + chunk, steps.size() - 1);  // never the last step
      std::vector<Step> shorter(steps.begin(), steps.begin() + static_cast<ptrdiff_t>(begin));
      shorter.insert(shorter.end(), steps.begin() + static_cast<ptrdiff_t>(end), steps.end());
      if (LastDiverges(duel, shorter)) {
        steps = std::move(shorter);
      } else {
        begin = end;
      }
    }
  }
  return steps;
}

}  // namespace starling
