//===- Calls.cpp - device, contexts, memory, kernels ----------------------===//
//
// A function per driver function, in the order of the driver's manual. Handles are addresses of our
// own objects; what is not among the live ones is a violation.
//
//===----------------------------------------------------------------------===//
#include "Fake.h"
#include "GraphCalls.h"
#include "StreamCalls.h"
#include "TensorMaps.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <sys/mman.h>
#include <type_traits>
#include <unistd.h>

namespace mtc::fake {
namespace {

constexpr size_t kGranularity = size_t(64) << 10; ///< a GPU says 2 MiB; less is faster to poison
constexpr unsigned kUnitsPerGroup = 8;
constexpr unsigned char kPoison = 0xFF; ///< NaN in every float

//===- Initialization, devices --------------------------------------------===//

CUresult fake_cuInit(unsigned flags) {
  return call("cuInit", {{"flags", flags}}, [&](Json &out) {
    Fake &f = fake();
    const char *connections = std::getenv("CUDA_DEVICE_MAX_CONNECTIONS");
    out["CUDA_DEVICE_MAX_CONNECTIONS"] = connections ? connections : "";
    if (flags != 0)
      return violation("cuInit: flags must be 0");
    if (!f.isInitialized)
      if (const std::string wrong = configure(f); !wrong.empty())
        return violation(wrong, CUDA_ERROR_NO_DEVICE);
    f.isInitialized = true;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuDriverGetVersion(int *version) {
  return call("cuDriverGetVersion", {}, [&](Json &) {
    *version = CUDA_VERSION;
    return CUDA_SUCCESS;
  });
}

// Not counted: they describe an error that was counted.
CUresult fake_cuGetErrorName(CUresult error, const char **text) {
  switch (error) {
#define MTC_FAKE_NAME(name)                                                                        \
  case name:                                                                                       \
    *text = #name;                                                                                 \
    return CUDA_SUCCESS;
    MTC_FAKE_NAME(CUDA_ERROR_INVALID_VALUE)
    MTC_FAKE_NAME(CUDA_ERROR_OUT_OF_MEMORY)
    MTC_FAKE_NAME(CUDA_ERROR_NOT_INITIALIZED)
    MTC_FAKE_NAME(CUDA_ERROR_NO_DEVICE)
    MTC_FAKE_NAME(CUDA_ERROR_INVALID_CONTEXT)
    MTC_FAKE_NAME(CUDA_ERROR_INVALID_HANDLE)
    MTC_FAKE_NAME(CUDA_ERROR_NOT_FOUND)
    MTC_FAKE_NAME(CUDA_ERROR_ILLEGAL_ADDRESS)
    MTC_FAKE_NAME(CUDA_ERROR_LAUNCH_FAILED)
    MTC_FAKE_NAME(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES)
    MTC_FAKE_NAME(CUDA_ERROR_INVALID_IMAGE)
    MTC_FAKE_NAME(CUDA_ERROR_UNKNOWN)
#undef MTC_FAKE_NAME
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult fake_cuGetErrorString(CUresult, const char **text) {
  *text = "as the fake driver was told";
  return CUDA_SUCCESS;
}

CUresult fake_cuDeviceGetCount(int *count) {
  return call("cuDeviceGetCount", {}, [&](Json &) {
    *count = 1;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuDeviceGet(CUdevice *device, int ordinal) {
  return call("cuDeviceGet", {{"ordinal", ordinal}}, [&](Json &) {
    if (ordinal != 0)
      return violation("cuDeviceGet: there is only device 0", CUDA_ERROR_INVALID_DEVICE);
    *device = 0;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuDeviceGetName(char *name, int length, CUdevice device) {
  return call("cuDeviceGetName", {{"device", device}}, [&](Json &) {
    std::snprintf(name, static_cast<size_t>(length), "fake GPU");
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
  return call(
      "cuDeviceGetAttribute", {{"device", device}, {"attribute", int(attribute)}}, [&](Json &) {
        switch (attribute) {
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
          *value = 9;
          return CUDA_SUCCESS;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        case CU_DEVICE_ATTRIBUTE_MPS_ENABLED:
          *value = 0;
          return CUDA_SUCCESS;
        case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
          *value = static_cast<int>(fake().units);
          return CUDA_SUCCESS;
        // The rest as an H100's.
        case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
          *value = 50 << 20;
          return CUDA_SUCCESS;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
          *value = 228 << 10;
          return CUDA_SUCCESS;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
          *value = mostBlockSharedBytes;
          return CUDA_SUCCESS;
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR:
          *value = 64 << 10;
          return CUDA_SUCCESS;
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
          *value = 2048;
          return CUDA_SUCCESS;
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR:
          *value = 32;
          return CUDA_SUCCESS;
        default:
          return violation(fmt::format("cuDeviceGetAttribute: {} is not faked", int(attribute)));
        }
      });
}

CUresult fake_cuDeviceTotalMem(size_t *bytes, CUdevice device) {
  return call("cuDeviceTotalMem", {{"device", device}}, [&](Json &) {
    *bytes = fake().memoryBytes;
    return CUDA_SUCCESS;
  });
}

//===- Contexts -----------------------------------------------------------===//

CUresult fake_cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  return call("cuDevicePrimaryCtxRetain", {{"device", device}}, [&](Json &) {
    Fake &f = fake();
    ++f.primaryRetains;
    f.primary.units = ~uint64_t(0);
    *context = reinterpret_cast<CUcontext>(&f.primary);
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuDevicePrimaryCtxRelease(CUdevice device) {
  return call(
      "cuDevicePrimaryCtxRelease", {{"device", device}},
      [&](Json &) {
        Fake &f = fake();
        if (f.primaryRetains-- <= 0)
          return violation("the primary context is released more often than retained",
                           CUDA_ERROR_INVALID_CONTEXT);
        if (f.primaryRetains == 0) {
          // Whoever was last must have let go of everything.
          for (const auto &[what, count] :
               {std::pair("green contexts", f.greens.size()),
                std::pair("libraries", f.libraries.size()), std::pair("streams", f.streams.size()),
                std::pair("events", f.events.size()), std::pair("graphs", f.graphs.size()),
                std::pair("executable graphs", f.execs.size()),
                std::pair("reservations", f.reservations.size()),
                std::pair("allocations", f.allocations.size()),
                std::pair("pieces of host memory", f.hostMemory.size())})
            if (count > 0)
              (void)violation(
                  fmt::format("{} {} are left when the primary context ends", count, what));
          f.splits = 0;
        }
        return CUDA_SUCCESS;
      },
      true);
}

CUresult fake_cuCtxPushCurrent(CUcontext context) {
  return call("cuCtxPushCurrent", {}, [&](Json &) {
    if (reinterpret_cast<Context *>(context) != &fake().primary || fake().primaryRetains == 0)
      return violation("cuCtxPushCurrent: not the primary context, or not retained",
                       CUDA_ERROR_INVALID_CONTEXT);
    contextStack().push_back(reinterpret_cast<Context *>(context));
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuCtxPopCurrent(CUcontext *context) {
  return call(
      "cuCtxPopCurrent", {},
      [&](Json &) {
        if (contextStack().empty())
          return violation("cuCtxPopCurrent: no context is current", CUDA_ERROR_INVALID_CONTEXT);
        *context = reinterpret_cast<CUcontext>(contextStack().back());
        contextStack().pop_back();
        return CUDA_SUCCESS;
      },
      true);
}

CUresult fake_cuCtxGetStreamPriorityRange(int *least, int *greatest) {
  return call(
      "cuCtxGetStreamPriorityRange", {},
      [&](Json &) {
        *least = 0;
        *greatest = -5;
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuDeviceGetDevResource(CUdevice device, CUdevResource *resource,
                                     CUdevResourceType type) {
  return call("cuDeviceGetDevResource", {{"device", device}}, [&](Json &) {
    if (type != CU_DEV_RESOURCE_TYPE_SM)
      return violation("cuDeviceGetDevResource: only SMs are faked");
    std::memset(resource, 0, sizeof *resource);
    resource->type = type;
    resource->sm.smCount = fake().units;
    return CUDA_SUCCESS;
  });
}

/// Groups of a split know their number in `_internal_padding`.
uint64_t groupMask(const CUdevResource &resource) {
  uint64_t mask = 0;
  std::memcpy(&mask, resource._internal_padding, sizeof mask);
  return mask;
}

CUresult fake_cuDevSmResourceSplitByCount(CUdevResource *groups, unsigned *count,
                                          const CUdevResource *input, CUdevResource *rest,
                                          unsigned flags, unsigned minCount) {
  return call("cuDevSmResourceSplitByCount",
              {{"min", minCount}, {"flags", flags}, {"query", groups == nullptr}}, [&](Json &out) {
                Fake &f = fake();
                const unsigned each = std::max(kUnitsPerGroup, (minCount + 7) / 8 * 8);
                const unsigned most = input->sm.smCount / each;
                if (!groups) {
                  *count = most;
                  return CUDA_SUCCESS;
                }
                if (f.splits++ > 0)
                  return violation("the SMs are split twice: only groups of one split combine");
                *count = std::min(*count, most);
                out["groups"] = *count;
                for (unsigned g = 0; g < *count; ++g) {
                  groups[g] = {};
                  groups[g].type = CU_DEV_RESOURCE_TYPE_SM;
                  groups[g].sm.smCount = each;
                  const uint64_t mask = uint64_t(1) << g;
                  std::memcpy(groups[g]._internal_padding, &mask, sizeof mask);
                }
                if (rest)
                  rest->sm.smCount = input->sm.smCount - *count * each;
                return CUDA_SUCCESS;
              });
}

CUresult fake_cuDevResourceGenerateDesc(CUdevResourceDesc *description, CUdevResource *resources,
                                        unsigned count) {
  return call("cuDevResourceGenerateDesc", {{"count", count}}, [&](Json &out) {
    uint64_t mask = 0;
    for (unsigned i = 0; i < count; ++i) {
      const uint64_t bit = groupMask(resources[i]);
      if (bit == 0 || (mask & bit) != 0)
        return violation("cuDevResourceGenerateDesc: resources are not distinct groups of a split");
      mask |= bit;
    }
    out["groups"] = mask;
    Fake &f = fake();
    *description = reinterpret_cast<CUdevResourceDesc>(f.nextHandle++);
    f.descriptors[*description] = mask;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuGreenCtxCreate(CUgreenCtx *green, CUdevResourceDesc description, CUdevice device,
                               unsigned flags) {
  return call("cuGreenCtxCreate", {{"device", device}, {"flags", flags}}, [&](Json &out) {
    Fake &f = fake();
    if (flags != CU_GREEN_CTX_DEFAULT_STREAM)
      return violation("cuGreenCtxCreate: the flag for a default stream is required");
    if (!f.descriptors.count(description))
      return violation("cuGreenCtxCreate: no such descriptor", CUDA_ERROR_INVALID_HANDLE);
    auto *context = new Context{f.descriptors[description], true};
    f.greens.insert(context);
    *green = reinterpret_cast<CUgreenCtx>(context);
    out["groups"] = context->units;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuGreenCtxDestroy(CUgreenCtx green) {
  return call(
      "cuGreenCtxDestroy", {},
      [&](Json &) {
        auto *context = reinterpret_cast<Context *>(green);
        if (fake().greens.erase(context) == 0)
          return violation("cuGreenCtxDestroy: no such context", CUDA_ERROR_INVALID_CONTEXT);
        delete context;
        return CUDA_SUCCESS;
      },
      true);
}

CUresult fake_cuCtxFromGreenCtx(CUcontext *context, CUgreenCtx green) {
  return call("cuCtxFromGreenCtx", {}, [&](Json &) {
    if (!fake().greens.count(reinterpret_cast<Context *>(green)))
      return violation("cuCtxFromGreenCtx: no such context", CUDA_ERROR_INVALID_CONTEXT);
    *context = reinterpret_cast<CUcontext>(green);
    return CUDA_SUCCESS;
  });
}

//===- Kernels ------------------------------------------------------------===//

CUresult fake_cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *, void **,
                                unsigned jitOptions, CUlibraryOption *, void **,
                                unsigned libraryOptions) {
  return call(
      "cuLibraryLoadData", {},
      [&](Json &out) {
        if (!code || jitOptions != 0 || libraryOptions != 0)
          return violation("cuLibraryLoadData: no code, or options, which are not faked");
        const auto *bytes = static_cast<const char *>(code);
        auto loaded = std::make_unique<Library>();
        if (std::memcmp(bytes, "\177ELF", 4) == 0) {
          // Section headers stand at the end: e_shoff + e_shentsize * e_shnum.
          uint64_t sections = 0;
          uint16_t size = 0, count = 0;
          std::memcpy(&sections, bytes + 0x28, 8);
          std::memcpy(&size, bytes + 0x3a, 2);
          std::memcpy(&count, bytes + 0x3c, 2);
          loaded->image.assign(bytes, sections + size_t(size) * count);
          out["kind"] = "cubin";
        } else {
          loaded->image = bytes;
          out["kind"] = "PTX";
          if (loaded->image.find(".version") == std::string::npos)
            return violation("cuLibraryLoadData: neither a cubin nor PTX",
                             CUDA_ERROR_INVALID_IMAGE);
        }
        *library = reinterpret_cast<CUlibrary>(loaded.get());
        fake().libraries.insert(loaded.release());
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuLibraryUnload(CUlibrary library) {
  return call(
      "cuLibraryUnload", {},
      [&](Json &) {
        Fake &f = fake();
        auto *loaded = reinterpret_cast<Library *>(library);
        if (f.libraries.erase(loaded) == 0)
          return violation("cuLibraryUnload: no such library", CUDA_ERROR_INVALID_HANDLE);
        std::erase_if(f.loaded, [&](const auto &entry) { return entry.first.first == loaded; });
        delete loaded;
        return CUDA_SUCCESS;
      },
      true);
}

CUresult fake_cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name) {
  return call("cuLibraryGetKernel", {{"name", name}}, [&](Json &) {
    Fake &f = fake();
    auto *from = reinterpret_cast<Library *>(library);
    if (!f.libraries.count(from))
      return violation("cuLibraryGetKernel: no such library", CUDA_ERROR_INVALID_HANDLE);
    if (from->image.find(name) == std::string::npos)
      return violation(fmt::format("cuLibraryGetKernel: the library has no '{}'", name),
                       CUDA_ERROR_NOT_FOUND);
    std::string_view base = name;
    const bool isOfMembers = base.ends_with(kMembersSuffix);
    if (isOfMembers)
      base.remove_suffix(std::string_view(kMembersSuffix).size());
    const auto info = f.kernels.find(std::string(base));
    if (info == f.kernels.end() || (isOfMembers && info->second.mostMembers < 2))
      return violation(fmt::format("'{}' is not among the emulated kernels", name),
                       CUDA_ERROR_NOT_FOUND);
    auto &loaded = f.loaded[{from, name}];
    if (!loaded)
      loaded = std::make_unique<Kernel>(Kernel{from, name, &info->second, isOfMembers});
    *kernel = reinterpret_cast<CUkernel>(loaded.get());
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel handle,
                                   CUdevice) {
  return call(
      "cuKernelSetAttribute", {{"attribute", int(attribute)}, {"value", value}}, [&](Json &) {
        Fake &f = fake();
        for (auto &[key, kernel] : f.loaded) {
          if (reinterpret_cast<CUkernel>(kernel.get()) != handle)
            continue;
          if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
              value > mostBlockSharedBytes)
            return violation(fmt::format("cuKernelSetAttribute: {} bytes for '{}', of attribute {}",
                                         value, kernel->name, int(attribute)));
          kernel->mostDynamicSharedBytes = value;
          return CUDA_SUCCESS;
        }
        return violation("cuKernelSetAttribute: no such kernel", CUDA_ERROR_INVALID_HANDLE);
      });
}

//===- Memory -------------------------------------------------------------===//

CUresult fake_cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *prop,
                                            CUmemAllocationGranularity_flags) {
  return call("cuMemGetAllocationGranularity", {}, [&](Json &) {
    if (prop->type != CU_MEM_ALLOCATION_TYPE_PINNED ||
        prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
      return violation("memory that is not pinned on a device");
    *granularity = kGranularity;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuMemAddressReserve(CUdeviceptr *address, size_t bytes, size_t alignment, CUdeviceptr,
                                  unsigned long long) {
  return call("cuMemAddressReserve", {{"bytes", bytes}}, [&](Json &) {
    if (bytes == 0 || bytes % kGranularity != 0 || alignment > kGranularity)
      return violation("cuMemAddressReserve: size or alignment is no multiple of the granularity");
    // Larger by a granule, to be aligned.
    auto *raw = static_cast<char *>(::mmap(nullptr, bytes + kGranularity, PROT_NONE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (raw == MAP_FAILED)
      return CUDA_ERROR_OUT_OF_MEMORY;
    const uintptr_t begin =
        (reinterpret_cast<uintptr_t>(raw) + kGranularity - 1) / kGranularity * kGranularity;
    if (const size_t head = begin - reinterpret_cast<uintptr_t>(raw); head > 0)
      ::munmap(raw, head);
    if (const size_t tail = kGranularity - (begin - reinterpret_cast<uintptr_t>(raw)); tail > 0)
      ::munmap(reinterpret_cast<void *>(begin + bytes), tail);
    fake().reservations[begin].bytes = bytes;
    *address = begin;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuMemAddressFree(CUdeviceptr address, size_t bytes) {
  return call(
      "cuMemAddressFree", {{"bytes", bytes}},
      [&](Json &) {
        Fake &f = fake();
        const auto it = f.reservations.find(address);
        if (it == f.reservations.end() || it->second.bytes != bytes || !it->second.mapped.empty())
          return violation("cuMemAddressFree: no such reservation, or something is still mapped");
        ::munmap(reinterpret_cast<void *>(address), bytes);
        f.reservations.erase(it);
        return CUDA_SUCCESS;
      },
      true);
}

CUresult fake_cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes,
                          const CUmemAllocationProp *, unsigned long long) {
  return call("cuMemCreate", {{"bytes", bytes}}, [&](Json &) {
    Fake &f = fake();
    if (bytes == 0 || bytes % kGranularity != 0)
      return violation("cuMemCreate: size is no multiple of the granularity");
    if (f.usedBytes + bytes > f.memoryBytes)
      return CUDA_ERROR_OUT_OF_MEMORY;
    f.usedBytes += bytes;
    *handle = f.nextHandle++;
    f.allocations[*handle] = {bytes, 0};
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuMemRelease(CUmemGenericAllocationHandle handle) {
  return call(
      "cuMemRelease", {{"handle", handle}},
      [&](Json &) {
        Fake &f = fake();
        const auto it = f.allocations.find(handle);
        if (it == f.allocations.end() || it->second.second != 0)
          return violation("cuMemRelease: no such memory, or it is still mapped",
                           CUDA_ERROR_INVALID_HANDLE);
        f.usedBytes -= it->second.first;
        f.allocations.erase(it);
        return CUDA_SUCCESS;
      },
      true);
}

/// The reservation that holds [address, address + bytes), or null.
Reservation *reservationOf(CUdeviceptr address, size_t bytes) {
  Fake &f = fake();
  auto it = f.reservations.upper_bound(address);
  if (it == f.reservations.begin())
    return nullptr;
  --it;
  return address + bytes <= it->first + it->second.bytes ? &it->second : nullptr;
}

CUresult fake_cuMemMap(CUdeviceptr address, size_t bytes, size_t offset,
                       CUmemGenericAllocationHandle handle, unsigned long long) {
  return call("cuMemMap", {{"bytes", bytes}, {"handle", handle}}, [&](Json &) {
    Fake &f = fake();
    Reservation *reservation = reservationOf(address, bytes);
    const auto memory = f.allocations.find(handle);
    if (!reservation || address % kGranularity != 0)
      return violation("cuMemMap: the addresses are not reserved");
    if (memory == f.allocations.end() || offset != 0 || memory->second.first != bytes)
      return violation("cuMemMap: no such memory, or not the whole of it",
                       CUDA_ERROR_INVALID_HANDLE);
    for (const auto &[at, piece] : reservation->mapped)
      if (at < address + bytes && address < at + piece.first)
        return violation("cuMemMap: something is mapped there");
    ++memory->second.second;
    reservation->mapped[address] = {bytes, handle};
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuMemUnmap(CUdeviceptr address, size_t bytes) {
  return call(
      "cuMemUnmap", {{"bytes", bytes}},
      [&](Json &) {
        Fake &f = fake();
        Reservation *reservation = reservationOf(address, bytes);
        if (!reservation || !reservation->mapped.count(address) ||
            reservation->mapped[address].first != bytes)
          return violation("cuMemUnmap: nothing of that size is mapped there");
        for (Stream *stream : f.streams)
          if (!stream->work.empty() && f.lost == CUDA_SUCCESS)
            return violation("cuMemUnmap: while work is under way");
        --f.allocations[reservation->mapped[address].second].second;
        reservation->mapped.erase(address);
        reservation->accessible.erase(address);
        ::madvise(reinterpret_cast<void *>(address), bytes, MADV_DONTNEED);
        ::mprotect(reinterpret_cast<void *>(address), bytes, PROT_NONE);
        return CUDA_SUCCESS;
      },
      true);
}

CUresult fake_cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *access,
                             size_t count) {
  return call("cuMemSetAccess", {{"bytes", bytes}}, [&](Json &) {
    Reservation *reservation = reservationOf(address, bytes);
    if (!reservation || !reservation->mapped.count(address) ||
        reservation->mapped[address].first != bytes)
      return violation("cuMemSetAccess: nothing of that size is mapped there");
    if (count != 1 || access->flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
      return violation("cuMemSetAccess: only one reader and writer is faked");
    void *memory = reinterpret_cast<void *>(address);
    if (::mprotect(memory, bytes, PROT_READ | PROT_WRITE) != 0)
      return CUDA_ERROR_OUT_OF_MEMORY;
    std::memset(memory, kPoison, bytes);
    reservation->accessible[address] = bytes;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes) {
  return call(
      "cuMemcpyHtoD", {{"bytes", bytes}},
      [&](Json &) {
        if (!isDeviceMemory(to, bytes))
          return violation("cuMemcpyHtoD: the destination is not mapped");
        std::memcpy(reinterpret_cast<void *>(to), from, bytes);
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes) {
  return call(
      "cuMemcpyDtoH", {{"bytes", bytes}},
      [&](Json &) {
        if (!isDeviceMemory(from, bytes))
          return violation("cuMemcpyDtoH: the source is not mapped");
        if (isBeingWritten(from, bytes))
          return violation("cuMemcpyDtoH: nobody has waited for a launch that writes the source");
        std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
        return CUDA_SUCCESS;
      },
      false, true);
}

} // namespace

void *findFunction(const std::string &name) {
#define MTC_FAKE_ENTRY(function)                                                                   \
  static_assert(std::is_same_v<decltype(&::function), decltype(&fake_##function)>);                \
  if (name == #function)                                                                           \
    return reinterpret_cast<void *>(&fake_##function);
  MTC_FAKE_ENTRY(cuInit)
  MTC_FAKE_ENTRY(cuDriverGetVersion)
  MTC_FAKE_ENTRY(cuGetErrorName)
  MTC_FAKE_ENTRY(cuGetErrorString)
  MTC_FAKE_ENTRY(cuDeviceGetCount)
  MTC_FAKE_ENTRY(cuDeviceGet)
  MTC_FAKE_ENTRY(cuDeviceGetName)
  MTC_FAKE_ENTRY(cuDeviceGetAttribute)
  MTC_FAKE_ENTRY(cuDeviceTotalMem)
  MTC_FAKE_ENTRY(cuDevicePrimaryCtxRetain)
  MTC_FAKE_ENTRY(cuDevicePrimaryCtxRelease)
  MTC_FAKE_ENTRY(cuCtxPushCurrent)
  MTC_FAKE_ENTRY(cuCtxPopCurrent)
  MTC_FAKE_ENTRY(cuCtxGetStreamPriorityRange)
  MTC_FAKE_ENTRY(cuDeviceGetDevResource)
  MTC_FAKE_ENTRY(cuDevSmResourceSplitByCount)
  MTC_FAKE_ENTRY(cuDevResourceGenerateDesc)
  MTC_FAKE_ENTRY(cuGreenCtxCreate)
  MTC_FAKE_ENTRY(cuGreenCtxDestroy)
  MTC_FAKE_ENTRY(cuCtxFromGreenCtx)
  MTC_FAKE_ENTRY(cuLibraryLoadData)
  MTC_FAKE_ENTRY(cuLibraryUnload)
  MTC_FAKE_ENTRY(cuLibraryGetKernel)
  MTC_FAKE_ENTRY(cuKernelSetAttribute)
  MTC_FAKE_ENTRY(cuMemGetAllocationGranularity)
  MTC_FAKE_ENTRY(cuMemAddressReserve)
  MTC_FAKE_ENTRY(cuMemAddressFree)
  MTC_FAKE_ENTRY(cuMemCreate)
  MTC_FAKE_ENTRY(cuMemRelease)
  MTC_FAKE_ENTRY(cuMemMap)
  MTC_FAKE_ENTRY(cuMemUnmap)
  MTC_FAKE_ENTRY(cuMemSetAccess)
  MTC_FAKE_ENTRY(cuMemcpyHtoD)
  MTC_FAKE_ENTRY(cuMemcpyDtoH)
  MTC_FAKE_ENTRY(cuMemcpyDtoDAsync)
  MTC_FAKE_ENTRY(cuMemcpyDtoHAsync)
  MTC_FAKE_ENTRY(cuMemsetD32Async)
  MTC_FAKE_ENTRY(cuMemAllocHost)
  MTC_FAKE_ENTRY(cuMemFreeHost)
  MTC_FAKE_ENTRY(cuTensorMapEncodeTiled)
  MTC_FAKE_ENTRY(cuTensorMapEncodeIm2col)
  MTC_FAKE_ENTRY(cuStreamCreate)
  MTC_FAKE_ENTRY(cuStreamDestroy)
  MTC_FAKE_ENTRY(cuStreamSynchronize)
  MTC_FAKE_ENTRY(cuStreamWaitEvent)
  MTC_FAKE_ENTRY(cuEventCreate)
  MTC_FAKE_ENTRY(cuEventDestroy)
  MTC_FAKE_ENTRY(cuEventRecord)
  MTC_FAKE_ENTRY(cuEventQuery)
  MTC_FAKE_ENTRY(cuEventSynchronize)
  MTC_FAKE_ENTRY(cuEventElapsedTime)
  MTC_FAKE_ENTRY(cuGraphCreate)
  MTC_FAKE_ENTRY(cuGraphDestroy)
  MTC_FAKE_ENTRY(cuGraphAddKernelNode)
  MTC_FAKE_ENTRY(cuGraphAddMemcpyNode)
  MTC_FAKE_ENTRY(cuGraphKernelNodeSetAttribute)
  MTC_FAKE_ENTRY(cuGraphInstantiateWithFlags)
  MTC_FAKE_ENTRY(cuGraphExecDestroy)
  MTC_FAKE_ENTRY(cuGraphExecMemcpyNodeSetParams)
  MTC_FAKE_ENTRY(cuGraphNodeSetEnabled)
  MTC_FAKE_ENTRY(cuGraphUpload)
  MTC_FAKE_ENTRY(cuGraphLaunch)
#undef MTC_FAKE_ENTRY
  return nullptr;
}

} // namespace mtc::fake

#define MTC_FAKE_EXPORT extern "C" __attribute__((visibility("default")))

/// The only function that is found by its name, as the runtime asks for the others here.
MTC_FAKE_EXPORT CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version,
                                             cuuint64_t, CUdriverProcAddressQueryResult *) {
  *function = version <= CUDA_VERSION ? mtc::fake::findFunction(symbol) : nullptr;
  return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

// For tests that are in the same process.

/// Starts anew: the count of calls, what is told to fail, a lost device, violations.
MTC_FAKE_EXPORT void mtcFakeReset(int64_t failAt, int failWith, uint64_t seed) {
  mtc::fake::Fake &f = mtc::fake::fake();
  f.calls = 0;
  f.violations = 0;
  f.failAt = failAt;
  f.failWith = static_cast<CUresult>(failWith);
  f.lost = CUDA_SUCCESS;
  f.underWay.clear();
  f.random.seed(seed);
}
MTC_FAKE_EXPORT uint64_t mtcFakeCalls() { return mtc::fake::fake().calls; }
MTC_FAKE_EXPORT uint64_t mtcFakeViolations() { return mtc::fake::fake().violations; }
