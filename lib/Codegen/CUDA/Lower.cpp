//===- Lower.cpp - from emitted body functions to PTX ---------------------===//
//
// Functions of math are polynomials before anything else sees them (the host's own), so no
// libdevice is needed and a GPU computes what the host does. Shared memory becomes static
// attributions of the kernel, or views of dynamic shared memory where it is more. Pass order:
// measured with MLIR 22.1.8, where vector loads become scalar unless convert-vector-to-llvm runs
// with use-vector-alignment before convert-gpu-to-nvvm.
//
//===----------------------------------------------------------------------===//
#include "Lower.h"

#include "../Host/Lower.h"
#include "ThreadEmitter.h"

#include "mtc/Bundle/GpuCode.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/IR/AttributeMask.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicsNVPTX.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;

namespace mtc::cuda {

static constexpr int64_t tensorMapBytes = 128;

void prepareLowering(MLIRContext &context) {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  NVVM::registerConvertGpuToNVVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  registerConvertNVVMToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
  context.appendDialectRegistry(registry);
  context
      .loadDialect<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, gpu::GPUDialect,
                   LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, NVVM::NVVMDialect,
                   nvgpu::NVGPUDialect, scf::SCFDialect, ub::UBDialect, vector::VectorDialect>();
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
}

/// The shared memory of a function, in place of its allocations: static, or if there is too much
/// for that a part of what the launch asks for.
static void placeShared(gpu::GPUFuncOp kernel, ArrayRef<memref::AllocOp> shared,
                        const SharedLayout &layout) {
  OpBuilder b = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Location loc = kernel.getLoc();
  Value dynamic;
  if (layout.bytes > kStaticSharedBytes) {
    auto space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
    dynamic = gpu::DynamicSharedMemoryOp::create(
        b, loc,
        MemRefType::get({ShapedType::kDynamic}, b.getI8Type(), MemRefLayoutAttrInterface(), space));
  }
  for (size_t i = 0; i < shared.size(); ++i) {
    memref::AllocOp op = shared[i];
    Value memory;
    if (dynamic)
      memory = memref::ViewOp::create(b, loc, op.getType(), dynamic,
                                      arith::ConstantIndexOp::create(b, loc, layout.offsets[i]),
                                      ValueRange());
    else
      memory = kernel.getWorkgroupAttributions()[i];
    op.replaceAllUsesWith(memory);
    op.erase();
  }
}

/// S.body(phase, lo, hi, scratch, buffers..., maps...) becomes the kernel
/// S(buffers..., scratch, lo, hi, maps...).
static void outline(func::FuncOp body, gpu::GPUModuleOp into) {
  Location loc = body.getLoc();
  Block &source = body.getBody().front();
  SmallVector<Type> inputs;
  const size_t maps = tensorMapsOf(body).size();
  SmallVector<BlockArgument> order(source.getArguments().drop_front(4).drop_back(maps));
  order.append({source.getArgument(3), source.getArgument(1), source.getArgument(2)});
  llvm::append_range(order, source.getArguments().take_back(maps));
  for (BlockArgument argument : order)
    inputs.push_back(argument.getType());
  SmallVector<memref::AllocOp> shared(source.getOps<memref::AllocOp>());
  const SharedLayout layout = layOutShared(body);
  SmallVector<Type> sharedTypes;
  if (layout.bytes <= kStaticSharedBytes)
    for (memref::AllocOp op : shared)
      sharedTypes.push_back(op.getType());

  OpBuilder b = OpBuilder::atBlockEnd(into.getBody());
  StringRef name = body.getSymName();
  name.consume_back(".body");
  auto kernel = gpu::GPUFuncOp::create(b, loc, name, b.getFunctionType(inputs, {}), sharedTypes);
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  auto threads = body->getAttrOfType<IntegerAttr>(threadsAttribute);
  kernel.setKnownBlockSizeAttr(
      b.getDenseI32ArrayAttr({static_cast<int32_t>(threads.getInt()), 1, 1}));
  if (Attribute minBlocks = body->getAttr(minBlocksAttribute))
    kernel->setAttr(minBlocksAttribute, minBlocks);
  for (size_t i = 0; i < sharedTypes.size(); ++i)
    kernel.setWorkgroupAttributionAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                                       b.getI64IntegerAttr(shared[i].getAlignment().value_or(16)));
  placeShared(kernel, shared, layout);
  for (auto [i, argument] : llvm::enumerate(order))
    argument.replaceAllUsesWith(kernel.getArgument(i));
  Block &target = kernel.getBody().front();
  b.setInsertionPointToStart(&target);
  source.getArgument(0).replaceAllUsesWith(arith::ConstantIndexOp::create(b, loc, 0));
  Operation *terminator = source.getTerminator();
  target.getOperations().splice(target.end(), source.getOperations());
  b.setInsertionPoint(terminator);
  gpu::ReturnOp::create(b, loc);
  terminator->erase();
  body.erase();
}

