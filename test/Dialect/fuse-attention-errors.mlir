// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-fuse-attention{lanes=0}))' --verify-diagnostics %s

// expected-error @below {{lanes must be positive, got 0}}
mt.program @p {
}
