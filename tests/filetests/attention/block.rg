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
;   graph block {
;     %x = input : f32[16, 32]
;     %wq = weight : f32[32, 32]
;     %wk = weight : f32[32, 32]
;     %wv = weight : f32[32, 32]
;     %4 = const { value = 0.176777 } : f32[16, 16]
;     %q = matmul %x, %wq : f32[16, 32]
;     %k = matmul %x, %wk : f32[16, 32]
;     %7 = scores %q, %k : f32[16, 16]
;     %8 = mul %7, %4 : f32[16, 16]
;     %v = matmul %x, %wv : f32[16, 32]
;     %a = attend %8, %v { axis = -1 } : f32[16, 32]
;     %y = add %x, %a : f32[16, 32]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan block {
;     %q = product [1, 16, 32] by [32, 32], constant %wq reading %x
;     %k = product [1, 16, 32] by [32, 32], constant %wk reading %x
;     %v = product [1, 16, 32] by [32, 32], constant %wv reading %x
;     %y = attend [1, 16, 16] over 32 values reading %v, %x, %q, %k
;   }

; expect schedule target=x86-64-v4
;   schedule block for x86-64-v4 {
;     %q product rows 8 panels 1 depth 32 mr 8 nv 2
;     %k product rows 8 panels 1 depth 32 mr 8 nv 2
;     %v product rows 8 panels 1 depth 32 mr 8 nv 2
;     %y attend queries 8 mr 8 keys 1 values 2
;   }

; expect kernels target=x86-64-v4
;   program block: 2 kernels, 4 launches
;     0 product_16x32x32 blocks 2 (x, wq, q)
;     1 product_16x32x32 blocks 2 (x, wk, k)
;     2 product_16x32x32 blocks 2 (x, wv, v)
;     3 attend_1x16x16x32 blocks 2 (v, x, q, k, y)
;   product_16x32x32: core lanes 16, grid [1, 2, 1], 92 instructions, 32768 flops, params 10240 B read 2048 B written, scratch 2048 B read 2048 B written, 1024 B scratch
;   attend_1x16x16x32: core lanes 16, grid [1, 2, 1], 395 instructions, 40704 flops, params 12288 B read 2048 B written, scratch 16448 B read 16448 B written, 6720 B scratch

; expect buffers target=x86-64-v4
;   program block
;   constants 12288 bytes
;   arena 6144 bytes, 100.0 % of all intermediates' 6144
;   scratch 6720 bytes per worker
;
;   id     place            offset        bytes  launches  type  name
;   m0     input 0                         2048      0..3  f32   x
;   m1     output 0                        2048      3..3  f32   y
;   m2     constant              0         4096      0..0  f32   wq
;   m3     constant           4096         4096      1..1  f32   wk
;   m4     constant           8192         4096      2..2  f32   wv
;   m5     arena                 0         2048      0..3  f32   q
;   m6     arena              2048         2048      1..3  f32   k
;   m7     arena              4096         2048      2..3  f32   v

; expect check
;   %y within 1e-5 of the reference