/// What of math is left becomes intrinsics by name: convert-gpu-to-nvvm would call libdevice for
/// the operations of math, and refuses those of the LLVM dialect.
static void nameIntrinsics(ModuleOp module) {
  SmallVector<Operation *> operations;
  module.walk([&](Operation *op) { operations.push_back(op); });
  for (Operation *op : operations) {
    StringRef name = llvm::TypeSwitch<Operation *, StringRef>(op)
                         .Case<math::SqrtOp>([](auto) { return "llvm.sqrt"; })
                         .Case<math::AbsFOp>([](auto) { return "llvm.fabs"; })
                         .Case<math::FloorOp>([](auto) { return "llvm.floor"; })
                         .Case<math::CeilOp>([](auto) { return "llvm.ceil"; })
                         .Case<math::TruncOp>([](auto) { return "llvm.trunc"; })
                         .Case<math::RoundEvenOp>([](auto) { return "llvm.roundeven"; })
                         .Case<math::CopySignOp>([](auto) { return "llvm.copysign"; })
                         .Default([](auto) { return ""; });
    if (name.empty())
      continue;
    OpBuilder b(op);
    auto call = LLVM::CallIntrinsicOp::create(b, op->getLoc(), op->getResult(0).getType(),
                                              b.getStringAttr(name), op->getOperands());
    op->replaceAllUsesWith(call);
    op->erase();
  }
}

static gpu::GPUModuleOp outlineAll(ModuleOp module) {
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto into = gpu::GPUModuleOp::create(b, module.getLoc(), "kernels");
  for (auto global : llvm::make_early_inc_range(module.getOps<memref::GlobalOp>()))
    global->moveBefore(into.getBody(), into.getBody()->end());
  for (auto body : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    outline(body, into);
  return into;
}

static LogicalResult lowerToNVVM(ModuleOp module) {
  PassManager pm(module.getContext());
  pm.enableVerifier(false);
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createCSEPass());
  kernels.addPass(createLoopInvariantCodeMotionPass());
  kernels.addPass(createConvertNVGPUToNVVMPass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(createConvertMathToLLVMPass());
  ConvertVectorToLLVMPassOptions vectors;
  vectors.useVectorAlignment = true;
  kernels.addPass(createConvertVectorToLLVMPass(vectors));
  ConvertGpuOpsToNVVMOpsOptions options;
  options.useBarePtrCallConv = true;
  options.hasRedux = true;
  kernels.addPass(createConvertGpuOpsToNVVMOps(options));
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  kernels.addPass(createConvertNVVMToLLVMPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  return pm.run(module);
}

static std::unique_ptr<llvm::TargetMachine> createMachine(const CudaTarget &target) {
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *backend = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(
      triple, target.gpu.architecture, "+ptx" + std::to_string(target.gpu.ptxVersion), options,
      std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

static void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager lam;
  llvm::FunctionAnalysisManager fam;
  llvm::CGSCCAnalysisManager cam;
  llvm::ModuleAnalysisManager mam;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(mam);
  builder.registerCGSCCAnalyses(cam);
  builder.registerFunctionAnalyses(fam);
  builder.registerLoopAnalyses(lam);
  builder.crossRegisterProxies(lam, fam, cam, mam);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, mam);
}

/// Tensor maps, the last arguments of a kernel, are parameters of 128 bytes that nobody writes, at
/// multiples of 64 bytes. The names are the kernels'.
static void describeMaps(gpu::GPUModuleOp kernels, const llvm::StringMap<size_t> &maps) {
  Builder b(kernels.getContext());
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), tensorMapBytes);
  for (auto kernel : kernels.getOps<LLVM::LLVMFuncOp>()) {
    const size_t arguments = kernel.getNumArguments();
    for (size_t i = arguments - maps.lookup(kernel.getSymName()); i < arguments; ++i) {
      const auto number = static_cast<unsigned>(i);
      kernel.setArgAttr(number, LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(type));
      kernel.setArgAttr(number, NVVM::NVVMDialect::getGridConstantAttrName(), b.getUnitAttr());
      kernel.setArgAttr(number, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(64));
    }
  }
}

/// Buffers do not overlap and are aligned: what makes accesses wide and reads cached.
static void describeArguments(llvm::Function &kernel) {
  for (llvm::Argument &argument : kernel.args())
    if (argument.getType()->isPointerTy() && !argument.hasByValAttr()) {
      argument.addAttr(llvm::Attribute::NoAlias);
      argument.addAttr(llvm::Attribute::getWithAlignment(kernel.getContext(), llvm::Align(64)));
    }
}

