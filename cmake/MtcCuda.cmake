# cuda.h of 12.8 or later: what the runtime's CUDA device, the fake driver and the probe are compiled with. Nothing of
# CUDA is linked. Sets MTC_CUDA_INCLUDE_DIR, empty where there is none: then these parts are left out.
#
# Looked for in an installed toolkit, then where cmake/setup.sh puts the wheels that demo.sh --cuda and test.sh fetch.
find_path(MTC_CUDA_INCLUDE_DIR cuda.h
  HINTS /usr/local/cuda/include ${PROJECT_BINARY_DIR}/cuda/nvidia/cu13/include)
set(mtc_cuda_version 0)
if(MTC_CUDA_INCLUDE_DIR)
  file(STRINGS ${MTC_CUDA_INCLUDE_DIR}/cuda.h mtc_cuda_version REGEX "^#define CUDA_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+$" mtc_cuda_version "${mtc_cuda_version}")
endif()
if(mtc_cuda_version LESS 12080)
  message(STATUS "no cuda.h of 12.8 or later: the runtime has no CUDA device; its fake driver and the probe are left out")
  set(MTC_CUDA_INCLUDE_DIR "")
endif()
