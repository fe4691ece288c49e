#include "node/ordering/deciding_desk.h"

#include "storage/speculation.h"

namespace starling {

bool DecidingDesk::Decide(Speculation& speculation, std::string_view& refusal) {
  const bool majority = speculation.touched_claim() || (majority_required_ && speculation.wrote());
  if (speculation.blocked() || (majority && !begun_)) {
    met_ = speculation.met();
    speculation.Rollback();
    undone_ = true;
    return false;
  }
  saw_claim_ = majority;
  // A claim that was only seen is one that a majority holds.
  if (!majority || !speculation.wrote() || !applied_when_decided_) {
    speculation.Keep();
    return true;
  }
  const Result<Records::Written> written = records_.Write(epoch_, speculation.TakeItems());
  if (written) {
    written_ = *written;
    return true;
  }
  error_ = "ERR " + written.error().message;
  refusal = error_;
  return false;
}

}  // namespace starling
