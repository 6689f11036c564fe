; test eval
; test plan target=x86-64-v4
; test buffers target=x86-64-v4
; test check

// Every sum goes into the product before it, and the arena needs two places, not four.
graph residual_chain {
  %x0 = input : f32[7, 8]
  %w = weight : f32[8, 8]
  %p0 = matmul %x0, %w
  %x1 = add %x0, %p0
  %p1 = matmul %x1, %w
  %x2 = add %x1, %p1
  %p2 = matmul %x2, %w
  %x3 = add %x2, %p2
  %p3 = matmul %x3, %w
  %x4 = add %x3, %p3
  return %x4
}

; expect eval
;   3808 flops
;   %x4 : f32[7, 8] = -20.85316 -15.02533 -23.63732 -18.90834 -10.49260 -20.03330 … norm 220.54956

; expect plan target=x86-64-v4
;   plan residual_chain {
;     %x1 = matmul [1, 7, 8] by [8, 8], constant %w reading %x0
;     %x2 = matmul [1, 7, 8] by [8, 8], constant %w reading %x1
;     %x3 = matmul [1, 7, 8] by [8, 8], constant %w reading %x2
;     %x4 = matmul [1, 7, 8] by [8, 8], constant %w reading %x3
;   }

; expect buffers target=x86-64-v4
;   program residual_chain
;   constants 512 bytes
;   arena 512 bytes, 76.2 % of all intermediates' 672
;   scratch 192 bytes per worker
;
;   id  place     offset  bytes  launches  type  name
;   m0  input 0             224      0..0  f32   x0
;   m1  output 0            224      3..3  f32   x4
;   m2  constant       0    512      0..3  f32   w
;   m3  arena          0    224      0..1  f32   x1
;   m4  arena        256    224      1..2  f32   x2
;   m5  arena          0    224      2..3  f32   x3

; expect check
;   %x4 within 1e-5 of the reference
