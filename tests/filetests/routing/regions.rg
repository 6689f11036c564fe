; test roundtrip
; test eval
; test plan target=x86-64-v4
; test buffers target=x86-64-v4
; test check

// Bi-level routing on an 8×8 map in 2×2 regions: keys and values are read region by region where the product
// left them, no region is ever copied.
graph regions {
  %x = input : f32[1, 8, 8, 16]
  %w = weight : f32[16, 48]
  %qkv = matmul %x, %w
  %cut = reshape %qkv { shape = [1, 2, 4, 2, 4, 48] }
  %order = transpose %cut { order = [-5, -3, -4, -2, -1] }
  %tokens = reshape %order { shape = [1, 4, 16, 48] }
  %q = slice %tokens { axis = -1, start = 0, stop = 16, step = 1 }
  %k = slice %tokens { axis = -1, start = 16, stop = 32, step = 1 }
  %v = slice %tokens { axis = -1, start = 32, stop = 48, step = 1 }
  %routes = route %q, %k { k = 2 }
  %a = routed_attention %q, %k, %v, %routes { heads = 2, scale = 0.25 }
  %back = reshape %a { shape = [1, 2, 2, 4, 4, 16] }
  %rows = transpose %back { order = [-5, -3, -4, -2, -1] }
  %y = reshape %rows { shape = [1, 8, 8, 16] }
  return %y
}

; expect roundtrip
;   graph regions {
;     %x = input : f32[1, 8, 8, 16]
;     %w = weight : f32[16, 48]
;     %qkv = matmul %x, %w : f32[1, 8, 8, 48]
;     %cut = reshape %qkv { shape = [1, 2, 4, 2, 4, 48] } : f32[1, 2, 4, 2, 4, 48]
;     %order = transpose %cut { order = [-5, -3, -4, -2, -1] } : f32[1, 2, 2, 4, 4, 48]
;     %tokens = reshape %order { shape = [1, 4, 16, 48] } : f32[1, 4, 16, 48]
;     %q = slice %tokens { axis = -1, start = 0, stop = 16, step = 1 } : f32[1, 4, 16, 16]
;     %k = slice %tokens { axis = -1, start = 16, stop = 32, step = 1 } : f32[1, 4, 16, 16]
;     %v = slice %tokens { axis = -1, start = 32, stop = 48, step = 1 } : f32[1, 4, 16, 16]
;     %routes = route %q, %k { k = 2 } : i32[1, 4, 2]
;     %a = routed_attention %q, %k, %v, %routes { heads = 2, scale = 0.25 } : f32[1, 4, 16, 16]
;     %back = reshape %a { shape = [1, 2, 2, 4, 4, 16] } : f32[1, 2, 2, 4, 4, 16]
;     %rows = transpose %back { order = [-5, -3, -4, -2, -1] } : f32[1, 2, 4, 2, 4, 16]
;     %y = reshape %rows { shape = [1, 8, 8, 16] } : f32[1, 8, 8, 16]
;     return %y
;   }

; expect eval
;   256672 flops
;   %y : f32[1, 8, 8, 16] = -0.21031 -0.76476 -1.10529 -0.06502 0.23219 0.55307 … norm 19.65317

; expect plan target=x86-64-v4
;   plan regions {
;     %qkv = matmul [1, 64, 16] by [16, 48], constant %w reading %x
;     %15 = row [4, 16] reading %qkv
;     %17 = matmul [1, 4, 16] by [16, 4] reading %qkv, %15
;     %33 = row [16, 1] reading %17, %6
;     %40 = row [4, 2] reading %33, %7, %2
;     %y = attend [8, 16, 32] over 8 values reading %40, %qkv
;   }

; expect buffers target=x86-64-v4
;   program regions
;   constants 3264 bytes
;   arena 12608 bytes, 99.2 % of all intermediates' 12704
;   scratch 5440 bytes per worker
;
;   id   place     offset  bytes  launches  type  name
;   m0   input 0            4096      0..0  f32   x
;   m1   output 0           4096      5..5  f32   y
;   m2   constant       0     16      4..4  i32   2
;   m3   constant      64     64      3..3  bool  6
;   m4   constant     128      8      4..4  i32   7
;   m5   constant     192   3072      0..0  f32   w
;   m6   arena          0  12288      0..5  f32   qkv
;   m7   arena      12288    256      1..2  f32   15
;   m8   arena      12544     64      2..3  f32   17
;   m9   arena      12288     64      3..4  i32   33
;   m10  arena      12352     32      4..5  i32   40

; expect check
;   %y within 1e-5 of the reference
