// An attention with transposes between its matrix products and a softmax.
mt.program @p {
  mt.weight @t.wq : tensor<12x12xf32> value(dense<"0xD948C1BD27284C3E3006FE3DA616A73D04376ABDF053BBBD50E488BE817063BEBBDF83BE9800143EC22916BEBEE64EBEE14A7FBEF8AC513E8FA8633E4890D13DEEFA05BE66621EBE2B4AFEBD014CC7BC696952BE362405BDA57611BE5FDC8D3E9630913E0360E73C17031DBE860D8F3E0B07EABDCC3AB0BD894599BE0D7591BD674379BCCC5ED93AC5B737BE82363A3B461498BE0FE510BE360E7CBE1BF676BDC7CC8CBE97B092BE568BF0BD6C2924BE5954523DF4788F3CA2EE193EF496C13DD5B4043ECFE9683E1DC387BD47A5D5BDA5E8943EAE5E57BEA8B8093EF1FCAF3DF7258CBE7C004E3E34CF703E39779C3DC2AD0F3ECAD33F3E029C5DBE2A8B693C71E02B3B21C94D3EA5313B3EB78B483EEF964E3DC65A713EE9BDE03D258FED3DA7EC25BE090790BE736D61BEA429ABBD44BD72BE1C544E3E29D60F3D0F009D3D691B9B3D0900DE3D7A7BD2BBF39498BEC7E7363EC488183E2FA7E93A9E03AD3C49BFC33D304F85BE957B113E964018BE9DBA82BE810A10BE48E70C3E461D35BEC759133E5525923E96F16DBB484F90BDA7564EBCF1B9E13DC406243ED8BC8F3D596DAF3DF8CC81BE3E9F58BED92D17BEC46E153E0C55F0BDF987263DFBC495BE06F786BEE6100EBE055BD33D3A28EC3DD9E8D73D6E7F00BE708D223C6CB0ADBC2573A5BC50646ABED3DD713EE1C738BE57E1923E7004863EFE3894BEA7AAC9BC8E8B443E88CD8F3E6675F8BC12230EBEA94632BE69E2883E92BD31BEFB39483D521D5CBE59936C3CF3148B3E3ABA61BEC8BD443EC6EBAB3B28B06D3E4DDCF93D"> : tensor<12x12xf32>)
  mt.weight @t.bq : tensor<12xf32> value(dense<"0xB50925BEB259743E2E3E08BC8BF891BE3C7F98BED942A3BBE105F2BCD15CF3BDDEBF5CBEE5BDBFBDD800E2BDB709513E"> : tensor<12xf32>)
  mt.tenant @t {
    mt.entry @n1(%x: tensor<2x5x12xf32> {mt.name = "x"}) -> (tensor<2x5x12xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %inf = arith.constant 0xFF800000 : f32
      %wq = mt.get_weight @t.wq : tensor<12x12xf32>
      %bq = mt.get_weight @t.bq : tensor<12xf32>
      %e = tensor.empty() : tensor<2x5x12xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x5x12xf32>) -> tensor<2x5x12xf32>
      %q = linalg.generic {indexing_maps = [affine_map<(b,m,n,k)->(b,m,k)>, affine_map<(b,m,n,k)->(k,n)>, affine_map<(b,m,n,k)->(b,m,n)>], iterator_types = ["parallel","parallel","parallel","reduction"]} ins(%x, %wq : tensor<2x5x12xf32>, tensor<12x12xf32>) outs(%f : tensor<2x5x12xf32>) {
      ^bb0(%a: f32, %bb: f32, %acc: f32):
        %m = arith.mulf %a, %bb : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<2x5x12xf32>
      %qb = linalg.generic {indexing_maps = [affine_map<(b,m,n)->(b,m,n)>, affine_map<(b,m,n)->(n)>, affine_map<(b,m,n)->(b,m,n)>], iterator_types = ["parallel","parallel","parallel"]} ins(%q, %bq : tensor<2x5x12xf32>, tensor<12xf32>) outs(%e : tensor<2x5x12xf32>) {
      ^bb0(%a: f32, %bb: f32, %o: f32):
        %s = arith.addf %a, %bb : f32
        linalg.yield %s : f32
      } -> tensor<2x5x12xf32>
      %qs = tensor.expand_shape %qb [[0],[1],[2,3]] output_shape [2,5,3,4] : tensor<2x5x12xf32> into tensor<2x5x3x4xf32>
      %te = tensor.empty() : tensor<2x3x5x4xf32>
      %qt = linalg.transpose ins(%qs : tensor<2x5x3x4xf32>) outs(%te : tensor<2x3x5x4xf32>) permutation = [0, 2, 1, 3]
      %ke = tensor.empty() : tensor<2x3x4x5xf32>
      %kt = linalg.transpose ins(%qs : tensor<2x5x3x4xf32>) outs(%ke : tensor<2x3x4x5xf32>) permutation = [0, 2, 3, 1]
      %se = tensor.empty() : tensor<2x3x5x5xf32>
      %sf = linalg.fill ins(%zero : f32) outs(%se : tensor<2x3x5x5xf32>) -> tensor<2x3x5x5xf32>
      %s = linalg.generic {indexing_maps = [affine_map<(b,h,m,n,k)->(b,h,m,k)>, affine_map<(b,h,m,n,k)->(b,h,k,n)>, affine_map<(b,h,m,n,k)->(b,h,m,n)>], iterator_types = ["parallel","parallel","parallel","parallel","reduction"]} ins(%qt, %kt : tensor<2x3x5x4xf32>, tensor<2x3x4x5xf32>) outs(%sf : tensor<2x3x5x5xf32>) {
      ^bb0(%a: f32, %bb: f32, %acc: f32):
        %m = arith.mulf %a, %bb : f32
        %ss = arith.addf %acc, %m : f32
        linalg.yield %ss : f32
      } -> tensor<2x3x5x5xf32>
      %re = tensor.empty() : tensor<2x3x5xf32>
      %rf = linalg.fill ins(%inf : f32) outs(%re : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
      %max = linalg.generic {indexing_maps = [affine_map<(b,h,m,n)->(b,h,m,n)>, affine_map<(b,h,m,n)->(b,h,m)>], iterator_types = ["parallel","parallel","parallel","reduction"]} ins(%s : tensor<2x3x5x5xf32>) outs(%rf : tensor<2x3x5xf32>) {
      ^bb0(%a: f32, %acc: f32):
        %ss = arith.maximumf %acc, %a : f32
        linalg.yield %ss : f32
      } -> tensor<2x3x5xf32>
      %exp = linalg.generic {indexing_maps = [affine_map<(b,h,m,n)->(b,h,m,n)>, affine_map<(b,h,m,n)->(b,h,m)>, affine_map<(b,h,m,n)->(b,h,m,n)>], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%s, %max : tensor<2x3x5x5xf32>, tensor<2x3x5xf32>) outs(%se : tensor<2x3x5x5xf32>) {
      ^bb0(%a: f32, %mm: f32, %o: f32):
        %ss = arith.subf %a, %mm : f32
        %ee = math.exp %ss : f32
        linalg.yield %ee : f32
      } -> tensor<2x3x5x5xf32>
      %rz = linalg.fill ins(%zero : f32) outs(%re : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
      %sum = linalg.generic {indexing_maps = [affine_map<(b,h,m,n)->(b,h,m,n)>, affine_map<(b,h,m,n)->(b,h,m)>], iterator_types = ["parallel","parallel","parallel","reduction"]} ins(%exp : tensor<2x3x5x5xf32>) outs(%rz : tensor<2x3x5xf32>) {
      ^bb0(%a: f32, %acc: f32):
        %ss = arith.addf %acc, %a : f32
        linalg.yield %ss : f32
      } -> tensor<2x3x5xf32>
      %p = linalg.generic {indexing_maps = [affine_map<(b,h,m,n)->(b,h,m,n)>, affine_map<(b,h,m,n)->(b,h,m)>, affine_map<(b,h,m,n)->(b,h,m,n)>], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%exp, %sum : tensor<2x3x5x5xf32>, tensor<2x3x5xf32>) outs(%se : tensor<2x3x5x5xf32>) {
      ^bb0(%a: f32, %mm: f32, %o: f32):
        %ss = arith.divf %a, %mm : f32
        linalg.yield %ss : f32
      } -> tensor<2x3x5x5xf32>
      %ctf = linalg.fill ins(%zero : f32) outs(%te : tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
      %ct = linalg.generic {indexing_maps = [affine_map<(b,h,m,n,k)->(b,h,m,k)>, affine_map<(b,h,m,n,k)->(b,h,k,n)>, affine_map<(b,h,m,n,k)->(b,h,m,n)>], iterator_types = ["parallel","parallel","parallel","parallel","reduction"]} ins(%p, %qt : tensor<2x3x5x5xf32>, tensor<2x3x5x4xf32>) outs(%ctf : tensor<2x3x5x4xf32>) {
      ^bb0(%a: f32, %bb: f32, %acc: f32):
        %m = arith.mulf %a, %bb : f32
        %ss = arith.addf %acc, %m : f32
        linalg.yield %ss : f32
      } -> tensor<2x3x5x4xf32>
      %ce = tensor.empty() : tensor<2x5x3x4xf32>
      %cc = linalg.transpose ins(%ct : tensor<2x3x5x4xf32>) outs(%ce : tensor<2x5x3x4xf32>) permutation = [0, 2, 1, 3]
      %c = tensor.collapse_shape %cc [[0],[1],[2,3]] : tensor<2x5x3x4xf32> into tensor<2x5x12xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(b,m,n,k)->(b,m,k)>, affine_map<(b,m,n,k)->(k,n)>, affine_map<(b,m,n,k)->(b,m,n)>], iterator_types = ["parallel","parallel","parallel","reduction"]} ins(%c, %wq : tensor<2x5x12xf32>, tensor<12x12xf32>) outs(%f : tensor<2x5x12xf32>) {
      ^bb0(%a: f32, %bb: f32, %acc: f32):
        %m = arith.mulf %a, %bb : f32
        %ss = arith.addf %acc, %m : f32
        linalg.yield %ss : f32
      } -> tensor<2x5x12xf32>
      mt.return %y : tensor<2x5x12xf32>
    }
  }
}
