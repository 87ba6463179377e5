//===- Passes.td - passes of the CUDA code generator -----------*- tablegen -*-===//

#ifndef MTC_CODEGEN_CUDA_PASSES_TD
#define MTC_CODEGEN_CUDA_PASSES_TD

include "mlir/Pass/PassBase.td"

def TuneCudaKernels : Pass<"mt-tune-cuda-kernels", "::mtc::mt::ProgramOp"> {
  let summary = "give every kernel its variants for a GPU: config, tiles, scratch and modelled times";
  let description = [{
    Chooses a config per kernel for the CUDA target and prices it by a roofline with waves of tiles. A phase is a launch.
    Replaces variants that a kernel has.
  }];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"\"\"",
           "CUDA target; default: the program's own">,
    Option<"plain", "plain", "bool", /*default=*/"false", "one phase per loop nest for every kernel (-O0)">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::gpu::GPUDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def ChooseCudaPrecision : Pass<"mt-choose-cuda-precision", "::mtc::mt::ProgramOp"> {
  let summary = "compute products more precisely than asked where answers would miss their tolerance";
  let description = [{
    For tenants whose `precision` is tf32, f16 or bf16 and whose `numerics` is not relaxed, before kernels are shared: the end of a kernel's
    class of numerics changes. Products become exact if a logarithm, a sine or a cosine reads what they give, not through an exponential; and
    as many others as a model of errors asks for that knows how many products depend on each, cheapest first for the error removed: bf16
    becomes tf32, all else f32.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
  let statistics = [Statistic<"count", "raised", "kernels that became more precise">];
}

def NarrowCudaValues : Pass<"mt-narrow-cuda-values", "::mtc::mt::ProgramOp"> {
  let summary = "keep the values next to products in f16 or bf16 where the tenant's precision says so";
  let description = [{
    For tenants whose `precision` is f16 or bf16, before kernels are shared. A value of f32 that tasks make and read, one of them a product
    of that precision, lies in memory in that type, and so do weights that are factors. Kernels widen what they read and round what they
    write; numbers beyond the type's range become its largest finite ones. Not what entries take or give, what becomes integers, what a
    logarithm, a sine or a cosine reads, and what would need a loop nest for the conversion alone. In bf16 only what products alone read.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"count", "narrowed", "values that became narrow">];
}

def StageCudaWeights : Pass<"mt-stage-cuda-weights", "::mtc::mt::ProgramOp"> {
  let summary = "let products take their weights rounded, in chunks that bulk copies bring to shared memory";
  let description = [{
    For targets `cuda:sm_90a,staged`. A matrix that is a weight in all tasks of a kernel, and that warpgroups would multiply as f16, bf16
    or bytes, is derived rounded and packed to [K / T][N][T] with T terms in 16 bytes. The kernel begins with linalg.unpack. Not where no
    tile divides the matrix.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def EmitCudaKernels : Pass<"mt-emit-cuda-kernels", "::mlir::ModuleOp"> {
  let summary = "replace the module's programs by the body functions of their kernels' first variants";
  let description = [{
    For tests: shows what the CUDA emitters write for one thread, before it is lowered. Functions are named
    KERNEL_pPHASE.body.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::gpu::GPUDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

#endif
