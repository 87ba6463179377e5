# libonnx: the ONNX schemas, shape inference, inliner and version converter.
#
# Debian's libonnx-dev stops at opset 17, so the library is built from the source package that
# the onnx project publishes on PyPI (pinned by SHA-256), once per machine, into a cache folder
# keyed by its version, the compiler and Debian's protobuf. Later configures only find it.
#
# Defines the imported target MtcOnnx and the variables PROTOC_EXECUTABLE and MTC_ONNX_PROTO_DIR
# (a folder with onnx/onnx.proto). A machine without network needs the tarball in the cache folder.
set(mtc_onnx_version 1.23.2)
set(mtc_onnx_sha256 008cb0467b2bbee41448acc7da8b6f4e704624cb0d327a2d5adafc7ce19bc5b8)

if(DEFINED ENV{XDG_CACHE_HOME})
  set(mtc_default_cache $ENV{XDG_CACHE_HOME}/mtc)
else()
  set(mtc_default_cache $ENV{HOME}/.cache/mtc)
endif()
set(MTC_CACHE_DIR ${mtc_default_cache} CACHE PATH "where downloaded and built dependencies are kept")

find_program(PROTOC_EXECUTABLE protoc REQUIRED)
find_library(MTC_PROTOBUF_LIBRARY protobuf REQUIRED)
find_path(MTC_PROTOBUF_INCLUDE_DIR google/protobuf/message.h REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# Leaves the tarball, with the right hash, at ${tarball}.
#
# pip is the official client of the registry, but `pip download` of a source package also builds
# its metadata, which would fetch and start the package's whole build backend. A stand-in
# backend of the same name on PYTHONPATH that answers only that one question makes it a download.
function(mtc_onnx_download tarball)
  if(EXISTS ${tarball})
    file(SHA256 ${tarball} have)
    if(have STREQUAL mtc_onnx_sha256)
      return()
    endif()
    message(STATUS "onnx: ${tarball} has another hash, downloading again")
  endif()
  message(STATUS "onnx: downloading the source of ${mtc_onnx_version}")
  set(work ${MTC_CACHE_DIR}/onnx-download)
  file(REMOVE_RECURSE ${work})
  file(WRITE ${work}/backend/scikit_build_core/__init__.py "")
  file(WRITE ${work}/backend/scikit_build_core/build.py
"import os
def get_requires_for_build_wheel(config_settings=None):
    return []
def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    name = 'onnx-${mtc_onnx_version}.dist-info'
    os.mkdir(os.path.join(metadata_directory, name))
    with open(os.path.join(metadata_directory, name, 'METADATA'), 'w') as f:
        f.write('Metadata-Version: 2.1\\nName: onnx\\nVersion: ${mtc_onnx_version}\\n')
    return name
")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env PYTHONPATH=${work}/backend
            ${Python3_EXECUTABLE} -m pip download --quiet --no-deps --no-build-isolation
            --no-binary onnx --dest ${work} onnx==${mtc_onnx_version}
    RESULT_VARIABLE failed ERROR_VARIABLE err)
  if(failed)
    message(FATAL_ERROR "onnx: pip could not download the source package: ${err}\n"
      "Without network, put onnx-${mtc_onnx_version}.tar.gz into ${MTC_CACHE_DIR}.")
  endif()
  file(SHA256 ${work}/onnx-${mtc_onnx_version}.tar.gz have)
  if(NOT have STREQUAL mtc_onnx_sha256)
    message(FATAL_ERROR "onnx: got a source package with SHA-256 ${have}, wanted ${mtc_onnx_sha256}")
  endif()
  file(RENAME ${work}/onnx-${mtc_onnx_version}.tar.gz ${tarball})
  file(REMOVE_RECURSE ${work})
endfunction()

# Builds into a folder beside ${prefix} and renames it when it is complete.
function(mtc_onnx_build prefix)
  set(tarball ${MTC_CACHE_DIR}/onnx-${mtc_onnx_version}.tar.gz)
  mtc_onnx_download(${tarball})
  set(work ${prefix}.partial)
  file(REMOVE_RECURSE ${work})
  file(ARCHIVE_EXTRACT INPUT ${tarball} DESTINATION ${work})
  set(source ${work}/onnx-${mtc_onnx_version})
  # It asks for CMake 3.26, Debian 12 has 3.25; nothing in it needs the newer one.
  file(READ ${source}/CMakeLists.txt text)
  string(REPLACE "cmake_minimum_required(VERSION 3.26)" "cmake_minimum_required(VERSION 3.25)"
         text "${text}")
  file(WRITE ${source}/CMakeLists.txt "${text}")

  message(STATUS "onnx: building libonnx.a once, into ${prefix} (a minute or two)")
  set(log ${prefix}.log)
  set(launcher "${CCACHE}") # not our own launcher: a list would fall apart into arguments
  if(NOT launcher)
    set(launcher "")
  endif()
  foreach(step
      "-S;${source};-B;${work}/build;-G;${CMAKE_GENERATOR};-DCMAKE_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM};-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER};-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher};-DCMAKE_BUILD_TYPE=Release;-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG;-DCMAKE_POSITION_INDEPENDENT_CODE=ON;-DONNX_USE_PROTOBUF_SHARED_LIBS=ON;-DPython3_EXECUTABLE=${Python3_EXECUTABLE};-DCMAKE_INSTALL_LIBDIR=lib;-DCMAKE_INSTALL_PREFIX=${work}/prefix"
      "--build;${work}/build;--target;install;--parallel")
    execute_process(COMMAND ${CMAKE_COMMAND} ${step}
      RESULT_VARIABLE failed OUTPUT_FILE ${log} ERROR_FILE ${log})
    if(failed)
      message(FATAL_ERROR "onnx: building libonnx failed, see ${log}")
    endif()
  endforeach()
  # The textual schema, under the name that tests and users know.
  file(COPY_FILE ${work}/build/onnx/onnx-ml.proto ${work}/prefix/include/onnx/onnx.proto)
  file(REMOVE_RECURSE ${prefix})
  file(RENAME ${work}/prefix ${prefix})
  file(REMOVE_RECURSE ${work})
  file(REMOVE ${log})
endfunction()

file(STRINGS ${MTC_PROTOBUF_INCLUDE_DIR}/google/protobuf/stubs/common.h mtc_protobuf_version
     REGEX "#define GOOGLE_PROTOBUF_VERSION [0-9]+")
string(REGEX REPLACE "[^0-9]" "" mtc_protobuf_version "${mtc_protobuf_version}")
string(TOLOWER ${CMAKE_CXX_COMPILER_ID} mtc_compiler)
set(mtc_onnx_prefix ${MTC_CACHE_DIR}/onnx-${mtc_onnx_version}-${CMAKE_SYSTEM_PROCESSOR}-${mtc_compiler}-${CMAKE_CXX_COMPILER_VERSION}-protobuf-${mtc_protobuf_version})
if(NOT EXISTS ${mtc_onnx_prefix}/include/onnx/onnx.proto)
  file(MAKE_DIRECTORY ${MTC_CACHE_DIR})
  file(LOCK ${MTC_CACHE_DIR}/onnx.lock GUARD FILE TIMEOUT 1800)
  if(NOT EXISTS ${mtc_onnx_prefix}/include/onnx/onnx.proto)
    mtc_onnx_build(${mtc_onnx_prefix})
  endif()
  file(LOCK ${MTC_CACHE_DIR}/onnx.lock RELEASE)
endif()

add_library(MtcOnnx STATIC IMPORTED GLOBAL)
set_target_properties(MtcOnnx PROPERTIES
  IMPORTED_LOCATION ${mtc_onnx_prefix}/lib/libonnx.a
  INTERFACE_INCLUDE_DIRECTORIES "${mtc_onnx_prefix}/include;${MTC_PROTOBUF_INCLUDE_DIR}"
  INTERFACE_COMPILE_DEFINITIONS "ONNX_ML=1;ONNX_NAMESPACE=onnx"
  INTERFACE_LINK_LIBRARIES "${MTC_PROTOBUF_LIBRARY};Threads::Threads")
set(MTC_ONNX_PROTO_DIR ${mtc_onnx_prefix}/include CACHE INTERNAL "a folder with onnx/onnx.proto")
