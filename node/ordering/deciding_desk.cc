#include "node/ordering/deciding_desk.h"

#include "storage/speculation.h"

namespace starling {

RecordNote DecidingDesk::Note() const {
  RecordNote note;
  if (again_by_.empty()) return note;
  note.by = again_by_;
  if (replies_->size() - start_ <= RecordNote::kMaxAnswer) note.answer = replies_->substr(start_);
  return note;
}

bool DecidingDesk::Decide(Speculation& speculation, std::string_view& refusal) {
  const bool majority = speculation.touched_claim() || (majority_required_ && speculation.wrote());
  const bool record = majority && speculation.wrote() && applied_when_decided_;
  if (record && begun_ && !speculation.blocked() && join_) join_();
  if (speculation.blocked() || (majority && !begun_)) {
    met_ = speculation.met();
    speculation.Rollback();
    undone_ = true;
    return false;
  }
  saw_claim_ = majority;
  // A claim that was only seen is one that a majority holds.
  if (!record) {
    speculation.Keep();
    return true;
  }
  const Result<Records::Written> written = records_.Write(epoch_, speculation.TakeItems(), Note());
  if (written) {
    written_ = *written;
    return true;
  }
  error_ = "ERR " + written.error().message;
  refusal = error_;
  return false;
}

}  // namespace starling
