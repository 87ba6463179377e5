//===- Phases.h - the phases of the compiler ------------------------------===//
//
// One phase = one `--emit` name = one function here, called in this order by compileSet. A phase
// takes what the one before it left in the Compilation and adds its own.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Online.h"
#include "mtc/Codegen/CUDA/CudaTarget.h"
#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Import/ONNX/Import.h"
#include "mtc/Pipelines/Compile.h"
#include "mtc/Planning/Plan.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <variant>

namespace mtc {

/// A resolved target of any kind.
using AnyTarget = std::variant<host::HostTarget, cuda::CudaTarget>;

/// Resolves "host..." or "cuda:...". Fails as the resolvers of the kinds do; what is of no kind
/// names them (InvalidInput).
StatusOr<AnyTarget> resolveTarget(const std::string &text);

/// A set on its way to one target.
struct TargetCompilation {
  AnyTarget target;
  std::string name;                         ///< resolved
  mlir::OwningOpRef<mlir::ModuleOp> module; ///< holds one mt.program
  Problem problem;                          ///< from the problem phase on
  int32_t firstWeight = 0; ///< the bundle's weights hold those of all targets, one after the other
  std::vector<Schedule> schedules;
  std::vector<Plan> plans; ///< of the schedules, by position
  std::string verdict;     ///< whether the set fits; empty: no tenant has a rate or an SLO
  std::optional<VerdictTable> verdictTable; ///< the same for who decides at run time
  TuningSummary tuning;                     ///< from the tuned phase on
};

/// A set on its way to a bundle. The model phase is common; from the tasks phase on there is a
/// program per target.
struct Compilation {
  SetSpec set;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> model;
  std::vector<TargetCompilation> targets;
  std::vector<UnsupportedNode> unsupported; ///< what buildModel could not compile
  std::vector<std::string> warnings;        ///< of the phases so far, for who compiles
  std::vector<std::string> notes;           ///< the same, for who wants to know more
  std::string tuningDevice;                 ///< whose shipped times were taken; empty: none were

  /// Resolves the set's targets. Fails if one is malformed or given twice, or a tenant asks for a
  /// precision that a target does not have.
  static StatusOr<std::unique_ptr<Compilation>> create(SetSpec set);

private:
  Compilation() : context(mlir::MLIRContext::Threading::DISABLED) {}
};

/// Imports every model of the set. All unsupported nodes and unbound dimensions of all models are
/// in one message.
Status buildModel(Compilation &compilation, const CompileOptions &options);

/// Forms kernels and tasks, for each target on its own: fusion, layout and packing; without them at
/// -O0.
Status formTasks(Compilation &compilation, const CompileOptions &options);

/// Gives every kernel its variants with times: measured ones from the tuning database, if one is
/// given and knows the kernel on the device.
Status tuneKernels(Compilation &compilation, const CompileOptions &options);

/// What is to be scheduled, as plain data.
Status exportProblems(Compilation &compilation, const CompileOptions &options);

/// Schedules a round of all tenants, and every entry alone at each share.
Status scheduleTasks(Compilation &compilation, const CompileOptions &options);

/// Lays out memory and commands of every schedule; proves them.
Status makePlans(Compilation &compilation, const CompileOptions &options);

/// Compiles the kernels, evaluates the weights and writes the file at `path`.
Status writeBundle(Compilation &compilation, const CompileOptions &options, const std::string &path,
                   const Log &log);

/// The text of a phase that was reached, of all targets one after the other.
std::string printPhase(Compilation &compilation, Phase phase);

} // namespace mtc
