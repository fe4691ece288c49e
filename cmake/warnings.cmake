# Warnings for starling's own targets; they never reach those who link it.
set(STARLING_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)

function(starling_target target)
  target_compile_options(${target} PRIVATE ${STARLING_WARNINGS})
  starling_precompile(${target})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:include>)
endfunction()
