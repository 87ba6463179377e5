//===- Stack.h - flows of control with stacks of their own ----------------===//
//
// What a fiber needs and no more. ucontext would do, but each of its switches asks the kernel for
// the signal mask, twice; a thread of a GPU switches at every barrier. x86-64 only, as the code
// that the emulator makes of kernels.
// Source: System V ABI, AMD64 supplement 1.0, 3.2.1 (registers that a function preserves).
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>

namespace mtc::emulator {

/// A flow of control that is not running.
struct Suspended {
  void *top = nullptr; ///< of its stack, where its registers lie
};

/// Makes `flow` begin with `entry(argument)` on a stack of `bytes` at `stack`. `entry` never
/// returns.
void prepare(Suspended &flow, void *stack, size_t bytes, void (*entry)(void *), void *argument);

/// Leaves the running flow as `from` and goes on with `to`; returns when somebody resumes `from`.
void resume(Suspended &from, const Suspended &to);

} // namespace mtc::emulator
