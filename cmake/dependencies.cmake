# Every library starling links, each by its Debian package (README.md says why each is there).
find_package(Threads REQUIRED)
find_package(CapnProto CONFIG REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 16)
  target_compile_options(CapnProto::capnp INTERFACE
    "SHELL:-include ${PROJECT_SOURCE_DIR}/cmake/capnp_clang16.h")
endif()

# Lua as C++, so that its errors are exceptions and free what C++ code holds; linked statically, as
# are its libraries: Debian's shared ones of them would bring a second Lua.
find_path(LUA_INCLUDE_DIR lua.hpp PATH_SUFFIXES lua5.1 REQUIRED)
find_library(LUA_LIBRARY liblua5.1-c++.a REQUIRED)
find_library(LUA_CJSON_LIBRARY liblua5.1-cjson.a REQUIRED)
find_library(LUA_BITOP_LIBRARY liblua5.1-bitop.a REQUIRED)
add_library(starling_lua INTERFACE)
target_include_directories(starling_lua SYSTEM INTERFACE
  $<BUILD_INTERFACE:${LUA_INCLUDE_DIR}>)
target_link_libraries(starling_lua INTERFACE
  ${LUA_CJSON_LIBRARY} ${LUA_BITOP_LIBRARY} ${LUA_LIBRARY} m)

# Debian's Asio and xxHash are header-only and have no CMake configuration.
find_path(ASIO_INCLUDE_DIR asio.hpp REQUIRED)
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)

add_library(starling_asio INTERFACE)
target_include_directories(starling_asio SYSTEM INTERFACE ${ASIO_INCLUDE_DIR})
target_compile_definitions(starling_asio INTERFACE ASIO_STANDALONE ASIO_NO_DEPRECATED
  # Whether Asio allocates by aligned_alloc depends on whether a header of libstdc++ stood before
  # it; all files must free as the others allocate.
  ASIO_DISABLE_STD_ALIGNED_ALLOC
  # Asio does not recognise clang 14's coroutines by itself.
  $<$<AND:$<CXX_COMPILER_ID:Clang>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,15>>:ASIO_HAS_CO_AWAIT=1>)
target_link_libraries(starling_asio INTERFACE Threads::Threads)
