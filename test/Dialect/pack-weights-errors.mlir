// RUN: mtc-opt %s --pass-pipeline='builtin.module(mt.program(mt-pack-weights{lanes=0}))' --verify-diagnostics

// A vector has elements.
// expected-error @+1 {{lanes must be positive, got 0}}
mt.program @p {
}
