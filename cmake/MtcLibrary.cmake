# mtc_add_library(NAME SOURCES... [DEPENDS targets...] [LINK libs...] [MLIR libs...] [EXCEPTIONS])
#
# A folder is a library: every .cpp of the folder must be listed, or configuring fails.
# LINK: our own and third-party libraries. MLIR: upstream libraries, always linked through
# libMLIR.so (MLIR_LINK_MLIR_DYLIB). Libraries of the compiler half are built without RTTI like
# LLVM; EXCEPTIONS keeps them on where protobuf or yaml-cpp throw.
function(mtc_add_library name)
  cmake_parse_arguments(ARG "EXCEPTIONS;COMPILER" "" "SOURCES;DEPENDS;LINK;MLIR" ${ARGN})
  file(GLOB present RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(file ${present})
    if(NOT file IN_LIST ARG_SOURCES)
      message(FATAL_ERROR "${CMAKE_CURRENT_SOURCE_DIR}/${file} is not listed in ${name}")
    endif()
  endforeach()
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wno-unused-parameter)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  if(ARG_COMPILER)
    target_include_directories(${name} SYSTEM PUBLIC ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
    target_compile_definitions(${name} PUBLIC ${MTC_LLVM_DEFINITIONS})
    if(ARG_EXCEPTIONS)
      target_precompile_headers(${name} REUSE_FROM MtcPrecompiledExceptions)
    else()
      target_compile_options(${name} PRIVATE -fno-rtti -fno-exceptions)
      target_precompile_headers(${name} REUSE_FROM MtcPrecompiled)
    endif()
    if(ARG_MLIR)
      mlir_target_link_libraries(${name} PUBLIC ${ARG_MLIR})
      target_link_libraries(${name} PUBLIC LLVM) # libMLIR.so does not pass its libLLVM.so on
    endif()
  endif()
endfunction()

# MLIR's headers cost 3 to 6 s a source file; precompiled once, 1 to 2 s. Two forms, with and without
# RTTI and exceptions, since the flags of a precompiled header must be its users' (clang 22, two cores).
function(mtc_add_precompiled name)
  # Written only when it differs, or every configure would rebuild everything.
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp CONTENT "// Holds the precompiled headers.\n")
  add_library(${name} STATIC ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_include_directories(${name} SYSTEM PRIVATE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  target_compile_definitions(${name} PRIVATE ${MTC_LLVM_DEFINITIONS})
  target_link_libraries(${name} PRIVATE fmt::fmt)
  target_compile_options(${name} PRIVATE ${ARGN})
  target_precompile_headers(${name} PRIVATE
    <mlir/Dialect/Arith/IR/Arith.h>
    <mlir/Dialect/Linalg/IR/Linalg.h>
    <mlir/Dialect/MemRef/IR/MemRef.h>
    <mlir/Dialect/SCF/IR/SCF.h>
    <mlir/Dialect/Tensor/IR/Tensor.h>
    <mlir/Dialect/Vector/IR/VectorOps.h>
    <mlir/IR/ImplicitLocOpBuilder.h>
    <mlir/Pass/PassManager.h>)
endfunction()

# mtc_add_unittest(NAME SOURCES... [LINK libs...] [LONG]): a GoogleTest program, each case a ctest;
# LONG labels them `long` (see test.sh).
function(mtc_add_unittest name)
  cmake_parse_arguments(ARG "LONG" "" "SOURCES;LINK" ${ARGN})
  set(labels)
  if(ARG_LONG)
    set(labels PROPERTIES LABELS long)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/unittests)
  # A busy machine may need longer than the default 5 s to load libLLVM.
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 TEST_PREFIX ${name}. ${labels})
endfunction()
