# `cmake --install`: the library for find_package(starling) and the daemon. Two components, so that
# one can be had without the other: library, daemon.
option(STARLING_INSTALL "Make install rules" ${PROJECT_IS_TOP_LEVEL})
if(NOT STARLING_INSTALL)
  return()
endif()

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(STARLING_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/starling)

# A static library needs everything it links at the consumer's link; only starling::starling is for
# use.
install(TARGETS starling_node starling_replication starling_storage starling_asio starling_lua
  EXPORT starlingTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(DIRECTORY include/starling
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library FILES_MATCHING PATTERN "*.h")
install(EXPORT starlingTargets NAMESPACE starling::
  DESTINATION ${STARLING_PACKAGE_DIR} COMPONENT library)

configure_package_config_file(cmake/starlingConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/starlingConfig.cmake
  INSTALL_DESTINATION ${STARLING_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/starlingConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/starlingConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/starlingConfigVersion.cmake
  DESTINATION ${STARLING_PACKAGE_DIR} COMPONENT library)

install(TARGETS starlingd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT daemon)
