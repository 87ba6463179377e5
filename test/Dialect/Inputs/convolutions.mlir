// A convolution with bias and batch normalization, a depthwise one with a residual, a global pool and a matrix product.
mt.program @p {
  mt.weight @t.w : tensor<8x3x3x3xf32> value(dense<"0x6C79D8BDAD8456BEE177B93DFB5883BE035EB03C9D0AA5BD61C887BE4531923BD2148EBE871223BDF22384BE47777BBE6C8039BD65D1483ED62267BEBF0A2ABE07979C3D4489893EFB7C3D3D06EB7DBD3A4E923E304A8BBE373E5C3E994301BED6915ABE15D46ABE6956EBBD613A423E662944BE628A483D66B2AA3D43CC9CBD71ACEA3CAD4F86BE604A87BEB2A834BEEDACDD3DFBF231BD3F60E4BDDF46523DB01BE6BCDB0BF6BDE4DD343E3C86F43D233A1DBE5AE7363D14B1773C077C663EA0F80C3E814A02BE7D82933E0FA96ABEAB3849BDC5FC1D3E1AD255BE89FED8BB378E8DBE22B4CE3D668D223EF377333D8EB1663EF7DDE4BD9CFAEF3D65EC673DB759443D7242D7BC4FE0503E259B883EAB9F7EBCD2B5C93D5DF686BEE997F73DBCCAB43DA57A973E64CA453E315804BEE8568CBD8F3DCF3D2EAB92BE7C46BCBC7AF34BBEA0416BBE3C7D87BE67CD243EBEBB63BEC1101BBE420086BDA033643E6ED880BE0CC1F9BCCD01F33C108D6B3E602A443ECFA15F3E5A2308BED32A50BDC08AADBD4F0C6C3E729D8C3E657956BE8CEE46BE8AAF24BE9BD623BE87D213BCA9075B3DBBC411BEAA5798BE743247BD45A9A0BD4A0A233D12318B3E2014EA3D7849183C7B7F903DC183D83D6D0389BE1C79753E65032C3ED519663E6403373EAB3E84BD064578BD399673BED803A53D3B7A86BE2BE984BE97EF32BE1E7B4FBEC58AC4BDE37289BE418799BE494356BE3CDC74BE9C98A7BD21C491BE64FD653E002B8C3D3BEE57BE7C3618BE1987BBBD7DEAA6BDCAB967BE0863563E2D7B973E2A2BA7BC6BE91EBCB66E7EBE7A6A74BE7C5EC1BD8B8810BE7B0C4A3E1A0350BE478192BEF38A8A3E08E48A3C9D2059BE7C33D43CE44A91BEDD298A3CDEFE923E163A5F3E2C16F13D55C512BE9FCCA3BDC2914CBE2214273EBA32A03C8A732B3EC24ED1BDC7292ABE7C643F3E23F8943EB7A7583E000E3C3E7195433EC460133E29E427BE4E652D3C187CB1BD82B290BE8A0491BE778607BE99F613BE2B92EC3DCE3D8C3E79B101BDBF40863EE0EC953EB5C68B3EDE55A6BD7ABF2BBE70D327BEFF573ABE0DA235BEEA73983D0FF3753EE129513ED0C849BCBBFABB3DE319383EB21C7FBEE153C53D5FC47B3E68722D3EB1AF193E69F257BC298445BE12A5313E89CDCDBD75D3383EA3E4903EC1FC7FBD0D5A72BD8C41893EC61D0A3EF0BF4ABE"> : tensor<8x3x3x3xf32>)
  mt.weight @t.b : tensor<8xf32> value(dense<"0xCB2565BE405556BEBBBD783E98503C3EF86359BEA89B483ECC8C933E5440C13D"> : tensor<8xf32>)
  mt.weight @t.g : tensor<8xf32> value(dense<"0x910B523E6479873E64A30E3E058DD53D2854C83E73FD963E3615843ED29AC23E"> : tensor<8xf32>)
  mt.weight @t.beta : tensor<8xf32> value(dense<"0x80AB22BD1B66643EC963483E1C8931BE027918BE0F67FEBDA0691FBE906D543D"> : tensor<8xf32>)
  mt.weight @t.dw : tensor<8x1x3x3xf32> value(dense<"0xA5D813BEE50847BD18AB62BE1BEA7B3E92ABB3BDAAA5CDBC83D64C3D6266783E601043BDEC52803E92AD813A126D9C3C4214673C97DA93BE262613BDD2B242BE566498BE71CF373E684F49BE9C4982BCD75B0A3E64CB0A3D48D5D5BD0C60343C0341083D32A82E3EA20172BE0C2F143D6C861ABEE90F09BEF846273ECBA9973BC6B4173D63BD1F3EC26E7D3E06790BBD36468A3DA55B5A3BB21AEF3BEED3EC3DDF3AEABCC69AA33C6AE957BC10A1873E87CCF43DE957673E7FD6873EDDB413BED942123DF02B883E58E5503ED1F15EBEB87968BE26400EBD585083BEFF591FBE262383BE543FD03D46732E3EDCEE733ED94E54BEB8C8043E57ECC43D8C5A5BBE66366B3E38A18F3E05492CBE5F028B3E3D0B7ABD9E76FABB0F7D963E06414C3E"> : tensor<8x1x3x3xf32>)
  mt.weight @t.fc : tensor<8x10xf32> value(dense<"0xC9FE4FBEBF4A28BD6A67193CAFB1C5BD3AEF3ABEECFEDEBD4E7D083E669D93BE7AD5043D865412BD930B94BE2E0ECFBD1648983D1916F13B91D985BE8004953E962B313EAEE7903ECBD272BE8D0910BE42708DBE806A2B3EB5090DBEDF9963BE71113FBDCCC57C3E0EFB433E854F14BEA76D57BEFDC4803E7D7E2D3DE145F63D033C7CBE88ED87BE5B44E73D758A37BDB95A83BE39A9863E0333A53D1352393EA4BF7FBEEBDD5A3E312285BE92E35E3E5F36E3BC7AA6C5BD0F69023DA312833E81A00EBEE5CD63BEF14A843C6FB420BEF9F36FBE740150BE941F8ABECC3B37BE1306E7BDFF9BEFBD8C6F1F3E4E0C01BE07F85E38F8E545BE5101BCBD320594BE045319BEBBE294BE60340F3EABEAFA3C45CC3EBEEF1C78BCB485853E97E671BECDF1433E2CAE26BDCF8B44BB39964D3E366083BD8073833B72B2E63DAB34943E"> : tensor<8x10xf32>)
  mt.tenant @t {
    mt.entry @n1(%x: tensor<1x3x6x7xf32> {mt.name = "x"}) -> (tensor<1x10xf32> {mt.name = "y"}, tensor<1x8x6x7xf32> {mt.name = "z"}) {
      %zero = arith.constant 0.0 : f32
      %w = mt.get_weight @t.w : tensor<8x3x3x3xf32>
      %b = mt.get_weight @t.b : tensor<8xf32>
      %g = mt.get_weight @t.g : tensor<8xf32>
      %beta = mt.get_weight @t.beta : tensor<8xf32>
      %dw = mt.get_weight @t.dw : tensor<8x1x3x3xf32>
      %fc = mt.get_weight @t.fc : tensor<8x10xf32>
      %eps = arith.constant 1.0e-5 : f32
      %ve = tensor.empty() : tensor<8xf32>
      %scale = linalg.generic {indexing_maps = [affine_map<(c)->(c)>, affine_map<(c)->(c)>], iterator_types = ["parallel"]} ins(%g : tensor<8xf32>) outs(%ve : tensor<8xf32>) {
      ^bb0(%a: f32, %o: f32):
        %s = arith.addf %a, %eps : f32
        %r = math.rsqrt %s : f32
        linalg.yield %r : f32
      } -> tensor<8xf32>
      %xp = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
      ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
        tensor.yield %zero : f32
      } : tensor<1x3x6x7xf32> to tensor<1x3x8x9xf32>
      %ye = tensor.empty() : tensor<1x8x6x7xf32>
      %yf = linalg.fill ins(%zero : f32) outs(%ye : tensor<1x8x6x7xf32>) -> tensor<1x8x6x7xf32>
      %c = linalg.generic {indexing_maps = [affine_map<(n,f,h,w,c,kh,kw)->(n,c,h+kh,w+kw)>, affine_map<(n,f,h,w,c,kh,kw)->(f,c,kh,kw)>, affine_map<(n,f,h,w,c,kh,kw)->(n,f,h,w)>], iterator_types = ["parallel","parallel","parallel","parallel","reduction","reduction","reduction"]} ins(%xp, %w : tensor<1x3x8x9xf32>, tensor<8x3x3x3xf32>) outs(%yf : tensor<1x8x6x7xf32>) {
      ^bb0(%a: f32, %bb: f32, %acc: f32):
        %m = arith.mulf %a, %bb : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<1x8x6x7xf32>
      %cb = linalg.generic {indexing_maps = [affine_map<(n,f,h,w)->(n,f,h,w)>, affine_map<(n,f,h,w)->(f)>, affine_map<(n,f,h,w)->(n,f,h,w)>], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%c, %b : tensor<1x8x6x7xf32>, tensor<8xf32>) outs(%ye : tensor<1x8x6x7xf32>) {
      ^bb0(%a: f32, %bb: f32, %o: f32):
        %s = arith.addf %a, %bb : f32
        linalg.yield %s : f32
      } -> tensor<1x8x6x7xf32>
      %bn = linalg.generic {indexing_maps = [affine_map<(n,f,h,w)->(n,f,h,w)>, affine_map<(n,f,h,w)->(f)>, affine_map<(n,f,h,w)->(f)>, affine_map<(n,f,h,w)->(n,f,h,w)>], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%cb, %scale, %beta : tensor<1x8x6x7xf32>, tensor<8xf32>, tensor<8xf32>) outs(%ye : tensor<1x8x6x7xf32>) {
      ^bb0(%a: f32, %bb: f32, %be: f32, %o: f32):
        %m = arith.mulf %a, %bb : f32
        %s = arith.addf %m, %be : f32
        linalg.yield %s : f32
      } -> tensor<1x8x6x7xf32>
      %relu = linalg.generic {indexing_maps = [affine_map<(n,f,h,w)->(n,f,h,w)>, affine_map<(n,f,h,w)->(n,f,h,w)>], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%bn : tensor<1x8x6x7xf32>) outs(%ye : tensor<1x8x6x7xf32>) {
      ^bb0(%a: f32, %o: f32):
        %s = arith.maximumf %a, %zero : f32
        linalg.yield %s : f32
      } -> tensor<1x8x6x7xf32>
      %dwc = tensor.collapse_shape %dw [[0, 1], [2], [3]] : tensor<8x1x3x3xf32> into tensor<8x3x3xf32>
      %rp = tensor.pad %relu low[0, 0, 1, 1] high[0, 0, 1, 1] {
      ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
        tensor.yield %zero : f32
      } : tensor<1x8x6x7xf32> to tensor<1x8x8x9xf32>
      %d = linalg.generic {indexing_maps = [affine_map<(n,c,h,w,kh,kw)->(n,c,h+kh,w+kw)>, affine_map<(n,c,h,w,kh,kw)->(c,kh,kw)>, affine_map<(n,c,h,w,kh,kw)->(n,c,h,w)>], iterator_types = ["parallel","parallel","parallel","parallel","reduction","reduction"]} ins(%rp, %dwc : tensor<1x8x8x9xf32>, tensor<8x3x3xf32>) outs(%yf : tensor<1x8x6x7xf32>) {
      ^bb0(%a: f32, %bb: f32, %acc: f32):
        %m = arith.mulf %a, %bb : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<1x8x6x7xf32>
      %add = linalg.generic {indexing_maps = [affine_map<(n,f,h,w)->(n,f,h,w)>, affine_map<(n,f,h,w)->(n,f,h,w)>, affine_map<(n,f,h,w)->(n,f,h,w)>], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%d, %relu : tensor<1x8x6x7xf32>, tensor<1x8x6x7xf32>) outs(%ye : tensor<1x8x6x7xf32>) {
      ^bb0(%a: f32, %bb: f32, %o: f32):
        %s = arith.addf %a, %bb : f32
        linalg.yield %s : f32
      } -> tensor<1x8x6x7xf32>
      %pe = tensor.empty() : tensor<1x8xf32>
      %pf = linalg.fill ins(%zero : f32) outs(%pe : tensor<1x8xf32>) -> tensor<1x8xf32>
      %gap = linalg.generic {indexing_maps = [affine_map<(n,c,h,w)->(n,c,h,w)>, affine_map<(n,c,h,w)->(n,c)>], iterator_types = ["parallel","parallel","reduction","reduction"]} ins(%add : tensor<1x8x6x7xf32>) outs(%pf : tensor<1x8xf32>) {
      ^bb0(%a: f32, %acc: f32):
        %s = arith.addf %acc, %a : f32
        linalg.yield %s : f32
      } -> tensor<1x8xf32>
      %oe = tensor.empty() : tensor<1x10xf32>
      %of = linalg.fill ins(%zero : f32) outs(%oe : tensor<1x10xf32>) -> tensor<1x10xf32>
      %mm = linalg.generic {indexing_maps = [affine_map<(m,n,k)->(m,k)>, affine_map<(m,n,k)->(k,n)>, affine_map<(m,n,k)->(m,n)>], iterator_types = ["parallel","parallel","reduction"]} ins(%gap, %fc : tensor<1x8xf32>, tensor<8x10xf32>) outs(%of : tensor<1x10xf32>) {
      ^bb0(%a: f32, %bb: f32, %acc: f32):
        %m = arith.mulf %a, %bb : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<1x10xf32>
      mt.return %mm, %add : tensor<1x10xf32>, tensor<1x8x6x7xf32>
    }
  }
}
