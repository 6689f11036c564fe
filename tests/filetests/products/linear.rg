; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test schedule target=x86-64-v4
; test schedule target=x86-64-v3
; test schedule target=aarch64
; test check

// Bias in the epilogue; sizes that divide nothing.
graph linear {
  %x = input : f32[13, 24]
  %w = weight : f32[24, 37]
  %b = weight : f32[37]
  %p = matmul %x, %w
  %y = add %p, %b
  return %y
}

; expect eval
;   23569 flops
;   %y : f32[13, 37] = 0.81494 1.43799 -0.76758 -1.68311 -1.43677 -1.53101 … norm 40.43728

; expect optimize target=x86-64-v4
;   ; %y: 7 e-nodes, 2 iterations, saturated; unchanged
;   graph linear {
;     %x = input : f32[13, 24]
;     %w = weight : f32[24, 37]
;     %b = weight : f32[37]
;     %p = matmul %x, %w : f32[13, 37]
;     %4 = view %b { map = "[13, 37] of 37: i1" } : f32[13, 37]
;     %y = add %p, %4 : f32[13, 37]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan linear {
;     %y = matmul [1, 13, 24] by [24, 37], constant %w reading %x, %b
;   }

; expect schedule target=x86-64-v4
;   schedule linear for x86-64-v4 {
;     %y matmul rows 4 panels 1 depth 24 mr 4 nv 3
;   }

; expect schedule target=x86-64-v3
;   schedule linear for x86-64-v3 {
;     %y matmul rows 4 panels 2 depth 24 mr 4 nv 3
;   }

; expect schedule target=aarch64
;   schedule linear for aarch64 {
;     %y matmul rows 7 panels 3 depth 24 mr 7 nv 2
;   }

; expect check
;   %y within 1e-5 of the reference
