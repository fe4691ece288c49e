/// Which starling this is, and which Redis its commands behave like.
#pragma once

namespace starling {

inline constexpr const char* kProgramVersion = "0.1.0";
/// What INFO and HELLO tell clients that choose features by Redis's version.
inline constexpr const char* kRedisVersion = "7.0.15";

}  // namespace starling
