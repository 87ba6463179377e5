//===- Tensors.h - inputs from files and fills, outputs against references ===//
#pragma once

#include "mtc/Runtime/Session.h"
#include "mtc/Support/Npy.h"

#include <optional>
#include <string>
#include <vector>

namespace mtc::tool {

/// "[T/]x=@FILE": the tensor's name as written and the file.
struct TensorFile {
  std::string name, file;
};

/// Splits at the first "=@": a tensor's name may hold any character.
/// Fails if there is none (InvalidInput).
StatusOr<TensorFile> parseTensorFile(const std::string &text);

/// A tensor of one of the requests.
struct TensorPlace {
  size_t request = 0;
  int32_t index = 0;
};

/// Which tensor `name` means. `T/x` names a tenant only if T is the tenant of one of the requests,
/// and never if `single` (--tenant). Without a tenant it must be the name of exactly one of their
/// tensors. Fails if it is none or several (InvalidInput; lists the known ones).
StatusOr<TensorPlace> findPlace(const std::vector<std::unique_ptr<Request>> &requests,
                                const std::string &name, bool isInput, bool single);

/// Reads an .npy file for a tensor; one for a padded input may be smaller, and so may one for an
/// output whose size depends on data or on such an input.
/// A type that numpy does not know is read from an array of its bytes.
/// Fails if the file cannot be used, or type or shape are not the tensor's (InvalidInput).
StatusOr<NpyArray> readTensor(const std::string &file, const Tensor &tensor);
/// Makes of an array read from `file` what readTensor would give.
Status fitTensor(NpyArray &array, const std::string &file, const Tensor &tensor);

/// An output of a request as its last run left it: less of it where its size depends on data.
StatusOr<Tensor> outputOf(const Request &request, const Tensor &tensor);

/// What --fill says.
struct Fill {
  bool zeros = false;
  uint64_t seed = 0;
};
/// "zeros" or "seed:N".
StatusOr<Fill> parseFill(const std::string &text);

/// Fills a tensor: floats uniform in [-1, 1), integers in [0, 100) or what they have of it, bool 0
/// or 1; the same values for the same seed, tenant and name whatever else is filled.
Status fillTensor(const Fill &fill, const std::string &tenant, const Tensor &tensor, void *data);

/// How far values are from a reference. Equal infinities and NaN in both are no difference.
struct Difference {
  double relNorm = 0;   ///< norm of the difference over norm of the reference
  double maxAbs = 0;    ///< largest difference of an element
  int64_t maxIndex = 0; ///< where it is
  double got = 0, wanted = 0;
  double worstExcess =
      0; ///< largest |got - wanted| - (atol + rtol |wanted|), above 0: out of bounds
  int64_t worstIndex = -1; ///< where that is, -1: nowhere
};

struct Tolerance {
  std::optional<double> relNorm, rtol, atol;
  /// 1e-4 in the norm if nothing is asked for.
  void setDefaults();
};

/// Both hold values of `type`. Accumulates in double.
Difference difference(ElementType type, std::span<const uint8_t> got,
                      std::span<const uint8_t> wanted, const Tolerance &tolerance);

/// "" if within tolerance, else "rel-norm 3.1e-02 above 1e-04, largest error 0.7 at [0,3] (got 1,
/// wanted 0.3)".
std::string describeMismatch(const Difference &d, const Tolerance &tolerance,
                             const std::vector<int64_t> &shape);

} // namespace mtc::tool
