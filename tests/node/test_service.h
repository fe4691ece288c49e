/// A small service around a node, driven by lines: what tests of several processes start.
///
/// The tests' own executable, started again with `kServiceWord` as its first argument, is such a
/// service: a process that is forked off without exec would inherit RocksDB's threads as dead ones.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace starling {

inline constexpr const char* kServiceWord = "--as-service";
/// Of a permit that such a service takes.
inline constexpr std::chrono::seconds kTestPermitTtl{5};

/// Arguments after the word: a node's name and its data folder (both empty: the defaults), and the
/// meeting folder (empty: the default). Says "open" or what is wrong, then obeys its standard
/// input, a line and an answer at a time, until that ends:
///
///     add N      adds to the counter "hits" N times; "ok"
///     value      the counter's value
///     until N    waits until the value is N, a minute at most; the value
///     run        for ever: adds 7, syncs, and says the value that is certain from then on
///
/// Returns the process's exit status.
int RunTestService(const std::vector<std::string>& arguments);

}  // namespace starling
