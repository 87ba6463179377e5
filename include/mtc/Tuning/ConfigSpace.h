//===- ConfigSpace.h - the ways to run a kernel ---------------------------===//
//
// Every kernel has a space of configs that compute the same bits (rule R3): they differ in how
// results are cut into tiles and tiles into registers, never in the order of a sum. The space is a
// function of plain data, so that it is the same in a compiler and where a device is, and so that
// it can be tested without either. What an emitter offers beyond this (another number in its
// config) is one more list of values in ConfigSpace.cpp.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mtc {

/// A number of a config, or a list of them.
struct ConfigNumber {
  std::string name;
  std::vector<int64_t> values;
  bool isList = false;
  bool operator==(const ConfigNumber &) const = default;
};

/// What an emitter needs to know beside the kernel: its name and numbers, sorted by name.
struct Config {
  std::string emitter;
  std::vector<ConfigNumber> numbers;
  bool operator==(const Config &) const = default;

  /// The only value of a number, or `otherwise` if there is none of the name.
  int64_t get(std::string_view name, int64_t otherwise = 0) const;
};

/// "contraction lanes=16 mr=14 nv=2 rows=1 steps=4", "rows rows=[4,8]". Of a contraction these may
/// be there, too: order=1 (tiles of the same columns follow each other, else of the same rows),
/// unroll=N (products of the innermost loop that are written out), ahead=1 (what a core's own
/// caches miss is fetched ahead).
std::string printConfig(const Config &config);

/// The reverse. Fails if the text is none (InvalidInput).
StatusOr<Config> parseConfig(std::string_view text);

/// A contraction as its tiles see it; see Contraction in Codegen/Host for what the loops are.
struct ContractionShape {
  int64_t batch = 1; ///< indices of outer loops along which the vector operand varies
  int64_t rows = 1;  ///< indices of the other outer loops
  int64_t m = 1;     ///< of the loop that becomes the rows of a register tile
  int64_t n = 1;     ///< of the loop that becomes vectors
  int64_t depth = 1; ///< products of an element
  int64_t inner = 1; ///< trips of the innermost loop over them, if their number is fixed; else 1
  int64_t panel = 0; ///< > 0: the vector operand lies in panels of this width
  int64_t accumulatorBytes = 4;
  int64_t operandBytes = 4;   ///< of an element that is multiplied
  int64_t vectorsPerLoad = 1; ///< registers that a loaded vector takes
  double operations = 1;      ///< for a vector of products
  bool packs = false;         ///< a tile copies its panel first
  bool vectorRows = false;    ///< both operands are loaded as vectors (depthwise, pooling)
  bool isWidened = false;     ///< the panel's numbers are narrower than their products
  bool readsInPlace = false;  ///< of four vectors one may stay in memory
  bool mayFetchAhead = false; ///< panels or results are there that a core's own caches miss
};

/// Independent rows, in segments that run one after the other.
struct RowsShape {
  struct Segment {
    int64_t rows = 1;
    int64_t bytes = 1; ///< read and written for a row
  };
  std::vector<Segment> segments;
};

/// A 3x3 or 2x2 convolution by minimal filtering, see Winograd in Codegen/Host.
struct WinogradShape {
  int64_t tiles = 1;      ///< of 4x4 results
  int64_t channels = 1;   ///< of the input
  int64_t panel = 16;     ///< results side by side
  int64_t positions = 36; ///< of an input tile: as many products of matrices
  int64_t groups = 1;     ///< panels
};

/// A contraction by products of tiles of 16 x 32 by 32 x 16, see MatrixTiles in Codegen/Host.
struct MatrixShape {
  int64_t positions = 1; ///< rows of results
  int64_t columns = 1;   ///< of the weight
  int64_t depth = 32;    ///< products of an element, a multiple of 32
  int64_t parts = 3;     ///< of the weight's numbers, 1 to 3
  int64_t vectors = 1;   ///< of 16 numbers, gathered for a row

  /// Products of a row's and a weight's parts that count.
  int64_t products() const { return parts == 3 ? 6 : parts == 2 ? 5 : 3; }
};

/// A kernel as plain data; std::monostate: one config only.
using KernelShape =
    std::variant<std::monostate, ContractionShape, RowsShape, WinogradShape, MatrixShape>;

/// The registers and cores that configs are made for.
struct CoreShape {
  int64_t vectorBytes = 64;
  int64_t vectorRegisters = 32;
  int64_t cores = 1;
  /// Contractions fetch ahead what may be, unless another config is tried.
  bool fetchesAhead = false;
};

/// Verifies that a shape can be cut. Fails if a number is not positive, a panel is negative or no
/// multiple of the vectors, or there are no segments (InvalidInput).
Status check(const KernelShape &shape, const CoreShape &core);

/// Verifies that `config` is in the space: every number is there and positive, register tiles fit
/// the registers and panels, blocks are not larger than what they cut. Fails with InvalidInput.
Status verify(const KernelShape &shape, const CoreShape &core, const Config &config);

/// The space of a checked shape: each config once, in an order that follows from the shape.
///
/// Complexity: some hundred configs for a contraction, below ten for others.
std::vector<Config> configSpace(const KernelShape &shape, const CoreShape &core);

/// Modelled time of a config in cycles of a core on `granules` cores: arithmetic, loads from the
/// caches that tiles fit into, fixed costs of tiles and idle cores at the end. It ranks the configs
/// of one kernel; as a time it is wrong by factors.
double modelledCycles(const KernelShape &shape, const CoreShape &core, const Config &config,
                      int32_t granules);

} // namespace mtc
