// RUN: mtc-cuda-kernels %s --members | %FileCheck %s
// RUN: mtc-cuda-kernels %s | %FileCheck %s --check-prefix=ALONE

// Up to four members in one launch: a table of 64 bytes of pointers each is the first parameter, which the row of blocks (y) indexes
// where it lies; what is known of buffers stays, so accesses are as wide as in a launch of one.
// CHECK-LABEL: kernel many
// CHECK: .visible .entry [[NAME:k[0-9a-f]+_p0]](
// CHECK: .visible .entry [[NAME]]_members(
// CHECK-NEXT: .param .align 64 .b8 [[NAME]]_members_param_0[256],
// CHECK-NEXT: .param .u64 [[NAME]]_members_param_1,
// CHECK-NEXT: .param .u64 [[NAME]]_members_param_2
// CHECK: .maxntid 256, 1, 1
// CHECK-NOT: .local
// CHECK: mov.u32 [[MEMBER:%r[0-9]+]], %ctaid.y;
// CHECK-NEXT: mul.wide.u32 [[AT:%rd[0-9]+]], [[MEMBER]], 64;
// CHECK: ld.param.v2.b64
// CHECK-NOT: call
// CHECK: ld.global.v4.b32
// CHECK: st.global.v4.b32
// ALONE-NOT: _members
mt.program @p target("cuda:sm_90a") {
  mt.kernel @many kind(elementwise) (%x: tensor<600x512xf32>) -> tensor<600x512xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<600x512xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i,j)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<600x512xf32>) outs(%e : tensor<600x512xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.maximumf %a, %z : f32
      linalg.yield %s : f32
    } -> tensor<600x512xf32>
    mt.yield %y : tensor<600x512xf32>
  }
}
