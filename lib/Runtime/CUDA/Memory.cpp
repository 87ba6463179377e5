//===- Memory.cpp - reserve, create, map, give access ---------------------===//
#include "Memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace mtc::gpu {

/// What generated kernels and vector accesses want; a wider alignment costs nothing here.
static constexpr int64_t kDeviceAlignment = 256;

static size_t roundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

GuardedRange::~GuardedRange() {
  const Driver &cu = gpu_.driver();
  for (const Piece &piece : pieces_) {
    cu.cuMemUnmap(address_ + piece.offset, piece.bytes);
    cu.cuMemRelease(piece.handle);
  }
  if (reservation_)
    cu.cuMemAddressFree(reservation_, reserved_);
}

Status GuardedRange::grow(int64_t bytes) {
  const Driver &cu = gpu_.driver();
  const auto wanted = static_cast<size_t>(std::max<int64_t>(bytes, 1));
  if (wanted <= mapped_)
    return okStatus();
  CUmemAllocationProp properties = {};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, gpu_.device()};
  if (granularity_ == 0)
    MTC_CU(cu, cuMemGetAllocationGranularity, &granularity_, &properties,
           CU_MEM_ALLOC_GRANULARITY_MINIMUM);
  const size_t whole = roundUp(gpu_.memoryBytes(), granularity_);
  if (wanted > whole)
    return internalError(
        fmt::format("needs {} bytes of device memory, there are {}", wanted, gpu_.memoryBytes()));
  if (!reservation_) {
    // A gap before the range; the next one's gap lies behind it.
    reserved_ = whole + 2 * granularity_;
    MTC_CU(cu, cuMemAddressReserve, &reservation_, reserved_, granularity_, 0, 0);
    address_ = reservation_ + granularity_;
  }
  Piece piece = {mapped_, roundUp(wanted, granularity_) - mapped_, 0};
  MTC_CU(cu, cuMemCreate, &piece.handle, piece.bytes, &properties, 0);
  const CUdeviceptr at = address_ + piece.offset;
  if (Status status = cu.check(cu.cuMemMap(at, piece.bytes, 0, piece.handle, 0), "cuMemMap");
      !status.ok()) {
    cu.cuMemRelease(piece.handle);
    return status;
  }
  pieces_.push_back(piece);
  CUmemAccessDesc access = {};
  access.location = properties.location;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  if (Status status = cu.check(cu.cuMemSetAccess(at, piece.bytes, &access, 1), "cuMemSetAccess");
      !status.ok()) {
    cu.cuMemUnmap(at, piece.bytes);
    cu.cuMemRelease(piece.handle);
    pieces_.pop_back();
    return status;
  }
  mapped_ += piece.bytes;
  return okStatus();
}

StatusOr<CUdeviceptr> DeviceMemory::reserve(const std::string &key, int64_t bytes) {
  GuardedRange &range = ranges_.try_emplace(key, gpu_).first->second;
  MTC_RETURN_IF_ERROR(range.grow(bytes).withContext("memory of " + key));
  return range.address();
}

int64_t DeviceMemory::mappedBytes() const {
  int64_t sum = 0;
  for (const auto &[key, range] : ranges_)
    sum += range.mappedBytes();
  return sum;
}

StatusOr<CUdeviceptr> DeviceWeights::upload(int32_t weight) {
  const auto info = bundle_.weightInfo(static_cast<size_t>(weight));
  const std::pair<uint64_t, uint64_t> place(info.offset, info.bytes);
  if (auto known = places_.find(place); known != places_.end())
    return range_.address() + static_cast<CUdeviceptr>(known->second);
  MTC_ASSIGN_OR_RETURN(const auto bytes, bundle_.weight(static_cast<size_t>(weight)));
  const int64_t offset = used_;
  const auto size = static_cast<int64_t>(bytes.size());
  const Status grown = range_.grow(offset + size);
  MTC_RETURN_IF_ERROR(grown.withContext(fmt::format("weight '{}'", info.name)));
  const CUdeviceptr address = range_.address() + static_cast<CUdeviceptr>(offset);
  if (size > 0)
    MTC_CU(gpu_.driver(), cuMemcpyHtoD, address, bytes.data(), bytes.size());
  used_ = static_cast<int64_t>(roundUp(static_cast<size_t>(offset + size), kDeviceAlignment));
  places_[place] = offset;
  return address;
}

} // namespace mtc::gpu
