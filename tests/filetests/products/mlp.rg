; test eval
; test plan target=x86-64-v4
; test buffers target=x86-64-v4
; test check

// Two products: the first with a normalised left operand and GELU behind it, the second with a residual.
graph mlp {
  %x = input : f32[6, 16]
  %gamma = weight : f32[16]
  %beta = weight : f32[16]
  %w1 = weight : f32[16, 64]
  %b1 = weight : f32[64]
  %w2 = weight : f32[64, 16]
  %b2 = weight : f32[16]
  %n = layer_norm %x, %gamma, %beta { eps = 1e-5 }
  %p = matmul %n, %w1
  %h = add %p, %b1
  %g = gelu %h
  %r = matmul %g, %w2
  %s = add %r, %b2
  %y = add %x, %s
  return %y
}

; expect eval
;   27756 flops
;   %y : f32[6, 16] = 10.87330 1.44532 -2.67579 2.54194 4.60893 -6.36730 … norm 71.63352

; expect plan target=x86-64-v4
;   plan mlp {
;     %g = matmul [1, 6, 16] by [16, 64], constant %18 reading %x, %23
;     %y = matmul [1, 6, 64] by [64, 16], constant %w2 reading %g, %b2, %x
;   }

; expect buffers target=x86-64-v4
;   program mlp
;   constants 8512 bytes
;   arena 1536 bytes, 100.0 % of all intermediates' 1536
;   scratch 640 bytes per worker
;
;   id  place     offset  bytes  launches  type  name
;   m0  input 0             384      0..1  f32   x
;   m1  output 0            384      1..1  f32   y
;   m2  constant       0     64      1..1  f32   b2
;   m3  constant      64    256      0..0  f32   23
;   m4  constant     320   4096      1..1  f32   w2
;   m5  constant    4416   4096      0..0  f32   18
;   m6  arena          0   1536      0..1  f32   g

; expect check
;   %y within 1e-5 of the reference