/// A kernel for launches of several: finds the parameters of its member, which the block's row
/// says, in the table and does what `kernel` does. That is a function of its own until it is
/// inlined, so that what is known of the kernel's arguments holds here, too.
static void addMembersKernel(llvm::Function &kernel, size_t maps, int32_t members) {
  llvm::LLVMContext &context = kernel.getContext();
  llvm::Module &module = *kernel.getParent();
  const size_t pointers = kernel.arg_size() - 2 - maps;
  const MemberLayout layout(pointers, maps);
  llvm::ValueToValueMapTy values;
  llvm::Function *body = llvm::CloneFunction(&kernel, values);
  body->setName(kernel.getName() + ".body");
  body->setLinkage(llvm::GlobalValue::InternalLinkage);
  body->setCallingConv(llvm::CallingConv::C);
  llvm::AttributeList attributes = kernel.getAttributes();
  body->setAttributes(attributes.removeFnAttributes(context));
  body->addFnAttr(llvm::Attribute::AlwaysInline);
  for (llvm::Argument &argument : llvm::drop_begin(body->args(), pointers + 2))
    body->removeParamAttrs(argument.getArgNo(),
                           llvm::AttributeMask(attributes.getParamAttrs(argument.getArgNo())));

  auto *pointer = llvm::PointerType::get(context, 0);
  auto *i64 = llvm::Type::getInt64Ty(context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, i64, i64}, false);
  auto *several =
      llvm::Function::Create(type, kernel.getLinkage(), kernel.getName() + kMembersSuffix, module);
  several->setCallingConv(kernel.getCallingConv());
  several->addFnAttrs(llvm::AttrBuilder(context, attributes.getFnAttrs()));
  auto *table = llvm::ArrayType::get(llvm::Type::getInt8Ty(context),
                                     static_cast<uint64_t>(layout.bytes * members));
  llvm::AttrBuilder ofTable(context);
  ofTable.addByValAttr(table).addAlignmentAttr(llvm::Align(64));
  ofTable.addAttribute("nvvm.grid_constant");
  several->addParamAttrs(0, ofTable);

  llvm::IRBuilder<> b(llvm::BasicBlock::Create(context, "", several));
  llvm::Value *member = b.CreateIntrinsic(llvm::Intrinsic::nvvm_read_ptx_sreg_ctaid_y, {});
  llvm::Value *start = b.CreateMul(b.CreateZExt(member, i64), b.getInt64(uint64_t(layout.bytes)));
  const auto at = [&](int64_t offset) {
    return b.CreatePtrAdd(several->getArg(0), b.CreateAdd(start, b.getInt64(uint64_t(offset))));
  };
  llvm::SmallVector<llvm::Value *> arguments;
  for (size_t i = 0; i < pointers; ++i) {
    auto *load = b.CreateAlignedLoad(pointer, at(int64_t(i) * 8), llvm::Align(8));
    load->setMetadata(llvm::LLVMContext::MD_align,
                      llvm::MDNode::get(context, llvm::ConstantAsMetadata::get(b.getInt64(64))));
    arguments.push_back(load);
  }
  arguments.append({several->getArg(1), several->getArg(2)});
  for (size_t i = 0; i < maps; ++i)
    arguments.push_back(at(layout.maps + int64_t(i) * tensorMapBytes));
  b.CreateCall(body, arguments);
  b.CreateRetVoid();
}

FailureOr<std::string> lowerToPtx(ModuleOp module, const CudaTarget &target, int32_t members) {
  host::expandMath(module, /*hasLookUp=*/false, /*convertsBf16=*/true);
  nameIntrinsics(module);
  int64_t alignment = 16;
  llvm::StringMap<size_t> maps; // by kernel
  for (auto body : module.getOps<func::FuncOp>()) {
    alignment = std::max(alignment, layOutShared(body).alignment);
    StringRef name = body.getSymName();
    name.consume_back(".body");
    maps[name] = tensorMapsOf(body).size();
  }
  gpu::GPUModuleOp kernels = outlineAll(module);
  if (failed(lowerToNVVM(module)))
    return failure();
  describeMaps(kernels, maps);
  // convert-gpu-to-nvvm makes dynamic shared memory internal, which NVPTX takes for static, and
  // aligns it to 16 bytes.
  for (auto global : kernels.getOps<LLVM::GlobalOp>())
    if (global.getSymName().starts_with("__dynamic_shmem__")) {
      global.setLinkage(LLVM::Linkage::External);
      global.setAlignment(alignment);
    }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = translateModuleToLLVMIR(kernels, context, "kernels");
  if (!llvmModule)
    return module.emitError("cannot be translated to LLVM IR");
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target);
  if (!machine)
    return module.emitError("LLVM has no NVPTX target");
  llvmModule->setDataLayout(machine->createDataLayout());
  llvmModule->setTargetTriple(machine->getTargetTriple());
  for (llvm::Function &function : *llvmModule) {
    if (!function.isDeclaration())
      describeArguments(function);
    else if (!function.isIntrinsic())
      return module.emitError("needs a function that is not there: ") << function.getName();
  }
  if (members > 1) {
    llvm::SmallVector<llvm::Function *> functions;
    for (llvm::Function &function : *llvmModule)
      if (function.getCallingConv() == llvm::CallingConv::PTX_Kernel)
        functions.push_back(&function);
    for (llvm::Function *function : functions)
      addMembersKernel(*function, maps.lookup(function->getName()), members);
  }
  optimizeModule(*llvmModule, *machine);

  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return module.emitError("LLVM cannot write PTX");
  codegen.run(*llvmModule);
  return std::string(text.begin(), text.end());
}

} // namespace mtc::cuda
