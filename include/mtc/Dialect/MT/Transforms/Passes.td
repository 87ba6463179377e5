//===- Passes.td - the passes of the mt dialect ----------------*- tablegen -*-===//

#ifndef MTC_DIALECT_MT_TRANSFORMS_PASSES_TD
#define MTC_DIALECT_MT_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// From the model phase to tasks, in the order of the pipeline
//===----------------------------------------------------------------------===//

class MT_ProgramPass<string name> : Pass<name, "::mtc::mt::ProgramOp">;

def UnrollRecurrences : MT_ProgramPass<"mt-unroll-recurrences"> {
  let summary = "write the steps of recurrences one after the other";
  let description = [{
    For targets that have no emitter for recurrences; fails on more than 256 steps. With `least-codes` only those of at most 256 steps
    whose products of codes have weights too large for the caches of one core: those are better split over cores step by step.
  }];
  let options = [Option<"leastCodes", "least-codes", "int64_t", /*default=*/"0",
      "only where a step multiplies by at least so many codes of weights; 0: all">];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def NarrowContractions : MT_ProgramPass<"mt-narrow-contractions"> {
  let summary = "multiply 8-bit codes instead of the numbers they stand for";
  let description = [{
    A contraction of two operands that are codes of 8 bits minus a zero point, times a scale, becomes one of the codes in i32; zero
    points and scales are applied to its result. Integer results stay equal, bit for bit. Steps of recurrences are rewritten, too; what
    depends on weights alone moves before the recurrence.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def FoldWeights : MT_ProgramPass<"mt-fold-weights"> {
  let summary = "turn computations on weights alone into derived weights";
  let description = [{
    Expressions over weights and scalar constants are evaluated once when the bundle is written. A result of more than
    1 MiB and more than four times its sources stays in the program.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def FoldScales : MT_ProgramPass<"mt-fold-scales"> {
  let summary = "fold per-channel factors into the weights of contractions";
  let description = [{
    A chain of per-channel multiplications and additions behind a contraction (bias, batch normalization) becomes a
    scaled weight and one addition.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def PropagateLayout : MT_ProgramPass<"mt-propagate-layout"> {
  let summary = "store tensors channels last and absorb transposes";
  let description = [{
    Each value gets a physical order of its dims; maps and types of structured ops follow, weights are permuted when
    compiling. linalg.transpose stays only where bytes have to move.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def FuseElementwise : MT_ProgramPass<"mt-fuse-elementwise"> {
  let summary = "merge elementwise ops with their consumers";
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
      "::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect"];
}

def GatherOneHots : MT_ProgramPass<"mt-gather-one-hots"> {
  let summary = "look rows of a weight up instead of multiplying it with one-hot rows";
  let description = [{
    A product of f32 whose one factor compares numbers with 0, 1, 2, ... and whose other one is a finite weight copies rows of it;
    numbers without a row give zeros. The elementwise op behind it reads the rows itself. Weights that cannot be read stay factors.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def NarrowWeights : MT_ProgramPass<"mt-narrow-weights"> {
  let summary = "read weights as narrow as the model has them";
  let description = [{
    A weight of at least 4 KiB that was widened from f16, bf16 or codes of 8 bits, and is used only by products without a window and by
    look-ups, is stored narrow again. Products and look-ups widen what they read; zero points that differ are subtracted in codes of 16
    bits; scales multiply the sums, or the numbers looked up. Weights whose scale varies along a sum stay wide.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def FormTasks : MT_ProgramPass<"mt-form-tasks"> {
  let summary = "outline groups of ops into kernels and replace them by tasks";
  let description = [{
    A kernel is a contraction with its padding and epilogue, a chain of row operations, an elementwise op or a move.
    With `fuse=false` every op is a kernel of its own: the reference mode.
  }];
  let options = [Option<"fuse", "fuse", "bool", /*default=*/"true", "several ops in one kernel">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def FuseAttention : MT_ProgramPass<"mt-fuse-attention"> {
  let summary = "compute products, softmax and products of an attention in one kernel";
  let description = [{
    Three tasks that nobody else reads between - scores of f32 with their scale and mask, softmax over the keys, products with the
    values - become one kernel of kind `attention`, in which the division by the sum comes last. Not where more than a third of
    the lanes that hold queries would be idle, or the scores of a vector of queries take more than 256 KiB. `numerics` of the kernel
    changes with it. A query whose scores are all -inf gives 0, where softmax does, also if values are infinite.
  }];
  let options = [Option<"lanes", "lanes", "int64_t", /*default=*/"16", "elements of a vector register">];
  let statistics = [Statistic<"fused", "attentions-fused", "attentions that became one task">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def UseWinograd : MT_ProgramPass<"mt-use-winograd"> {
  let summary = "compute 3x3 and 2x2 convolutions of stride 1 by minimal filtering F(4x4, 3x3), F(4x4, 2x2)";
  let description = [{
    A kernel that convolves channels-last data with a 3x3 or 2x2 weight, without strides, dilation or groups, becomes transforms of
    tiles and 36 or 25 matrix products, where the modelled cost is lower; its weight becomes [F / nr][6][6][C][nr] or [F / nr][5][5][C][nr],
    transformed when the bundle is written; nr is one or two vectors, or one or three of half as many lanes. `numerics` of the kernel changes with it.
  }];
  let options = [
    Option<"lanes", "lanes", "int64_t", /*default=*/"16", "elements of a vector register">,
    Option<"farByte", "far-byte", "double", /*default=*/"0", "operations of a core while a byte of weights comes from beyond its own caches">,
    Option<"directCost", "direct-cost", "double", /*default=*/"1", "what a direct product of many channels costs where mt-split-products follows, of one on vectors">,
  ];
  let statistics = [Statistic<"rewritten", "kernels-rewritten", "convolutions computed so">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def SplitProducts : MT_ProgramPass<"mt-split-products"> {
  let summary = "compute products of f32 by a weight as products of bf16";
  let description = [{
    For cores that multiply whole tiles of bf16. A kernel's only contraction by a weight, where activations lie along a sum, gets the
    weight in parts of bf16 - three of f32, two of f16, one of bf16 and of bytes - as [N / 16][part][K / 2][16][2], padded with 0 to
    whole tiles of 16 columns and 32 products, where the modelled cost is lower. The kernel begins by joining them. `numerics` of the
    kernel changes with it: what is left out of a product is below 2^-26 of it. An infinite factor gives NaN.
  }];
  let options = [
    Option<"farByte", "far-byte", "double", /*default=*/"0", "operations of a core while a byte of weights comes from beyond its own caches">,
  ];
  let statistics = [Statistic<"rewritten", "kernels-rewritten", "contractions computed so">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def PackWeights : MT_ProgramPass<"mt-pack-weights"> {
  let summary = "store the weights of contractions in panels";
  let description = [{
    A weight [N, K...] or [K..., N] becomes [N / nr][K...][nr], padded with 0; nr is two vectors, or one for narrow results.
    Bytes that are multiplied by bytes of the other sign get [N / nr][K / 4...][nr][4] along the reduction in which the
    other operand is contiguous.
  }];
  let options = [Option<"lanes", "lanes", "int64_t", /*default=*/"16", "elements of a vector register">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

//===----------------------------------------------------------------------===//
// Weights, sharing and schedules
//===----------------------------------------------------------------------===//

def EvaluateWeights : MT_ProgramPass<"mt-evaluate-weights"> {
  let summary = "replace small derived weights by their values";
  let description = [{
    A derived weight of at most 64 KiB gets the form `value`. It shows in text what an expression computes; the pipeline does not
    need it, since the bundle's writer evaluates all derived weights. Fails if a weight cannot be evaluated.
  }];
}

def ShareKernels : MT_ProgramPass<"mt-share-kernels"> {
  let summary = "merge equal kernels of all tenants and erase unused ones";
  let description = [{
    Kernels are equal when their bodies, types and attributes are, apart from names and locations. The first of equal kernels
    stays, under its name.
  }];
  let statistics = [Statistic<"merged", "kernels-merged", "kernels replaced by an equal one">,
                    Statistic<"erased", "kernels-erased", "kernels without uses">];
}

def ShareWeights : MT_ProgramPass<"mt-share-weights"> {
  let summary = "merge equal weights of all tenants and erase unused ones";
  let description = [{
    Weights are equal when their types and hashes are; derived weights when their expressions and, after merging, their sources
    are. Only weights that may be equal are read. A weight whose file cannot be read is left alone. The first of
    equal weights stays, under its name.
  }];
  let statistics = [Statistic<"merged", "weights-merged", "weights replaced by an equal one">,
                    Statistic<"erased", "weights-erased", "weights without uses">];
}

def ScheduleTasks : MT_ProgramPass<"mt-schedule-tasks"> {
  let summary = "decide which task runs when, where and in which variant";
  let description = [{
    Exports the program as a Problem, runs the policies and adds an mt.schedule for every schedule that a bundle holds:
    `@round`, and every entry alone at each share. Schedules that were there are replaced. With `policy=auto` the
    policy with the least predicted makespan makes `@round`, else the named one. With `merge=1` places of a
    schedule run as one command (on a GPU one launch of equal ones) where that is predicted to pay.

    Fails if a kernel has no variants, or an entry's result is not produced by a task.
  }];
  let options = [Option<"policy", "policy", "std::string", /*default=*/"\"auto\"", "auto, sequential or heft">,
                 Option<"merge", "merge", "bool", /*default=*/"false", "let small tasks run as one command">];
}

#endif
