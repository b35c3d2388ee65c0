# Third-party libraries as targets: Debian's packages (tools/packages.txt), and ONNX Runtime.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(GIF REQUIRED)
find_package(charls REQUIRED)
set(GDCM_SKIP_USE_VTK ON)
find_package(GDCM REQUIRED)
if(NOREN_TESTS)
  find_package(GTest REQUIRED)
endif()
foreach(PACKAGE libsodium libzip libseccomp simdjson libpng libjpeg libtiff-4 sndfile sqlite3 zlib)
  string(MAKE_C_IDENTIFIER ${PACKAGE} PACKAGE_ID)
  pkg_check_modules(${PACKAGE_ID} REQUIRED IMPORTED_TARGET ${PACKAGE})
endforeach()

# HDF5 as an archive: its shared library brings libcurl and two dozen libraries of networks behind it (a
# driver for remote files), each of which every fork of the zygote would copy, and no worker has a use for.
pkg_check_modules(HDF5 REQUIRED hdf5)
find_library(HDF5_ARCHIVE libhdf5.a REQUIRED HINTS ${HDF5_LIBRARY_DIRS})
find_library(SZIP_LIBRARY sz REQUIRED)
add_library(hdf5_archive INTERFACE)
target_include_directories(hdf5_archive SYSTEM INTERFACE ${HDF5_INCLUDE_DIRS})
target_link_libraries(hdf5_archive
  INTERFACE ${HDF5_ARCHIVE} ${SZIP_LIBRARY} PkgConfig::zlib m ${CMAKE_DL_LIBS})

# Boost 1.81: headers, and the two compiled libraries that are used.
# CMake's own FindBoost is older than these two and warns about not knowing them: nobody can act on that.
set(Boost_NO_WARN_NEW_VERSIONS ON)
set(CMAKE_MESSAGE_LOG_LEVEL ERROR)
find_package(Boost 1.81 EXACT REQUIRED COMPONENTS json url)
unset(CMAKE_MESSAGE_LOG_LEVEL)

# SOCI 4.0: Debian ships no CMake package for it.
find_library(SOCI_CORE_LIBRARY soci_core REQUIRED)
find_library(SOCI_SQLITE_LIBRARY soci_sqlite3 REQUIRED)
add_library(soci_sqlite INTERFACE)
target_link_libraries(soci_sqlite INTERFACE ${SOCI_SQLITE_LIBRARY} ${SOCI_CORE_LIBRARY} PkgConfig::sqlite3)

# ONNX Runtime: the system's where it has one, else what tools/bootstrap.sh put into NOREN_DEPENDENCIES.
# Programs in build/bin find it by an rpath that starts at their own place, so that a moved build folder still
# runs.
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
find_package(onnxruntime CONFIG QUIET)
if(NOT TARGET onnxruntime::onnxruntime)
  set(ONNXRUNTIME_LIBRARY "${NOREN_DEPENDENCIES}/onnxruntime/lib/libonnxruntime.so.1")
  if(NOT EXISTS "${ONNXRUNTIME_LIBRARY}")
    message(FATAL_ERROR "ONNX Runtime is not in ${NOREN_DEPENDENCIES}: run ./do bootstrap first")
  endif()
  add_library(onnxruntime::onnxruntime SHARED IMPORTED)
  set_target_properties(onnxruntime::onnxruntime PROPERTIES
    IMPORTED_LOCATION "${ONNXRUNTIME_LIBRARY}"
    IMPORTED_SONAME libonnxruntime.so.1
    INTERFACE_INCLUDE_DIRECTORIES "${NOREN_DEPENDENCIES}/onnxruntime/include")
endif()

# ONNX's protobuf messages only (no checker, no schemas): ONNX Runtime is the judge of models.
find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
add_library(onnx_messages INTERFACE)
target_compile_definitions(onnx_messages INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1)
target_link_libraries(onnx_messages INTERFACE ${ONNX_PROTO_LIBRARY} protobuf::libprotobuf)
