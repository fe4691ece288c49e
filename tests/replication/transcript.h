/// Golden transcripts: what machines say to each other, as a text that a person reviews.
///
/// Compared with a file under tests/replication/testdata; with STARLING_REWRITE_TRANSCRIPTS set the
/// file is written instead, and the difference is for the reviewer of the commit.
#pragma once

#include <string>

namespace starling {

void ExpectTranscript(const std::string& name, const std::string& text);

}  // namespace starling
