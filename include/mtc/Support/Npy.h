//===- Npy.h - tensors in numpy's .npy files ------------------------------===//
//
// Little-endian, C-order arrays of the element types that mtc knows: what numpy.save writes and
// numpy.load reads. Types that numpy does not know, of one byte an element, are stored as u8 or i8
// (ElementTypeInfo::storage) and read as that; so are arrays of ml_dtypes. Source:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/ElementType.h"

#include <string>
#include <vector>

namespace mtc {

struct NpyArray {
  ElementType type = ElementType::F32;
  std::vector<int64_t> shape; ///< empty for a scalar
  std::vector<uint8_t> bytes; ///< row-major elements, exactly as many as the shape says
};

/// Reads a .npy file of format version 1 or 2.
///
/// Fails if it cannot be read, or is no array that mtc can use; the message names the path and what
/// was wrong: not an .npy file, cut short, Fortran order, big-endian, an element type without
/// equivalent.
StatusOr<NpyArray> readNpy(const std::string &path);

/// As readNpy for bytes in memory; `name` stands for the path in messages.
StatusOr<NpyArray> parseNpy(std::span<const uint8_t> bytes, const std::string &name);

/// The file content for an array: a version 1 header padded to 64 bytes, then the elements.
///
/// Fails if `elements` has not the size that type and shape ask for (Internal).
StatusOr<std::vector<uint8_t>> formatNpy(ElementType type, std::span<const int64_t> shape,
                                         std::span<const uint8_t> elements);

/// Writes an .npy file through AtomicFile.
///
/// Fails as formatNpy and AtomicFile do.
Status writeNpy(const std::string &path, ElementType type, std::span<const int64_t> shape,
                std::span<const uint8_t> elements);

} // namespace mtc
