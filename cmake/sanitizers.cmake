# STARLING_SANITIZE: a comma-separated list for -fsanitize, e.g. "address,undefined" or "thread".
#
# Debian's RocksDB and Cap'n Proto are not instrumented: what the thread sanitizer cannot see of
# their locking is listed in tests/thread_sanitizer.supp, and `vptr` checks would need their type
# information. Compiling is what takes the time, so checks are left out that look at every access to
# memory once more: `null`, `object-size` and `pointer-overflow` find what the address sanitizer
# stops at as well, `alignment` what x86 and ARM allow. And the address sanitizer's own checks are
# calls, not code at each place. Both together: 13.6 s instead of 21.7 s for a file of 8 s.
set(STARLING_SANITIZE "" CACHE STRING "Sanitizers to compile with, e.g. address,undefined")
if(STARLING_SANITIZE)
  add_compile_options(-fsanitize=${STARLING_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize=vptr,null,object-size,pointer-overflow,alignment
    -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND STARLING_SANITIZE MATCHES "address")
    add_compile_options("SHELL:--param asan-instrumentation-with-call-threshold=0")
  endif()
  add_link_options(-fsanitize=${STARLING_SANITIZE})
endif()

# Fuzz targets steer by the coverage of everything they link, so all of it is instrumented.
if(STARLING_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# The environment in which sanitized tests run, as CMake's ENVIRONMENT test property takes it.
set(suppressions ${PROJECT_SOURCE_DIR}/tests/thread_sanitizer.supp)
set(STARLING_TEST_ENVIRONMENT
  "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=second_deadlock_stack=1:suppressions=${suppressions}")
