# What of the runtime is installed, in two components that CPack turns into Debian packages:
#   runtime: mtrt, its man page and completions, libmtrt.so.0
#   dev: headers, libmtrt.so, CMake package mtrt, mtrt.pc
#
#   cmake --install build --prefix P --component runtime     (cd build && cpack -G DEB)
include(CMakePackageConfigHelpers)

install(TARGETS mtrt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(TARGETS MtrtShared EXPORT mtrtTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)
set(mtrt_share ${PROJECT_BINARY_DIR}/tools/mtrt/share)
install(FILES ${mtrt_share}/mtrt.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
install(FILES ${mtrt_share}/mtrt.bash RENAME mtrt
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT runtime)
install(FILES ${mtrt_share}/_mtrt
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT runtime)
install(FILES ${mtrt_share}/mtrt.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT runtime)
install(FILES
  ${PROJECT_SOURCE_DIR}/include/mtc/Runtime/mtrt.h
  ${PROJECT_SOURCE_DIR}/include/mtc/Runtime/mtrt.hpp
  ${PROJECT_SOURCE_DIR}/include/mtc/Runtime/mtrt_dlpack.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mtc/Runtime COMPONENT dev)

set(mtrt_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mtrt)
install(EXPORT mtrtTargets NAMESPACE mtrt:: DESTINATION ${mtrt_cmake_dir} COMPONENT dev)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/mtrtConfig.cmake.in
  ${PROJECT_BINARY_DIR}/mtrtConfig.cmake INSTALL_DESTINATION ${mtrt_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mtrtConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mtrtConfig.cmake ${PROJECT_BINARY_DIR}/mtrtConfigVersion.cmake
  DESTINATION ${mtrt_cmake_dir} COMPONENT dev)

# The prefix is known when it is installed, not now: `cmake --install --prefix` changes it.
install(CODE "
  set(PROJECT_VERSION \"${PROJECT_VERSION}\")
  set(CMAKE_INSTALL_LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")
  set(CMAKE_INSTALL_INCLUDEDIR \"${CMAKE_INSTALL_INCLUDEDIR}\")
  configure_file(\"${CMAKE_CURRENT_LIST_DIR}/mtrt.pc.in\"
    \"${PROJECT_BINARY_DIR}/mtrt.pc\" @ONLY)
  file(INSTALL \"${PROJECT_BINARY_DIR}/mtrt.pc\"
    DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig\")
  " COMPONENT dev)

set(CPACK_PACKAGE_NAME mtrt)
set(CPACK_PACKAGE_VENDOR "mtc")
set(CPACK_PACKAGE_CONTACT "mtc developers <mtc@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs neural networks that mtc has compiled together")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME mtrt)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION science)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "The program mtrt and the library libmtrt.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libmtrt-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "mtrt (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_DEV_DESCRIPTION "Headers, CMake package and pkg-config file of libmtrt.")
include(CPack)
