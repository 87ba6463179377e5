// Products of codes in every form that mt-narrow-contractions rewrites: all signs, zero points that are none,
// constants, tensors and per column, padding, groups, floats with scales.
#id1 = affine_map<(i) -> (i)>
#id2 = affine_map<(i, j) -> (i, j)>
#col = affine_map<(i, j) -> (j)>
#row = affine_map<(i, j) -> (i)>
#one2 = affine_map<(i, j) -> ()>
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>
#id4 = affine_map<(n, c, h, w) -> (n, c, h, w)>
#one4 = affine_map<(n, c, h, w) -> ()>
#f4 = affine_map<(n, c, h, w) -> (n)>
#cx = affine_map<(n, f, h, w, c, i, j) -> (n, c, h * 2 + i, w * 2 + j)>
#cw = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#co = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>

mt.program @p {
  mt.weight @w : tensor<19x12xi8> value(dense<"0x00254A6F94B9DE0E33587DA2C7EC1C41668BB0D5FA2A4F7499BEE308385D82A7CCF116466B90B5DAFF2454799EC3E80D326287ACD1F61B407095BADF04294E7EA3C8ED12375C8CB1D6FB20456A9ABFE4092E5378A8CDF2173C6186B6DB00254A6F94C4E90E33587DA2D2F71C41668BB0E0052A4F7499BEEE13385D82A7CCFC21466B90B5DA0A2F54799EC3E8183D6287ACD1F6264B7095BADF0434597EA3C8ED1242678CB1D6FB2050759ABFE4092E5E83A8CDF2173C6C91B6DB00254A7A9FC4E90E335888ADD2F71C416696BBE0052A4F74A4C9EE13385D82B2D7FC21466B90C0E50A2F"> : tensor<19x12xi8>)
  mt.weight @zeros : tensor<12xi8> value(dense<[3, -7, 120, -128, 0, 1, 127, 90, -90, 64, -64, 5]> : tensor<12xi8>)
  mt.weight @scales : tensor<12xf32> value(dense<[0.5, 0.25, 0.125, 1.0, 2.0, 0.3, 0.7, 0.01, 1.5, 0.9, 0.8, 0.6]> : tensor<12xf32>)
  mt.weight @filter : tensor<10x6x3x3xi8> value(dense<"0x005BB6116CD8338EE944B00B66C11C88E33E99F460BB1671CC3893EE49A4106BC6217CE8439EF954C01B76D12C98F34EA90470CB2681DC48A3FE59B4207BD6318CF853AE0964D02B86E13CA8035EB91480DB3691EC58B30E69C4308BE6419C0863BE1974E03B96F14CB8136EC92490EB46A1FC68C31E79D4409BF651AC1873CE2984F04BA6015CC8237ED934A0FB56B10C78D32E89E450AB0661BC2883DE3994005BB6116CD8338EE944B00B66C11C88E33E99F460BB1671CC3893EE49A4106BC6217CE8439EF954C01B76D12C98F34EA90470CB2681DC48A3FE59B4207BD6318CF853AE0964D02B86E13CA8035EB91480DB3691EC58B30E69C4308BE6419C0863BE1974E03B96F14CB8136EC92490EB46A1FC68C31E79D4409BF651AC1873CE2984F04BA6015CC8237ED934A0FB56B10C78D32E89E450AB0661BC2883DE3994005BB6116CD8338EE944B00B66C11C88E33E99F460BB1671CC3893EE49A4106BC6217CE8439EF954C01B76D12C98F34EA90470CB2681DC48A3FE59B4207BD6318CF853AE0964D02B86E13CA8035EB91480DB3691EC58B30E69C4308BE6419C0863BE1974E03B96F14CB8136EC92490EB46A1FC68C31E79D4409BF651AC1873CE2984F04BA6015CC8237ED934A0FB56B10C78D32E89E450AB0661BC2883DE3994005BB6116CD8338EE944B00B66C11C88E33E99F460BB1671CC3893EE49A4106BC6217CE8439EF954C01B76D12C98F34EA90470CB2681DC48A3FE59B4"> : tensor<10x6x3x3xi8>)
  mt.tenant @t {
    mt.entry @n1 (%a: tensor<7x19xi8> {mt.name = "a", mt.element_type = "u8"}, %z: tensor<i8> {mt.name = "z", mt.element_type = "u8"}, %rows: tensor<7xi8> {mt.name = "rows", mt.element_type = "i8"}, %x: tensor<1x6x8x9xi8> {mt.name = "x", mt.element_type = "u8"}, %s: tensor<f32> {mt.name = "s", mt.element_type = "f32"}) -> (tensor<7x12xf32> {mt.name = "y0", mt.element_type = "f32"}, tensor<7x12xf32> {mt.name = "y1", mt.element_type = "f32"}, tensor<7x12xf32> {mt.name = "y2", mt.element_type = "f32"}, tensor<7x12xf32> {mt.name = "y3", mt.element_type = "f32"}, tensor<7x12xf32> {mt.name = "y4", mt.element_type = "f32"}, tensor<7x12xf32> {mt.name = "y5", mt.element_type = "f32"}, tensor<7x12xf32> {mt.name = "y6", mt.element_type = "f32"}, tensor<7x12xf32> {mt.name = "y7", mt.element_type = "f32"}, tensor<1x10x4x5xf32> {mt.name = "y8", mt.element_type = "f32"}, tensor<1x10x4x5xf32> {mt.name = "y9", mt.element_type = "f32"}, tensor<1x10x4x5xf32> {mt.name = "y10", mt.element_type = "f32"}, tensor<1x10x4x5xf32> {mt.name = "y11", mt.element_type = "f32"}) {
      %w = mt.get_weight @w : tensor<19x12xi8>
      %zeros = mt.get_weight @zeros : tensor<12xi8>
      %scales = mt.get_weight @scales : tensor<12xf32>
      %filter = mt.get_weight @filter : tensor<10x6x3x3xi8>
      %i0 = arith.constant 0 : i32
      %f0 = arith.constant 0.0 : f32
      %a1e = tensor.empty() : tensor<7x19xi32>
      %a1 = linalg.generic {indexing_maps = [#id2, #one2, #id2], iterator_types = ["parallel", "parallel"]} ins(%a, %z : tensor<7x19xi8>, tensor<i8>) outs(%a1e : tensor<7x19xi32>) {
      ^bb0(%c: i8, %zz: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %ze = arith.extui %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<7x19xi32>
      %b1e = tensor.empty() : tensor<19x12xi32>
      %b1 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<19x12xi8>) outs(%b1e : tensor<19x12xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<19x12xi32>
      %y1e = tensor.empty() : tensor<7x12xi32>
      %y1f = linalg.fill ins(%i0 : i32) outs(%y1e : tensor<7x12xi32>) -> tensor<7x12xi32>
      %y1 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a1, %b1 : tensor<7x19xi32>, tensor<19x12xi32>) outs(%y1f : tensor<7x12xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<7x12xi32>
      %y1ge = tensor.empty() : tensor<7x12xf32>
      %y1g = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%y1 : tensor<7x12xi32>) outs(%y1ge : tensor<7x12xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<7x12xf32>
      %a2e = tensor.empty() : tensor<7x19xi32>
      %a2 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<7x19xi8>) outs(%a2e : tensor<7x19xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %zc = arith.constant -1 : i8
        %ze = arith.extui %zc : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<7x19xi32>
      %b2e = tensor.empty() : tensor<19x12xi32>
      %b2 = linalg.generic {indexing_maps = [#id2, #col, #id2], iterator_types = ["parallel", "parallel"]} ins(%w, %zeros : tensor<19x12xi8>, tensor<12xi8>) outs(%b2e : tensor<19x12xi32>) {
      ^bb0(%c: i8, %zz: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        %ze = arith.extsi %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<19x12xi32>
      %y2e = tensor.empty() : tensor<7x12xi32>
      %y2f = linalg.fill ins(%i0 : i32) outs(%y2e : tensor<7x12xi32>) -> tensor<7x12xi32>
      %y2 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a2, %b2 : tensor<7x19xi32>, tensor<19x12xi32>) outs(%y2f : tensor<7x12xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<7x12xi32>
      %y2ge = tensor.empty() : tensor<7x12xf32>
      %y2g = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%y2 : tensor<7x12xi32>) outs(%y2ge : tensor<7x12xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<7x12xf32>
      %a3e = tensor.empty() : tensor<7x19xi32>
      %a3 = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]} ins(%a, %rows : tensor<7x19xi8>, tensor<7xi8>) outs(%a3e : tensor<7x19xi32>) {
      ^bb0(%c: i8, %zz: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        %ze = arith.extsi %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<7x19xi32>
      %b3e = tensor.empty() : tensor<19x12xi32>
      %b3 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<19x12xi8>) outs(%b3e : tensor<19x12xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        %zc = arith.constant -128 : i8
        %ze = arith.extsi %zc : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<19x12xi32>
      %y3e = tensor.empty() : tensor<7x12xi32>
      %y3f = linalg.fill ins(%i0 : i32) outs(%y3e : tensor<7x12xi32>) -> tensor<7x12xi32>
      %y3 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a3, %b3 : tensor<7x19xi32>, tensor<19x12xi32>) outs(%y3f : tensor<7x12xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<7x12xi32>
      %y3ge = tensor.empty() : tensor<7x12xf32>
      %y3g = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%y3 : tensor<7x12xi32>) outs(%y3ge : tensor<7x12xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<7x12xf32>
      %a4e = tensor.empty() : tensor<7x19xi32>
      %a4 = linalg.generic {indexing_maps = [#id2, #one2, #id2], iterator_types = ["parallel", "parallel"]} ins(%a, %z : tensor<7x19xi8>, tensor<i8>) outs(%a4e : tensor<7x19xi32>) {
      ^bb0(%c: i8, %zz: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %ze = arith.extui %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<7x19xi32>
      %b4e = tensor.empty() : tensor<19x12xi32>
      %b4 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<19x12xi8>) outs(%b4e : tensor<19x12xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %zc = arith.constant -128 : i8
        %ze = arith.extui %zc : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<19x12xi32>
      %y4e = tensor.empty() : tensor<7x12xi32>
      %y4f = linalg.fill ins(%i0 : i32) outs(%y4e : tensor<7x12xi32>) -> tensor<7x12xi32>
      %y4 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a4, %b4 : tensor<7x19xi32>, tensor<19x12xi32>) outs(%y4f : tensor<7x12xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<7x12xi32>
      %y4ge = tensor.empty() : tensor<7x12xf32>
      %y4g = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%y4 : tensor<7x12xi32>) outs(%y4ge : tensor<7x12xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<7x12xf32>
      %a5e = tensor.empty() : tensor<7x19xi32>
      %a5 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<7x19xi8>) outs(%a5e : tensor<7x19xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<7x19xi32>
      %b5e = tensor.empty() : tensor<19x12xi32>
      %b5 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<19x12xi8>) outs(%b5e : tensor<19x12xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<19x12xi32>
      %y5e = tensor.empty() : tensor<7x12xi32>
      %y5f = linalg.fill ins(%i0 : i32) outs(%y5e : tensor<7x12xi32>) -> tensor<7x12xi32>
      %y5 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a5, %b5 : tensor<7x19xi32>, tensor<19x12xi32>) outs(%y5f : tensor<7x12xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<7x12xi32>
      %y5ge = tensor.empty() : tensor<7x12xf32>
      %y5g = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%y5 : tensor<7x12xi32>) outs(%y5ge : tensor<7x12xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<7x12xf32>
      %a6e = tensor.empty() : tensor<7x19xi32>
      %a6 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<7x19xi8>) outs(%a6e : tensor<7x19xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<7x19xi32>
      %b6e = tensor.empty() : tensor<19x12xi32>
      %b6 = linalg.generic {indexing_maps = [#id2, #col, #id2], iterator_types = ["parallel", "parallel"]} ins(%w, %zeros : tensor<19x12xi8>, tensor<12xi8>) outs(%b6e : tensor<19x12xi32>) {
      ^bb0(%c: i8, %zz: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %ze = arith.extui %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<19x12xi32>
      %y6e = tensor.empty() : tensor<7x12xi32>
      %y6f = linalg.fill ins(%i0 : i32) outs(%y6e : tensor<7x12xi32>) -> tensor<7x12xi32>
      %y6 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a6, %b6 : tensor<7x19xi32>, tensor<19x12xi32>) outs(%y6f : tensor<7x12xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<7x12xi32>
      %y6ge = tensor.empty() : tensor<7x12xf32>
      %y6g = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%y6 : tensor<7x12xi32>) outs(%y6ge : tensor<7x12xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<7x12xf32>
      %a7e = tensor.empty() : tensor<7x19xf32>
      %a7 = linalg.generic {indexing_maps = [#id2, #one2, #one2, #id2], iterator_types = ["parallel", "parallel"]} ins(%a, %z, %s : tensor<7x19xi8>, tensor<i8>, tensor<f32>) outs(%a7e : tensor<7x19xf32>) {
      ^bb0(%c: i8, %zz: i8, %ss: f32, %out: f32):
        %e = arith.extui %c : i8 to i32
        %ze = arith.extui %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        %f = arith.sitofp %d : i32 to f32
        %p = arith.mulf %f, %ss : f32
        linalg.yield %p : f32
      } -> tensor<7x19xf32>
      %b7e = tensor.empty() : tensor<19x12xf32>
      %b7 = linalg.generic {indexing_maps = [#id2, #col, #col, #id2], iterator_types = ["parallel", "parallel"]} ins(%w, %zeros, %scales : tensor<19x12xi8>, tensor<12xi8>, tensor<12xf32>) outs(%b7e : tensor<19x12xf32>) {
      ^bb0(%c: i8, %zz: i8, %ss: f32, %out: f32):
        %e = arith.extsi %c : i8 to i32
        %ze = arith.extsi %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        %f = arith.sitofp %d : i32 to f32
        %p = arith.mulf %f, %ss : f32
        linalg.yield %p : f32
      } -> tensor<19x12xf32>
      %y7e = tensor.empty() : tensor<7x12xf32>
      %y7f = linalg.fill ins(%f0 : f32) outs(%y7e : tensor<7x12xf32>) -> tensor<7x12xf32>
      %y7 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a7, %b7 : tensor<7x19xf32>, tensor<19x12xf32>) outs(%y7f : tensor<7x12xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %q = arith.mulf %u, %v : f32
        %r = arith.addf %acc, %q : f32
        linalg.yield %r : f32
      } -> tensor<7x12xf32>
      %a8e = tensor.empty() : tensor<7x19xf32>
      %a8 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<7x19xi8>) outs(%a8e : tensor<7x19xf32>) {
      ^bb0(%c: i8, %out: f32):
        %e = arith.extsi %c : i8 to i32
        %f = arith.sitofp %e : i32 to f32
        %sc = arith.constant 0.5 : f32
        %p = arith.mulf %f, %sc : f32
        linalg.yield %p : f32
      } -> tensor<7x19xf32>
      %b8e = tensor.empty() : tensor<19x12xf32>
      %b8 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<19x12xi8>) outs(%b8e : tensor<19x12xf32>) {
      ^bb0(%c: i8, %out: f32):
        %e = arith.extsi %c : i8 to i32
        %f = arith.sitofp %e : i32 to f32
        %sc = arith.constant 0.25 : f32
        %p = arith.mulf %f, %sc : f32
        linalg.yield %p : f32
      } -> tensor<19x12xf32>
      %y8e = tensor.empty() : tensor<7x12xf32>
      %y8f = linalg.fill ins(%f0 : f32) outs(%y8e : tensor<7x12xf32>) -> tensor<7x12xf32>
      %y8 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a8, %b8 : tensor<7x19xf32>, tensor<19x12xf32>) outs(%y8f : tensor<7x12xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %q = arith.mulf %u, %v : f32
        %r = arith.addf %acc, %q : f32
        linalg.yield %r : f32
      } -> tensor<7x12xf32>
      %a9e = tensor.empty() : tensor<1x6x8x9xi32>
      %a9 = linalg.generic {indexing_maps = [#id4, #one4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %z : tensor<1x6x8x9xi8>, tensor<i8>) outs(%a9e : tensor<1x6x8x9xi32>) {
      ^bb0(%c: i8, %zz: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %ze = arith.extui %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<1x6x8x9xi32>
      %b9e = tensor.empty() : tensor<10x6x3x3xi32>
      %b9 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%filter : tensor<10x6x3x3xi8>) outs(%b9e : tensor<10x6x3x3xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<10x6x3x3xi32>
      %p9 = tensor.pad %a9 low[0, 0, 1, 1] high[0, 0, 1, 1] {
      ^bb0(%i: index, %j: index, %k: index, %l: index):
        tensor.yield %i0 : i32
      } : tensor<1x6x8x9xi32> to tensor<1x6x10x11xi32>
      %y9e = tensor.empty() : tensor<1x10x4x5xi32>
      %y9f = linalg.fill ins(%i0 : i32) outs(%y9e : tensor<1x10x4x5xi32>) -> tensor<1x10x4x5xi32>
      %y9 = linalg.generic {indexing_maps = [#cx, #cw, #co], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p9, %b9 : tensor<1x6x10x11xi32>, tensor<10x6x3x3xi32>) outs(%y9f : tensor<1x10x4x5xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<1x10x4x5xi32>
      %y9ge = tensor.empty() : tensor<1x10x4x5xf32>
      %y9g = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%y9 : tensor<1x10x4x5xi32>) outs(%y9ge : tensor<1x10x4x5xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<1x10x4x5xf32>
      %a10e = tensor.empty() : tensor<1x6x8x9xi32>
      %a10 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x : tensor<1x6x8x9xi8>) outs(%a10e : tensor<1x6x8x9xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %zc = arith.constant 7 : i8
        %ze = arith.extui %zc : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<1x6x8x9xi32>
      %b10e = tensor.empty() : tensor<10x6x3x3xi32>
      %b10 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%filter : tensor<10x6x3x3xi8>) outs(%b10e : tensor<10x6x3x3xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        %zc = arith.constant 3 : i8
        %ze = arith.extsi %zc : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<10x6x3x3xi32>
      %p10 = tensor.pad %a10 low[0, 0, 1, 1] high[0, 0, 1, 1] {
      ^bb0(%i: index, %j: index, %k: index, %l: index):
        tensor.yield %i0 : i32
      } : tensor<1x6x8x9xi32> to tensor<1x6x10x11xi32>
      %y10e = tensor.empty() : tensor<1x10x4x5xi32>
      %y10f = linalg.fill ins(%i0 : i32) outs(%y10e : tensor<1x10x4x5xi32>) -> tensor<1x10x4x5xi32>
      %y10 = linalg.generic {indexing_maps = [#cx, #cw, #co], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p10, %b10 : tensor<1x6x10x11xi32>, tensor<10x6x3x3xi32>) outs(%y10f : tensor<1x10x4x5xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<1x10x4x5xi32>
      %y10ge = tensor.empty() : tensor<1x10x4x5xf32>
      %y10g = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%y10 : tensor<1x10x4x5xi32>) outs(%y10ge : tensor<1x10x4x5xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<1x10x4x5xf32>
      %a11e = tensor.empty() : tensor<1x6x8x9xf32>
      %a11 = linalg.generic {indexing_maps = [#id4, #one4, #one4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %z, %s : tensor<1x6x8x9xi8>, tensor<i8>, tensor<f32>) outs(%a11e : tensor<1x6x8x9xf32>) {
      ^bb0(%c: i8, %zz: i8, %ss: f32, %out: f32):
        %e = arith.extui %c : i8 to i32
        %ze = arith.extui %zz : i8 to i32
        %d = arith.subi %e, %ze : i32
        %f = arith.sitofp %d : i32 to f32
        %p = arith.mulf %f, %ss : f32
        linalg.yield %p : f32
      } -> tensor<1x6x8x9xf32>
      %b11e = tensor.empty() : tensor<10x6x3x3xf32>
      %b11 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%filter : tensor<10x6x3x3xi8>) outs(%b11e : tensor<10x6x3x3xf32>) {
      ^bb0(%c: i8, %out: f32):
        %e = arith.extsi %c : i8 to i32
        %f = arith.sitofp %e : i32 to f32
        %sc = arith.constant 0.125 : f32
        %p = arith.mulf %f, %sc : f32
        linalg.yield %p : f32
      } -> tensor<10x6x3x3xf32>
      %p11 = tensor.pad %a11 low[0, 0, 1, 1] high[0, 0, 1, 1] {
      ^bb0(%i: index, %j: index, %k: index, %l: index):
        tensor.yield %f0 : f32
      } : tensor<1x6x8x9xf32> to tensor<1x6x10x11xf32>
      %y11e = tensor.empty() : tensor<1x10x4x5xf32>
      %y11f = linalg.fill ins(%f0 : f32) outs(%y11e : tensor<1x10x4x5xf32>) -> tensor<1x10x4x5xf32>
      %y11 = linalg.generic {indexing_maps = [#cx, #cw, #co], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p11, %b11 : tensor<1x6x10x11xf32>, tensor<10x6x3x3xf32>) outs(%y11f : tensor<1x10x4x5xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %q = arith.mulf %u, %v : f32
        %r = arith.addf %acc, %q : f32
        linalg.yield %r : f32
      } -> tensor<1x10x4x5xf32>
      %a12e = tensor.empty() : tensor<1x6x8x9xi32>
      %a12 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x : tensor<1x6x8x9xi8>) outs(%a12e : tensor<1x6x8x9xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        %zc = arith.constant -100 : i8
        %ze = arith.extsi %zc : i8 to i32
        %d = arith.subi %e, %ze : i32
        linalg.yield %d : i32
      } -> tensor<1x6x8x9xi32>
      %b12e = tensor.empty() : tensor<10x6x3x3xi32>
      %b12 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%filter : tensor<10x6x3x3xi8>) outs(%b12e : tensor<10x6x3x3xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<10x6x3x3xi32>
      %p12 = tensor.pad %a12 low[0, 0, 1, 1] high[0, 0, 1, 1] {
      ^bb0(%i: index, %j: index, %k: index, %l: index):
        tensor.yield %i0 : i32
      } : tensor<1x6x8x9xi32> to tensor<1x6x10x11xi32>
      %y12e = tensor.empty() : tensor<1x10x4x5xi32>
      %y12f = linalg.fill ins(%i0 : i32) outs(%y12e : tensor<1x10x4x5xi32>) -> tensor<1x10x4x5xi32>
      %y12 = linalg.generic {indexing_maps = [#cx, #cw, #co], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p12, %b12 : tensor<1x6x10x11xi32>, tensor<10x6x3x3xi32>) outs(%y12f : tensor<1x10x4x5xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<1x10x4x5xi32>
      %y12ge = tensor.empty() : tensor<1x10x4x5xf32>
      %y12g = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%y12 : tensor<1x10x4x5xi32>) outs(%y12ge : tensor<1x10x4x5xf32>) {
      ^bb0(%u: i32, %out: f32):
        %r = arith.sitofp %u : i32 to f32
        linalg.yield %r : f32
      } -> tensor<1x10x4x5xf32>
      mt.return %y1g, %y2g, %y3g, %y4g, %y5g, %y6g, %y7, %y8, %y9g, %y10g, %y11, %y12g : tensor<7x12xf32>, tensor<7x12xf32>, tensor<7x12xf32>, tensor<7x12xf32>, tensor<7x12xf32>, tensor<7x12xf32>, tensor<7x12xf32>, tensor<7x12xf32>, tensor<1x10x4x5xf32>, tensor<1x10x4x5xf32>, tensor<1x10x4x5xf32>, tensor<1x10x4x5xf32>
    }
  }
}
