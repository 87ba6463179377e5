// RUN: mtc-opt %s --pass-pipeline='builtin.module(mt.program(mt-tune-cuda-kernels))' --split-input-file --verify-diagnostics

// The target must be a CUDA one.
// expected-error @+1 {{target 'host': must be 'cuda:ARCHITECTURE[,gpu=NAME][,units=N][,staged][,maps=on|off]'; known architectures: sm_90a}}
mt.program @p target("host") {
}

// -----

// expected-error @+1 {{unknown architecture 'sm_75'}}
mt.program @p target("cuda:sm_75") {
}
