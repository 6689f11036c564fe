; test eval
; test plan target=x86-64-v4
; test buffers target=x86-64-v4
; test check

graph several_outputs {
  %x = input : f32[4, 6]
  %a = exp %x
  %b = reduce %a { op = sum, axis = -1 }
  return %a, %b
}

; expect eval
;   48 flops
;   %a : f32[4, 6] = 0.96923 1.16912 2.43665 0.72027 0.62578 1.86825 … norm 6.82706
;   %b : f32[4, 1] = 7.78931 6.77778 8.91351 6.67215 … norm 15.18486

; expect plan target=x86-64-v4
;   plan several_outputs {
;     %a = row [1, 24] reading %x
;     %b = row [4, 1] reading %a
;   }

; expect buffers target=x86-64-v4
;   program several_outputs
;   constants 0 bytes
;   arena 0 bytes, 0.0 % of all intermediates' 0
;   scratch 0 bytes per worker
;
;   id  place     offset  bytes  launches  type  name
;   m0  input 0              96      0..0  f32   x
;   m1  output 0             96      0..1  f32   a
;   m2  output 1             16      1..1  f32   b

; expect check
;   %a, %b within 1e-5 of the reference
