//===- WarpGroup.cpp - what four warps do together ------------------------===//
#include "WarpGroup.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mtc::emulator {

static constexpr int64_t groupRows = 64;

bool GroupCall::isSame(const GroupCall &other) const {
  return kind == other.kind && columns == other.columns && a == other.a && b == other.b &&
         layout == other.layout && isChecked == other.isChecked;
}

/// Matrix descriptor format (9.7.15.5.1.2.2): fields of 14 bits in units of 16 bytes.
DescribedMatrix::DescribedMatrix(uint64_t descriptor, int64_t elementBytes, bool isTransposed)
    : elementBytes(elementBytes), isTransposed(isTransposed) {
  auto field = [&](int low) { return int64_t(descriptor >> low & 0x3FFF) * 16; };
  start = field(0);
  leading = field(16);
  stride = field(32);
  base = int64_t(descriptor >> 49 & 7);
  static constexpr int64_t chunksOf[] = {1, 8, 4, 2};
  chunks = chunksOf[descriptor >> 62];
}

/// The canonical layouts (9.7.15.5.1.2.1.3), in bytes and before the swizzle:
///   terms side by side: ((8, m), (T, 2k)) : ((16 chunks, stride), (1, 16)), without a swizzle 16
///   is the leading offset;
///   else ((T, chunks, m), (8, k)) : ((1, 16, leading), (16 chunks, stride)), without a swizzle
///   with leading and stride exchanged.
/// The swizzle xors the chunk's number in a row of 128 bytes with that of the row, modulo the
/// chunks of the pattern.
int64_t DescribedMatrix::offsetOf(int64_t across, int64_t term) const {
  const int64_t perChunk = 16 / elementBytes;
  int64_t at = start;
  if (!isTransposed) {
    at += across % 8 * 16 * chunks + across / 8 * stride;
    at += term % perChunk * elementBytes + term / perChunk * (chunks == 1 ? leading : 16);
  } else {
    const int64_t chunk = across / perChunk;
    at += across % perChunk * elementBytes + chunk % chunks * 16;
    at += chunk / chunks * (chunks == 1 ? stride : leading);
    at += term % 8 * 16 * chunks + term / 8 * (chunks == 1 ? leading : stride);
  }
  return at ^ ((at >> 7 & (chunks - 1)) << 4);
}

const char *DescribedMatrix::check() const {
  if (base != 0)
    return "has a descriptor with a base offset, which is not emulated";
  if (isTransposed && elementBytes != 2)
    return "transposes a matrix of other than 16 bits";
  return nullptr;
}

GroupProduct::GroupProduct(const GroupCall &call)
    : call(call), format(formatOf(call.kind)), a(call.a, format.bits / 8, (call.layout & 1) != 0),
      b(call.b, format.bits / 8, (call.layout & 2) != 0) {}

/// Shapes of 9.7.15.2: 8 to 256 columns; of bytes multiples of 16 above 32.
const char *GroupProduct::check(int64_t sharedBytes) const {
  const int64_t n = call.columns, multiple = format.bits == 8 && n > 32 ? 16 : 8;
  if (n < 8 || n > 256 || n % multiple != 0)
    return "has no number of columns of a wgmma";
  for (const DescribedMatrix *matrix : {&a, &b})
    if (const char *wrong = matrix->check())
      return wrong;
  for (const Bytes &part : parts())
    if (part.offset + part.bytes > sharedBytes)
      return "reads a matrix out of bounds of shared memory";
  return nullptr;
}

std::vector<Bytes> GroupProduct::parts() const {
  std::vector<Bytes> result;
  auto add = [&](const DescribedMatrix &matrix, int64_t width) {
    std::vector<int64_t> places;
    for (int64_t term = 0; term < format.terms(); ++term)
      for (int64_t across = 0; across < width; ++across)
        places.push_back(matrix.offsetOf(across, term) / 16);
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    for (int64_t place : places)
      result.push_back({16 * place, 16, static_cast<int32_t>(matrix.chunksOfRow())});
  };
  add(a, groupRows);
  add(b, call.columns);
  return result;
}

/// Fragments of D (9.7.15.5.1.1): with warp w of the group, group = lane / 4 and t = lane % 4,
/// register 4 j + 2 h + e holds row 16 w + group + 8 h, column 8 j + 2 t + e. As in a warp's
/// product, sums are exact to a double and rounded once.
const char *GroupProduct::multiply(const unsigned char *shared,
                                   std::span<int32_t *const> sums) const {
  bool isRounded = true;
  const int64_t terms = format.terms(), n = call.columns;
  const bool isInteger = format.bits == 8;
  auto read = [&](const DescribedMatrix &matrix, int64_t across, int64_t term, bool isUnsigned) {
    uint32_t bits = 0;
    std::memcpy(&bits, shared + matrix.offsetOf(across, term), format.bits / 8);
    isRounded &= isRoundedElement(call.kind, bits);
    return elementOf(call.kind, bits, 0, isUnsigned);
  };
  std::vector<double> columns(terms * n), row(n);
  for (int64_t k = 0; k < terms; ++k)
    for (int64_t column = 0; column < n; ++column)
      columns[k * n + column] = read(b, column, k, isUnsignedB(call.kind));
  for (int64_t r = 0; r < groupRows; ++r) {
    std::fill(row.begin(), row.end(), 0);
    for (int64_t k = 0; k < terms; ++k) {
      const double factor = read(a, r, k, isUnsignedA(call.kind));
      for (int64_t column = 0; column < n; ++column)
        row[column] += factor * columns[k * n + column];
    }
    for (int64_t column = 0; column < n; ++column) {
      const int64_t lane = r % 8 * 4 + column % 8 / 2;
      int32_t &sum = sums[r / 16 * warpThreads + lane][column / 8 * 4 + r / 8 % 2 * 2 + column % 2];
      sum = isInteger ? int32_t(uint32_t(sum) + uint32_t(int32_t(row[column])))
                      : std::bit_cast<int32_t>(float(std::bit_cast<float>(sum) + row[column]));
    }
  }
  return isRounded ? nullptr : "multiplies a number that was not rounded to tf32";
}

} // namespace mtc::emulator
