//===- CheckTasksTest.cpp - errors list every task ------------------------===//
#include "mtc/Codegen/CUDA/Compile.h"
#include "mtc/Codegen/CUDA/Passes.h"
#include "mtc/Dialect/MT/IR/Register.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace mtc;

namespace {

// Two uses of one kernel and one of another.
constexpr const char *text = R"(
mt.program @p target("cuda:sm_90a") {
  mt.kernel @add kind(elementwise) (%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
    %e = tensor.empty() : tensor<4xf32>
    %r = linalg.add ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    mt.yield %r : tensor<4xf32>
  }
  mt.kernel @exp kind(elementwise) (%x: tensor<4xf32>) -> tensor<4xf32> {
    %e = tensor.empty() : tensor<4xf32>
    %r = linalg.exp ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    mt.yield %r : tensor<4xf32>
  }
  mt.tenant @t {
    mt.entry @e0(%x: tensor<4xf32> {mt.name = "x"}) -> (tensor<4xf32> {mt.name = "y"}) {
      %a = mt.task 0 @add(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("twice")
      %b = mt.task 1 @exp(%a) : (tensor<4xf32>) -> tensor<4xf32> loc("power")
      %c = mt.task 2 @add(%b, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("sum")
      mt.return %c : tensor<4xf32>
    }
  }
}
)";

class CheckTasks : public testing::Test {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registerMtcDialects(registry);
    context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
    context->loadAllAvailableDialects();
    module = parseSourceString<ModuleOp>(text, context.get());
    ASSERT_TRUE(module);
    program = *module->getOps<mt::ProgramOp>().begin();
  }

  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> module;
  mt::ProgramOp program;
};

// What every emitter takes is no error.
TEST_F(CheckTasks, TakesAll) {
  EXPECT_TRUE(cuda::checkTasks(program, *cuda::resolve("cuda:sm_90a")).ok());
}

// All tasks whose kernels fail are named at once, and no other.
TEST_F(CheckTasks, ListsAllThatFail) {
  PassManager manager(context.get());
  manager.addNestedPass<mt::ProgramOp>(cuda::createTuneCudaKernels());
  ASSERT_TRUE(succeeded(manager.run(*module)));
  for (bool isOne : {true, false}) {
    cuda::CompileOptions options;
    options.jobs = 1;
    options.assemble = false;
    options.beforeKernel = [isOne](llvm::StringRef kernel) {
      if (!isOne || kernel == "add")
        ::abort();
    };
    auto code = cuda::compileProgram(program, *cuda::resolve("cuda:sm_90a"), options);
    ASSERT_FALSE(code.ok());
    const std::string &message = code.status().message();
    EXPECT_EQ(message.find("these tasks cannot be compiled for 'cuda:sm_90a,units=132':\n"), 0u)
        << message;
    EXPECT_NE(message.find("\n  t.e0: task 0 (twice): kernel 'add' "), std::string::npos);
    EXPECT_NE(message.find("\n  t.e0: task 2 (sum): kernel 'add' "), std::string::npos);
    EXPECT_EQ(message.find("task 1 (power): kernel 'exp'") == std::string::npos, isOne) << message;
  }
}

// A variant that does not compile is another one of its kernel, whose sums are the same; only a
// kernel without any runs as phases.
TEST_F(CheckTasks, OtherVariants) {
  const std::string broken = "{emitter = \"rows\", threads = 7 : i64}";
  for (bool isAlone : {false, true}) {
    SCOPED_TRACE(isAlone);
    module = nullptr; // before its context
    SetUp();
    PassManager manager(context.get());
    manager.addNestedPass<mt::ProgramOp>(cuda::createTuneCudaKernels());
    ASSERT_TRUE(succeeded(manager.run(*module)));
    mt::KernelOp kernel = *program.getBody().getOps<mt::KernelOp>().begin();
    auto good = cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]);
    auto bad = mt::VariantAttr::get(context.get(),
                                    cast<DictionaryAttr>(parseAttribute(broken, context.get())),
                                    DenseI64ArrayAttr::get(context.get(), {9}), 0,
                                    good.getGranules(), good.getNs(), good.getOrigin());
    SmallVector<Attribute> variants = {bad};
    if (!isAlone)
      variants.push_back(good);
    kernel.setVariantsAttr(ArrayAttr::get(context.get(), variants));
    cuda::CompileOptions options;
    options.jobs = 1;
    options.assemble = false;
    auto code = cuda::compileProgram(program, *cuda::resolve("cuda:sm_90a"), options);
    ASSERT_TRUE(code.ok()) << code.status().message();
    ASSERT_EQ(code->warnings.size(), 1u);
    EXPECT_EQ(code->warnings[0].find("kernel 'add' "), 0u) << code->warnings[0];
    const char *how =
        isAlone ? "it runs with a phase per loop nest" : "another of its variants takes the place";
    EXPECT_NE(code->warnings[0].find(how), std::string::npos) << code->warnings[0];
    if (isAlone)
      continue;
    EXPECT_EQ(code->symbols[0][0], code->symbols[0][1]);
    EXPECT_EQ(kernel.getVariantsAttr()[0], good);
    EXPECT_EQ(code->modules.size(), 2u); // of both kernels
  }
}

} // namespace
