//===- Stack.cpp - flows of control with stacks of their own --------------===//
#include "Stack.h"

#include <cstdint>

extern "C" {
/// Pushes what a function preserves, leaves the stack at *from, takes `to` and pops.
void mtcResumeStack(void **from, void *to);
/// Where a new flow begins: r12 is called with r13.
void mtcBeginStack();
}

asm(R"(
.text
.hidden mtcResumeStack
.globl mtcResumeStack
.type mtcResumeStack, @function
mtcResumeStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size mtcResumeStack, .-mtcResumeStack
.hidden mtcBeginStack
.globl mtcBeginStack
.type mtcBeginStack, @function
mtcBeginStack:
  movq %r13, %rdi
  call *%r12
  ud2
.size mtcBeginStack, .-mtcBeginStack
)");

namespace mtc::emulator {

void prepare(Suspended &flow, void *stack, size_t bytes, void (*entry)(void *), void *argument) {
  const uintptr_t end = (reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15);
  auto *slots = reinterpret_cast<void **>(end) - 9; // r15 r14 r13 r12 rbx rbp, return, two to align
  slots[0] = slots[1] = slots[4] = slots[5] = nullptr;
  slots[2] = argument;
  slots[3] = reinterpret_cast<void *>(entry);
  slots[6] = reinterpret_cast<void *>(mtcBeginStack);
  flow.top = slots;
}

void resume(Suspended &from, const Suspended &to) { mtcResumeStack(&from.top, to.top); }

} // namespace mtc::emulator
