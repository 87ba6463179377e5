//===- Lower.cpp - from an emitted body function to an object file --------===//
//
// The body function becomes an internal function whose buffers are noalias and 64-byte aligned; a
// small exported function of the kernel ABI unpacks the arguments and calls it. Pass order: facts
// of MLIR 22.1 measured in 2026-11 (4-15 ms of passes, 5-20 ms of LLVM a kernel on a Zen 4).
//
//===----------------------------------------------------------------------===//
#include "Lower.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicsX86.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace mtc::host {

void prepareLowering(MLIRContext &context) {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadDialect<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                      LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                      ub::UBDialect, vector::VectorDialect>();
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
}

static LogicalResult lowerToLLVMDialect(ModuleOp module) {
  PassManager pm(module.getContext());
  pm.enableVerifier(false);
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  ConvertFuncToLLVMPassOptions options;
  options.useBarePtrCallConv = true;
  pm.addPass(createConvertFuncToLLVMPass(options));
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  return pm.run(module);
}

/// Bodies are called with buffers that do not overlap: of a kernel, or of a step of a recurrence.
static void describeBody(llvm::Function &body) {
  body.setLinkage(llvm::GlobalValue::InternalLinkage);
  body.addFnAttr(llvm::Attribute::NoInline);
  for (size_t i = 3; i < body.arg_size(); ++i) {
    body.addParamAttr(i, llvm::Attribute::NoAlias);
    body.addParamAttr(i, llvm::Attribute::getWithAlignment(body.getContext(), llvm::Align(64)));
  }
}

/// Sets bits of MXCSR; what is returned brings back what it was.
static llvm::Value *setFloatState(llvm::IRBuilder<> &b, uint32_t bits) {
  llvm::Value *before = b.CreateAlloca(b.getInt32Ty()), *during = b.CreateAlloca(b.getInt32Ty());
  b.CreateIntrinsic(llvm::Intrinsic::x86_sse_stmxcsr, {before});
  b.CreateStore(b.CreateOr(b.CreateLoad(b.getInt32Ty(), before), bits), during);
  b.CreateIntrinsic(llvm::Intrinsic::x86_sse_ldmxcsr, {during});
  return before;
}

/// int32_t symbol(const MtcKernelArgs *args) { body(phase, lo, hi, scratch, buffers[0], ...);
/// return 0; }, with `flushesDenormals` between two changes of MXCSR.
static void addEntryPoint(llvm::Module &module, llvm::Function &body, StringRef symbol,
                          ArrayRef<int64_t> bufferBytes, bool flushesDenormals) {
  constexpr uint32_t denormalsAreZeros = 1 << 6, flushToZero = 1 << 15;
  llvm::LLVMContext &context = module.getContext();
  llvm::IRBuilder<> b(context);
  auto *type = llvm::FunctionType::get(b.getInt32Ty(), {b.getPtrTy()}, false);
  auto *entry = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module);
  b.SetInsertPoint(llvm::BasicBlock::Create(context, "", entry));
  auto field = [&](llvm::Type *t, int offset) -> llvm::Value * {
    return b.CreateLoad(t, b.CreateConstGEP1_64(b.getInt8Ty(), entry->getArg(0), offset));
  };
  // Offsets of MtcKernelArgs: phase 0, lo 8, hi 16, worker 24, buffers 32, scratch 40, extents 48.
  llvm::SmallVector<llvm::Value *> arguments = {field(b.getInt64Ty(), 0), field(b.getInt64Ty(), 8),
                                                field(b.getInt64Ty(), 16), field(b.getPtrTy(), 40)};
  llvm::Value *buffers = field(b.getPtrTy(), 32);
  for (size_t i = 0; i < bufferBytes.size(); ++i)
    arguments.push_back(b.CreateLoad(b.getPtrTy(), b.CreateConstGEP1_64(b.getPtrTy(), buffers, i)));
  llvm::Value *before =
      flushesDenormals ? setFloatState(b, denormalsAreZeros | flushToZero) : nullptr;
  auto *call = b.CreateCall(&body, arguments);
  call->setCallingConv(body.getCallingConv());
  if (before)
    b.CreateIntrinsic(llvm::Intrinsic::x86_sse_ldmxcsr, {before});
  b.CreateRet(b.getInt32(0));

  for (size_t i = 4; i < body.arg_size(); ++i)
    if (bufferBytes[i - 4] > 0)
      body.addParamAttr(i,
                        llvm::Attribute::getWithDereferenceableBytes(context, bufferBytes[i - 4]));
}

static std::unique_ptr<llvm::TargetMachine> createMachine(const HostTarget &target, bool optimize) {
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *backend = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  std::string features;
  for (const std::string &f : target.features)
    features += (features.empty() ? "+" : ",+") + f;
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(
      triple, target.cpu, features, options, llvm::Reloc::PIC_, std::nullopt,
      optimize ? llvm::CodeGenOptLevel::Default : llvm::CodeGenOptLevel::None));
}

static void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine, bool optimize) {
  llvm::LoopAnalysisManager lam;
  llvm::FunctionAnalysisManager fam;
  llvm::CGSCCAnalysisManager cam;
  llvm::ModuleAnalysisManager mam;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  tuning.SLPVectorization = false; // emitters write vectors themselves; it only costs time
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(mam);
  builder.registerCGSCCAnalyses(cam);
  builder.registerFunctionAnalyses(fam);
  builder.registerLoopAnalyses(lam);
  builder.crossRegisterProxies(lam, fam, cam, mam);
  auto level = optimize ? llvm::OptimizationLevel::O2 : llvm::OptimizationLevel::O1;
  builder.buildPerModuleDefaultPipeline(level).run(module, mam);
}

FailureOr<std::string> lowerToObject(ModuleOp module, StringRef symbol,
                                     ArrayRef<int64_t> bufferBytes, const HostTarget &target,
                                     const Lowering &lowering) {
  expandMath(module, /*hasLookUp=*/target.vectorBytes == 64);
  if (failed(lowerToLLVMDialect(module)))
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = translateModuleToLLVMIR(module, context, "kernel");
  if (!llvmModule)
    return module.emitError("cannot be translated to LLVM IR");
  llvm::Function *body = llvmModule->getFunction((symbol + ".body").str());
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, lowering.optimize);
  if (!body || !machine)
    return module.emitError("has no body function, or LLVM no X86 target");
  llvmModule->setDataLayout(machine->createDataLayout());
  llvmModule->setTargetTriple(machine->getTargetTriple());
  addEntryPoint(*llvmModule, *body, symbol, bufferBytes, lowering.flushesDenormals);
  for (llvm::Function &f : *llvmModule) {
    if (f.isDeclaration())
      continue;
    if (f.getName().ends_with(".body"))
      describeBody(f);
    f.addFnAttr("prefer-vector-width", std::to_string(target.vectorBytes * 8));
    f.addFnAttr("no-builtins"); // a loop must not become a call of memset or memcpy
    f.addFnAttr(llvm::Attribute::NoUnwind);
  }
  optimizeModule(*llvmModule, *machine, lowering.optimize);

  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return module.emitError("LLVM cannot write objects");
  codegen.run(*llvmModule);
  return std::string(object.begin(), object.end());
}

} // namespace mtc::host
