/// Remembers on disk what was cut from the log until the node has drawn its consequences.
///
/// The cut itself leaves no trace, and a process can end between it and the new incarnation that
/// must follow. So the report is written before the cut and found again by every later open, until
/// ForgetDamage. Stateless; all block. Errors: kIo.
#pragma once

#include <string>
#include <vector>

#include "starling/result.h"
#include "storage/engine.h"

namespace starling {

/// Adds `damage` to what the folder remembers, durably.
Status RememberDamage(const std::string& folder, const std::vector<Engine::Damage>& damage);
/// What the folder remembers, oldest first.
Result<std::vector<Engine::Damage>> RememberedDamage(const std::string& folder);
Status ForgetDamage(const std::string& folder);

}  // namespace starling
