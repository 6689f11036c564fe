; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test schedule target=x86-64-v4
; test kernels target=x86-64-v4
; test buffers target=x86-64-v4
; test check

// The block of the README.
graph block {
  %x = input : f32[16, 32]
  %wq = weight : f32[32, 32]
  %wk = weight : f32[32, 32]
  %wv = weight : f32[32, 32]
  %q = matmul %x, %wq
  %k = matmul %x, %wk
  %v = matmul %x, %wv
  %a = attention %q, %k, %v { scale = 0.176777 }
  %y = add %x, %a
  return %y
}

; expect roundtrip
;   graph block {
;     %x = input : f32[16, 32]
;     %wq = weight : f32[32, 32]
;     %wk = weight : f32[32, 32]
;     %wv = weight : f32[32, 32]
;     %q = matmul %x, %wq : f32[16, 32]
;     %k = matmul %x, %wk : f32[16, 32]
;     %v = matmul %x, %wv : f32[16, 32]
;     %a = attention %q, %k, %v { scale = 0.176777 } : f32[16, 32]
;     %y = add %x, %a : f32[16, 32]
;     return %y
;   }

; expect eval
;   133120 flops
;   %y : f32[16, 32] = -0.76233 0.29338 1.70494 -1.53677 -0.42511 1.19480 … norm 39.61593

; expect optimize target=x86-64-v4
;   ; %y: 43 e-nodes, 13 iterations, saturated; keys-take-query-weights, product-of-weights
;   ; merge-parallel-products ×1
;   graph block {
;     %x = input : f32[16, 32]
;     %wq = weight : f32[32, 32]
;     %wk = weight : f32[32, 32]
;     %wv = weight : f32[32, 32]
;     %4 = view %wq { map = "[32, 32] of 1024: 32*i1 + i0" } : f32[32, 32]
;     %5 = matmul %wk, %4 : f32[32, 32]
;     %6 = iota { axis = -1 } : i32[32, 64]
;     %7 = view %5 { map = "[32, 64] of 1024: 32*i0 + i1%32 + (i1/32) in 1 * 0 else 0.0" } : f32[32, 64]
;     %8 = view %wv { map = "[32, 64] of 1024: 32*i0 + i1%32 + (-1 + i1/32) in 1 * 0 else 0.0" } : f32[32, 64]
;     %9 = const { value = 32.0 } : i32[32, 64]
;     %10 = le %9, %6 : bool[32, 64]
;     %11 = select %10, %8, %7 : f32[32, 64]
;     %12 = matmul %x, %11 : f32[16, 64]
;     %13 = view %12 { map = "[16, 32] of 1024: 64*i0 + i1" } : f32[16, 32]
;     %v = view %12 { map = "[16, 32] of 1024: 32 + 64*i0 + i1" } : f32[16, 32]
;     %15 = scores %x, %13 : f32[16, 16]
;     %16 = const { value = 0.176777 } : f32[16, 16]
;     %17 = mul %15, %16 : f32[16, 16]
;     %a = attend %17, %v { axis = -1 } : f32[16, 32]
;     %y = add %x, %a : f32[16, 32]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan block {
;     %12 = matmul [1, 16, 32] by [32, 64], constant %11 reading %x
;     %y = attend [1, 16, 16] over 32 values reading %12, %x
;   }

; expect schedule target=x86-64-v4
;   schedule block for x86-64-v4 {
;     %12 matmul rows 4 panels 1 depth 32 mr 4 nv 4
;     %y attend queries 4 mr 4 keys 1 values 2
;   }

; expect kernels target=x86-64-v4
;   program block: 2 kernels, 2 launches
;     0 matmul_16x32x64 blocks 4 (x, 11, 12)
;     1 attend_1x16x16x32 blocks 4 (12, x, y)
;   matmul_16x32x64: core lanes 16, grid [1, 4, 1], 104 instructions, 65536 flops, params 34816 B read 4096 B written, scratch 4096 B read 4096 B written, 1024 B scratch
;   attend_1x16x16x32: core lanes 16, grid [1, 4, 1], 363 instructions, 40704 flops, params 20480 B read 2048 B written, scratch 24640 B read 24640 B written, 5440 B scratch

; expect buffers target=x86-64-v4
;   program block
;   constants 8192 bytes
;   arena 4096 bytes, 100.0 % of all intermediates' 4096
;   scratch 5440 bytes per worker
;
;   id  place     offset  bytes  launches  type  name
;   m0  input 0            2048      0..1  f32   x
;   m1  output 0           2048      1..1  f32   y
;   m2  constant       0   8192      0..0  f32   11
;   m3  arena          0   4096      0..1  f32   12

; expect check
;   %y within 1e-5 of the reference
