//===- Import.h - ONNX files into the model phase -------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Import/ONNX/InputValue.h"
#include "mtc/Support/Status.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace mtc {

/// Fixed shapes of one entry. `shapes` gives whole shapes of inputs by name, `dims` values of
/// symbolic dimensions (dim_param) of the model, `values` inputs whose values are known: they stay
/// inputs of the entry (its argument has the attribute `mt.value`), but are constants to the model.
/// A sequence `x` has as many elements as there are shapes of "x/0", "x/1", ...; its elements are
/// inputs of these names.
struct EntryBinding {
  std::string name; ///< of the entry, e.g. "n1"
  std::map<std::string, std::vector<int64_t>> shapes;
  std::map<std::string, int64_t> dims;
  std::set<std::string> absent; ///< sequences without elements, optionals that hold nothing
  std::map<std::string, InputValue> values;
  /// Inputs that callers may give smaller, and the element that fills them: becomes `mt.pad`. Dims
  /// of outputs that the model names (dim_param) like a dim of such an input get `mt.follows`.
  std::map<std::string, InputValue> pad;
};

struct ImportRequest {
  std::string tenant;                ///< becomes the mt.tenant's name
  std::string path;                  ///< the ONNX file
  std::vector<EntryBinding> entries; ///< at least one
};

/// Caps against hostile files (facts: reliability); all are flags of mtc.
struct ImportLimits {
  int64_t maxNodes = 1'000'000; ///< after function expansion, counted before inlining
  int maxNesting = 32;
  int64_t maxSubgraphs = 10'000; ///< of a file
  int maxRank = 16;
  int64_t maxElements = int64_t(1) << 40;
  int64_t maxFoldedBytes = int64_t(64) << 20;
  int64_t maxParsedBytes = int64_t(64) << 20; ///< of the model in memory, beyond twice its file
  int64_t maxTrips = 100'000; ///< of all loops of a task at run time: one more fails the request
  int64_t maxUnrolledNodes = 4096; ///< of an entry, out of loops; what is longer runs as a loop
};

/// A node that cannot be compiled.
struct UnsupportedNode {
  std::string tenant, node, op; ///< op with its domain when it is not ai.onnx
  int64_t opset = 0;
  std::string reason;
  /// Inputs without a value on which the node's shapes or parameters depend: it may compile once
  /// EntryBinding::values has them. Empty if no such input could help.
  std::vector<std::string> wantedValues;
};

/// Adds the model as an mt.tenant with its entries and weights to `program` (an mt.program in the
/// model phase).
///
/// Fails if the file is missing, not ONNX, cut short or invalid (InvalidInput); names external data
/// that is not a plain file below the model's folder (InvalidInput); leaves input dimensions
/// unbound (InvalidInput; all at once, one a line: `det: input 'x' dim 0 'N' unbound; add --dim
/// det/N=1`); passes a cap (InvalidInput); or has nodes that cannot be compiled (Unsupported; then
/// `unsupported` holds all of them and the message has a line for each, and one for each input
/// whose value would help: `det: input 'axes' i64[1] decides what is computed; ...; add --value
/// det/axes=VALUES`).
Status importModel(mt::ProgramOp program, const ImportRequest &request, const ImportLimits &limits,
                   std::vector<UnsupportedNode> &unsupported);

/// The operators that have a handler, as a Markdown table sorted by domain and name. Operators that
/// ONNX defines by a function body of these compile, too, and shape subgraphs are folded whatever
/// they are made of.
std::string operatorTable();

} // namespace mtc
