# The two functions every folder's CMakeLists.txt uses.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Warnings are errors for our own code; third-party headers come in as SYSTEM.
add_library(swavd_options INTERFACE)
target_compile_options(swavd_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<BOOL:${SWAVD_WERROR}>:-Werror>)

# swavd_module(NAME name [UNITY] HEADERS ... SOURCES ... PUBLIC libs PRIVATE libs)
# One static library swavd_<name>, alias swavd::<name>; includes are written
# from the root of the repository. UNITY compiles all sources as one object.
function(swavd_module)
  cmake_parse_arguments(ARG "UNITY" "NAME" "HEADERS;SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(ARG_SOURCES)
    add_library(swavd_${ARG_NAME} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(swavd_${ARG_NAME} PRIVATE swavd_options ${ARG_PRIVATE})
  else()
    add_library(swavd_${ARG_NAME} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(swavd::${ARG_NAME} ALIAS swavd_${ARG_NAME})
  target_sources(swavd_${ARG_NAME} ${scope} FILE_SET HEADERS
    BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
  target_link_libraries(swavd_${ARG_NAME} ${scope} ${ARG_PUBLIC})
  if(ARG_UNITY)
    set_target_properties(swavd_${ARG_NAME} PROPERTIES
      UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
  endif()
endfunction()

# swavd_test(MODULE m LABEL unit|integration|e2e [UNITY] [GPU] SOURCES ... LIBS ...)
# One GoogleTest executable <m>_<label>_test; each test becomes a ctest entry.
# GPU: those named */cuda have the label gpu and are skipped without one; all
# others compute on the CPU, whatever there is.
# SWAVD_TEST_SOURCE_DIR is defined to the root of the repository.
function(swavd_test)
  cmake_parse_arguments(ARG "UNITY;GPU" "MODULE;LABEL;TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set(name ${ARG_MODULE}_${ARG_LABEL}_test)
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE swavd_options ${ARG_LIBS} GTest::gtest_main GTest::gmock)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE
    SWAVD_TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    SWAVD_TEST_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  # Tests wait for programs, not for themselves: a third less to compile.
  target_compile_options(${name} PRIVATE -O1)
  if(ARG_UNITY)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
  endif()
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/tests)
  if(NOT ARG_GPU)
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
      PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
      ENVIRONMENT SWAVD_CUDA_PLUGIN=)
    return()
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
    TEST_FILTER "-*/cuda" TEST_LIST ${name}_HOST_TESTS
    PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT SWAVD_CUDA_PLUGIN=)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
    TEST_FILTER "*/cuda" TEST_LIST ${name}_GPU_TESTS
    PROPERTIES LABELS gpu TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT SWAVD_CUDA_PLUGIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/libswavd_cuda.so)
endfunction()
