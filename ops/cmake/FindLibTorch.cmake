# LibTorch as `ops/setup` unpacks it: ${SWAVD_LIBTORCH}/torch, with nvidia/
# beside it because libtorch_cpu links to libcudart and libcupti by $ORIGIN.
# Gives LibTorch::cpu, and LibTorch::cuda with SWAVD_WITH_CUDA. The wheel's own
# CMake package is not used: it insists on a full CUDA toolkit.
set(SWAVD_LIBTORCH "${CMAKE_SOURCE_DIR}/.deps/libtorch"
    CACHE PATH "folder that holds torch/ and nvidia/")
find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h
  PATHS "${SWAVD_LIBTORCH}/torch/include" NO_DEFAULT_PATH)
find_library(LibTorch_c10 c10 PATHS "${SWAVD_LIBTORCH}/torch/lib" NO_DEFAULT_PATH)
find_library(LibTorch_cpu torch_cpu PATHS "${SWAVD_LIBTORCH}/torch/lib" NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_cpu LibTorch_c10 LibTorch_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run `make setup`, or configure with -DSWAVD_WITH_TORCH=OFF")
if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  find_package(Threads REQUIRED)
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${LibTorch_c10}")
  target_include_directories(LibTorch::c10 SYSTEM INTERFACE
    "${LibTorch_INCLUDE_DIR}" "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
  # The wheel ships fmt 12 headers without a library; they shadow Debian's fmt.
  target_compile_definitions(LibTorch::c10 INTERFACE
    FMT_HEADER_ONLY AT_PER_OPERATOR_HEADERS)
  add_library(LibTorch::cpu SHARED IMPORTED)
  set_target_properties(LibTorch::cpu PROPERTIES IMPORTED_LOCATION "${LibTorch_cpu}")
  target_link_libraries(LibTorch::cpu INTERFACE LibTorch::c10 Threads::Threads)
endif()

if(LibTorch_FOUND)
  file(STRINGS "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h" version
    REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  list(TRANSFORM version REPLACE ".* " "")
  list(JOIN version "." LibTorch_VERSION)
endif()

# What `ops/setup/setup cuda` adds. libtorch_cuda registers its operators when
# it is loaded, though no symbol of it may be used; it needs libraries that a
# machine without a GPU does not have.
if(SWAVD_WITH_CUDA AND LibTorch_FOUND AND NOT TARGET LibTorch::cuda)
  set(cuda_home "${SWAVD_LIBTORCH}/nvidia/cu13")
  set(cuda_libraries
    "${SWAVD_LIBTORCH}/torch/lib/libtorch_cuda.so"
    "${SWAVD_LIBTORCH}/torch/lib/libc10_cuda.so"
    "${cuda_home}/lib/libcudart.so.13")
  foreach(file ${cuda_libraries} "${cuda_home}/bin/nvcc")
    if(NOT EXISTS "${file}")
      message(FATAL_ERROR "${file} is not there: run `make cuda`")
    endif()
  endforeach()
  add_library(LibTorch::cuda INTERFACE IMPORTED)
  target_include_directories(LibTorch::cuda SYSTEM INTERFACE
    "${cuda_home}/include")
  target_link_directories(LibTorch::cuda INTERFACE "${cuda_home}/lib")
  target_link_options(LibTorch::cuda INTERFACE
    "LINKER:--allow-shlib-undefined")
  target_link_libraries(LibTorch::cuda INTERFACE LibTorch::cpu
    "-Wl,--no-as-needed" ${cuda_libraries} "-Wl,--as-needed")
endif()
