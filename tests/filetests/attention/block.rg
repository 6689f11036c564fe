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
;   ; %y: 15 terms after 1 rounds, saturated; as written
;   ; merge-parallel-products ×1
;   graph block {
;     %x = input : f32[16, 32]
;     %wq = weight : f32[32, 32]
;     %wk = weight : f32[32, 32]
;     %wv = weight : f32[32, 32]
;     %4 = const { value = 0.176777 } : f32[16, 16]
;     %5 = iota { axis = -1 } : i32[32, 96]
;     %6 = view %wq { map = "[32, 96] of 1024: 32*i0 + i1%32 + (i1/32) in 1 * 0 else 0.0" } : f32[32, 96]
;     %7 = view %wk { map = "[32, 96] of 1024: 32*i0 + i1%32 + (-1 + i1/32) in 1 * 0 else 0.0" } : f32[32, 96]
;     %8 = const { value = 32.0 } : i32[32, 96]
;     %9 = le %8, %5 : bool[32, 96]
;     %10 = select %9, %7, %6 : f32[32, 96]
;     %11 = view %wv { map = "[32, 96] of 1024: 32*i0 + i1%32 + (-2 + i1/32) in 1 * 0 else 0.0" } : f32[32, 96]
;     %12 = const { value = 64.0 } : i32[32, 96]
;     %13 = le %12, %5 : bool[32, 96]
;     %14 = select %13, %11, %10 : f32[32, 96]
;     %15 = matmul %x, %14 : f32[16, 96]
;     %q = view %15 { map = "[16, 32] of 1536: 96*i0 + i1" } : f32[16, 32]
;     %k = view %15 { map = "[16, 32] of 1536: 32 + 96*i0 + i1" } : f32[16, 32]
;     %v = view %15 { map = "[16, 32] of 1536: 64 + 96*i0 + i1" } : f32[16, 32]
;     %19 = scores %q, %k : f32[16, 16]
;     %20 = mul %19, %4 : f32[16, 16]
;     %a = attend %20, %v { axis = -1 } : f32[16, 32]
;     %y = add %x, %a : f32[16, 32]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan block {
;     %15 = product [1, 16, 32] by [32, 96], constant %14 reading %x
;     %y = attend [1, 16, 16] over 32 values reading %15, %x
;   }

; expect schedule target=x86-64-v4
;   schedule block for x86-64-v4 {
;     %15 product rows 8 panels 1 depth 32 mr 8 nv 3
;     %y attend queries 4 mr 4 keys 1 values 2
;   }

; expect kernels target=x86-64-v4
;   program block: 2 kernels, 2 launches
;     0 product_16x32x96 blocks 4 (x, 14, 15)
;     1 attend_1x16x16x32 blocks 4 (15, x, y)
;   product_16x32x96: core lanes 16, grid [1, 2, 2], 116 instructions, 98304 flops, params 28672 B read 6144 B written, scratch 6144 B read 6144 B written, 1536 B scratch
;   attend_1x16x16x32: core lanes 16, grid [1, 4, 1], 363 instructions, 40704 flops, params 20480 B read 2048 B written, scratch 24640 B read 24640 B written, 5440 B scratch

; expect buffers target=x86-64-v4
;   program block
;   constants 12288 bytes
;   arena 6144 bytes, 100.0 % of all intermediates' 6144
;   scratch 5440 bytes per worker
;
;   id     place            offset        bytes  launches  type  name
;   m0     input 0                         2048      0..1  f32   x
;   m1     output 0                        2048      1..1  f32   y
;   m2     constant              0        12288      0..0  f32   14
;   m3     arena                 0         6144      0..1  f32   15

; expect check
;   %y within 1e-5 of the reference
