/// A batch of this node's own stream, as the journal hands it out.
#pragma once

#include "storage/batch_codec.h"

namespace starling {

struct OwnBatch {
  BatchHeader header;
  SharedBytes bytes;
};

}  // namespace starling
