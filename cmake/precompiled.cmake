# Precompiled headers, shared by all targets of a sanitized build, where reading headers would take
# a fifth of the time of compiling. Other builds have none: there every file shows that it includes
# what it uses, and ccache knows the objects.
if(STARLING_SANITIZE AND STARLING_DEVELOP AND NOT STARLING_FUZZ)
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/precompiled.cc CONTENT "")
  add_library(starling_precompiled OBJECT ${PROJECT_BINARY_DIR}/precompiled.cc)
  target_compile_options(starling_precompiled PRIVATE ${STARLING_WARNINGS})
  target_compile_definitions(starling_precompiled PRIVATE GTEST_HAS_PTHREAD=1)
  target_link_libraries(starling_precompiled PRIVATE spdlog::spdlog Threads::Threads)
  target_precompile_headers(starling_precompiled PRIVATE
    ${PROJECT_SOURCE_DIR}/cmake/precompiled.h)
endif()

# starling_precompile(TARGET): what its files may find compiled already. A target that defines other
# macros than the headers were compiled with reads them as text.
function(starling_precompile target)
  if(TARGET starling_precompiled)
    target_compile_definitions(${target} PRIVATE GTEST_HAS_PTHREAD=1)
    target_precompile_headers(${target} REUSE_FROM starling_precompiled)
  endif()
endfunction()
