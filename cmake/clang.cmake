# Toolchain of the presets `clang` and `fuzz`: clang 16 where it is installed, else the default one.
find_program(STARLING_CLANG NAMES clang-16 clang REQUIRED)
find_program(STARLING_CLANGXX NAMES clang++-16 clang++ REQUIRED)
set(CMAKE_C_COMPILER ${STARLING_CLANG})
set(CMAKE_CXX_COMPILER ${STARLING_CLANGXX})
