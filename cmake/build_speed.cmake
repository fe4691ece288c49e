# What makes building quicker where it is installed and changes nothing where it is not: ccache, and
# mold or lld in place of the GNU linker. Only for starling's own builds, never for a project that
# adds it as a subdirectory.
find_program(STARLING_CCACHE ccache)
if(STARLING_CCACHE AND STARLING_SANITIZE)  # it takes precompiled headers into account if told so
  set(STARLING_CCACHE
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${STARLING_CCACHE})
endif()
if(STARLING_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${STARLING_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${STARLING_CCACHE})
endif()

if(NOT CMAKE_EXE_LINKER_FLAGS MATCHES "-fuse-ld=")
  include(CheckLinkerFlag)
  foreach(linker mold lld)
    check_linker_flag(CXX -fuse-ld=${linker} STARLING_LINKS_WITH_${linker})
    if(STARLING_LINKS_WITH_${linker})
      add_link_options(-fuse-ld=${linker})
      break()
    endif()
  endforeach()
endif()
