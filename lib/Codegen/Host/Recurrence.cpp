//===- Recurrence.cpp - the kernels of a step, and where its values lie ---===//
#include "Recurrence.h"

using namespace mlir;

namespace mtc::host {

Value withoutReshapes(Value v) {
  while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(v.getDefiningOp()))
    v = v.getDefiningOp()->getOperand(0);
  return v;
}

mt::RecurrenceOp recurrenceOf(mt::KernelOp kernel) {
  auto all = kernel.getBody().front().getOps<mt::RecurrenceOp>();
  return all.empty() ? mt::RecurrenceOp() : *all.begin();
}

FailureOr<Recurrence>
planRecurrence(mt::KernelOp kernel, bool fuse,
               llvm::function_ref<FailureOr<Choice>(size_t, mt::KernelOp)> choose) {
  Recurrence r;
  r.op = recurrenceOf(kernel);
  FailureOr<BufferPlan> plan = planBuffers(kernel);
  if (failed(plan))
    return failure();
  r.plan = std::move(*plan);
  int64_t at = llvm::alignTo(r.plan.scratchBytes, 64), callScratch = 0;
  auto place = [&](Value v) {
    auto type = cast<RankedTensorType>(v.getType());
    r.slots[v] = at;
    at += llvm::alignTo(type.getNumElements() * elementBytes(type.getElementType()), 64);
  };
  Block &body = r.op.getBody().front();
  for (Value v : body.getArguments().drop_back(r.op.getInvariants().size()))
    place(v);
  for (mt::StepKernel &step : mt::formStepKernels(r.op, fuse)) {
    FailureOr<Choice> choice = choose(r.calls.size(), *step.kernel);
    if (failed(choice))
      return failure();
    llvm::for_each(step.results, place);
    callScratch = std::max(callScratch, choice->scratchBytes);
    r.calls.push_back({std::move(step), *choice});
  }
  for (Value v : r.op.getInvariants())
    if (r.plan.lookup(v) < 0)
      return r.op.emitOpError("reads a tensor without content");
  for (auto [k, v] : llvm::enumerate(body.getTerminator()->getOperands())) {
    Value root = withoutReshapes(v);
    auto argument = dyn_cast<BlockArgument>(root);
    // States are renewed one after the other: one that moves to another would be lost.
    bool isOwn = argument && k >= r.op.getNumOutputs() &&
                 argument.getArgNumber() == r.op.getInputs().size() + k - r.op.getNumOutputs();
    if (!r.slots.contains(root) || (argument && k >= r.op.getNumOutputs() && !isOwn))
      return r.op.emitOpError("yields a value that its step does not compute");
  }
  r.callScratch = at;
  r.plan.scratchBytes = at + llvm::alignTo(callScratch, 64);
  return r;
}

DictionaryAttr configOf(const Recurrence &r) {
  Builder b(mt::RecurrenceOp(r.op).getContext());
  SmallVector<Attribute> steps;
  for (const StepCall &call : r.calls)
    steps.push_back(call.choice.config);
  return b.getDictionaryAttr({b.getNamedAttr("emitter", b.getStringAttr("recurrence")),
                              b.getNamedAttr("steps", b.getArrayAttr(steps))});
}

} // namespace mtc::host
