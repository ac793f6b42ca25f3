# Compiles through ccache when it is installed. Objects do not depend on where
# the checkout lies, so that a second clone finds them too.
find_program(SWAVD_CCACHE ccache)
if(SWAVD_CCACHE)
  set(launcher "${CMAKE_COMMAND}" -E env CCACHE_NOHASHDIR=1
    "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "${SWAVD_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
