//===- Passes.td - passes of the host code generator -----------*- tablegen -*-===//

#ifndef MTC_CODEGEN_HOST_PASSES_TD
#define MTC_CODEGEN_HOST_PASSES_TD

include "mlir/Pass/PassBase.td"

def TuneKernels : Pass<"mt-tune-kernels", "::mtc::mt::ProgramOp"> {
  let summary = "give every kernel its variants: config, tiles, scratch and modelled times";
  let description = [{
    Chooses a config per kernel for the host target and prices it by a roofline. Replaces variants that a
    kernel has. The config's `numerics` order is the same in all variants (rule R3).
  }];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"\"\"",
           "host target; default: the program's own">,
    Option<"plain", "plain", "bool", /*default=*/"false", "plain loops for every kernel (-O0)">,
  ];
}

def JoinMoves : Pass<"mt-join-moves", "::mtc::mt::ProgramOp"> {
  let summary = "read what is padded, concatenated, sliced or transposed where it lies";
  let description = [{
    A task that only moves disappears where all tasks that read its result can do without: its kernel's body comes before theirs. The
    emitter of contractions and pooling skips padding and reads the operands of a concatenation one after the other along a sum;
    elementwise kernels read slices, other moves slices and transpositions, by strides. Values do not change by a bit: the order of
    all sums stays. Other readers of the result, such as an entry's outputs, keep the task.
  }];
  let options = [
    Option<"pads", "pads", "bool", /*default=*/"true", "join padding">,
    Option<"concatenations", "concatenations", "bool", /*default=*/"true", "join concatenations">,
    Option<"views", "views", "bool", /*default=*/"true", "join slices and transpositions">,
  ];
  let statistics = [Statistic<"joined", "tasks-joined", "moves that their readers do without">];
}

def EmitKernels : Pass<"mt-emit-kernels", "::mlir::ModuleOp"> {
  let summary = "replace the module's programs by the body functions of their kernels' first variants";
  let description = [{
    For tests: shows what the host emitters write, before it is lowered. Functions are named KERNEL.body.
  }];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"\"\"",
           "host target; default: the program's own">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
    "::mlir::LLVM::LLVMDialect"];
}

#endif
