/// What tells this host, this boot of it and a data folder from others.
///
/// Stateless, thread-safe; reads the operating system.
#pragma once

#include <string>

#include "starling/result.h"

namespace starling {

/// The kernel's id of the present boot. Errors: kIo.
Result<std::string> BootId();

/// Identifies the folder itself: inode and, where the file system keeps it, time of birth. Differs
/// in a copy, a restored backup and on a new disk; the same after a reboot or a rename. Errors:
/// kIo.
Result<std::string> FolderIdentity(const std::string& folder);

/// The host's name; "localhost" when it has none.
std::string HostName();

}  // namespace starling
